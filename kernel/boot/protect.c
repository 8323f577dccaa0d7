/* SPDX-License-Identifier: MIT */
#include "kernel/boot/protect.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/layout.h"

static int protect(struct domain *d, const char *start, const char *end, uint64_t flags)
{
    return pt_protect(&d->pt, (uintptr_t)start, (uintptr_t)end, flags);
}

/* A page that is not mapped is no error. */
static int unmap(struct domain *d, uint64_t va)
{
    mfn_t mfn;
    int rc = pt_unmap(&d->pt, va, &mfn);

    return rc == -ENOENT ? 0 : rc;
}

/*
 * A NULL pointer must fault. GRUB's PV loader leaves its relocator mapped at address 0. The page
 * tables of that mapping are among the frames that the stage teardown frees: they must not be
 * referenced then, or they would keep their page type.
 */
static int clear_lowest_slot(struct domain *d)
{
    int rc = pt_write(d->pt.root, pte_index(0, 4), 0);

    if (!rc)
        pt_flush();
    return rc;
}

int protect_stage(struct domain *d)
{
    int rc;

    if (!pte_has_nx())
        printk(LOG_WARN,
               "protect: CPUID 0x80000001 has no NX bit: data can be executed in this domain\n");
    rc = protect(d, image_start, rodata_start, PTE_RX);
    if (!rc)
        rc = protect(d, rodata_start, data_start, PTE_RO);
    if (!rc)
        rc = protect(d, data_start, stack_guard, PTE_RW);
    if (!rc)
        rc = unmap(d, (uintptr_t)stack_guard);
    if (!rc)
        rc = protect(d, stack_guard + PAGE_SIZE, fixmap_start, PTE_RW);
    if (!rc)
        rc = protect(d, fixmap_end, image_end, PTE_RW);
    if (!rc)
        rc = clear_lowest_slot(d);
    return rc;
}
