/* SPDX-License-Identifier: MIT */
#include "kernel/boot/builder.h"

#include "lib/printk.h"

#include "arch/x86/layout.h"

#include "kernel/boot/store.h"

int builder_stage(struct domain *d)
{
    const struct boot_info *b = &d->boot;

    d->builder = boot_info_builder(b, store_ring_was_used(d));
    printk(LOG_INFO,
           "builder: domain built by %s; builder's P2M list of %lu pages in %s; %s ramdisk\n",
           d->builder, DIV_ROUND_UP(b->nr_pages, P2M_PER_PAGE),
           b->list_va == LIST_BASE ? "the L4 slot of INIT_P2M" : "the kernel mapping",
           !b->ramdisk_bytes ? "no"
           : b->ramdisk_va   ? "mapped"
                             : "unmapped");
    return 0;
}
