/* SPDX-License-Identifier: MIT */
#include "kernel/boot/setup.h"

#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"
#include "arch/x86/traps.h"

#include "mm/pt_print.h"

#include "xen/clock.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/foreign_page.h"
#include "xen/watchdog.h"

/* Virtual pages of the image that fixmap_map maps to any frame: see mm/fixmap.h. */
static uint8_t fixmap_pages[NR_FIXMAP_SLOTS][PAGE_SIZE]
    __attribute__((aligned(4096), section(".bss.fixmap")));

static uint8_t console_page[PAGE_SIZE] FOREIGN_PAGE;
static uint8_t shared_page[PAGE_SIZE] FOREIGN_PAGE;

/* For print_walk: a trap handler has no argument for struct domain. */
static struct pagetable *witness_pt;

/* Called at a fatal trap: for a page fault, prints the page-table entries of the address. */
static void print_walk(const struct trap_frame *frame, uint64_t fault_va)
{
    if (frame->vector == TRAP_PAGE_FAULT)
        pt_print_walk(witness_pt, fault_va);
}

int traps_stage(struct domain *d)
{
    (void)d;
    return traps_start();
}

int console_stage(struct domain *d)
{
    return console_start(d->start_info, console_page);
}

int fixmap_stage(struct domain *d)
{
    d->pt =
        (struct pagetable){.root = cr3_mfn(), .fixmap = &d->fixmap, .frame_pool = &d->frame_pool};
    fixmap_init(&d->fixmap, fixmap_pages);
    witness_pt = &d->pt;
    trap_witness = print_walk;
    return 0;
}

/*
 * The builders map the P2M list at the address of the INIT_P2M note, or in the kernel mapping, and
 * the ramdisk in the kernel mapping (<xen/xen.h>, "Start-of-day memory layout").
 */
static void check_addresses(const struct boot_info *b)
{
    if (b->list_va < VIRT_BASE && b->list_va != LIST_BASE)
        panic("start_info.mfn_list is 0x%lx, expected 0x%lx (INIT_P2M) or an address "
              "in the kernel mapping, 0x%lx or above",
              b->list_va, LIST_BASE, VIRT_BASE);
    if (b->ramdisk_va && b->ramdisk_va < VIRT_BASE)
        panic("start_info.mod_start is 0x%lx, expected an address in the kernel mapping, 0x%lx or "
              "above",
              b->ramdisk_va, VIRT_BASE);
    if (b->ramdisk_pfn + boot_info_ramdisk_pages(b) > b->nr_pages)
        panic("start_info: the ramdisk ends at PFN 0x%lx, expected at most nr_pages 0x%lx",
              b->ramdisk_pfn + boot_info_ramdisk_pages(b), b->nr_pages);
}

int fixmap_before_suspend(struct domain *d)
{
    fixmap_unmap_all(&d->fixmap);
    return 0;
}

int fixmap_after_resume(struct domain *d, bool new_domain)
{
    (void)new_domain;
    d->pt.root = cr3_mfn();
    return 0;
}

int start_info_stage(struct domain *d)
{
    start_info_read(&d->boot, d->start_info, &d->pt);
    check_addresses(&d->boot);
    d->start_info = NULL;
    cmdline_parse(&d->options, d->boot.cmdline);
    printk_level = d->options.loglevel;
    watchdog_set((uint32_t)d->options.watchdog_seconds);
    printk(LOG_INFO, "start_info: %s of %lu pages, P2M list at 0x%lx, flags 0x%x%s\n",
           boot_info_is_initdomain(&d->boot) ? "dom0" : "domU", d->boot.nr_pages, d->boot.list_va,
           d->boot.flags, d->boot.flags & SIF_VIRT_P2M_4TOOLS ? " (SIF_VIRT_P2M_4TOOLS)" : "");
    return 0;
}

int start_info_before_suspend(struct domain *d)
{
    const void *page;
    int rc = start_info_suspend(&d->boot, &d->host.m2p, &page);

    if (!rc)
        d->suspend_mfn = pt_mfn(&d->pt, (uintptr_t)page);
    return rc;
}

int start_info_after_resume(struct domain *d, bool new_domain)
{
    int rc = start_info_resume(&d->boot, &d->p2m, new_domain);

    if (new_domain) /* now: the next line on the console needs the new port */
        console_set_port(d->boot.console_port);
    return rc;
}

static int map_shared_info(struct domain *d)
{
    int rc = foreign_page_map(shared_page, maddr_to_mfn(d->boot.shared_info));

    if (rc) {
        printk(LOG_ERROR,
               "shared_info: cannot map machine address 0x%lx (start_info.shared_info): "
               "update_va_mapping: result is %d (%s), expected 0\n",
               d->boot.shared_info, rc, errno_name(rc));
        return rc;
    }
    d->shared = (struct shared_info *)shared_page;
    clock_start(&d->shared->vcpu_info[0].time);
    return 0;
}

int shared_info_stage(struct domain *d)
{
    int rc = map_shared_info(d);

    if (rc)
        return rc;
    d->selftest.first_mask = d->shared->vcpu_info[0].evtchn_upcall_mask;
    evtchn_start(d->shared);
    return 0;
}

/* Xen's tools cannot save a mapping of a frame that Xen owns: the P2M has no such MFN. */
int shared_info_before_suspend(struct domain *d)
{
    int rc = foreign_page_map(shared_page, INVALID_MFN);

    (void)d;
    if (rc)
        return rc;
    evtchn_resume(NULL);
    clock_start(NULL);
    return 0;
}

int shared_info_after_resume(struct domain *d, bool new_domain)
{
    int rc = map_shared_info(d);

    if (rc)
        return rc;
    if (!new_domain) {
        evtchn_resume(d->shared);
        return 0;
    }
    publish_revoke(&d->shared->arch); /* p2m_cr3 names an MFN of the old host */
    evtchn_start(d->shared);
    return 0;
}

int host_stage(struct domain *d)
{
    host_read(&d->host);
    d->max_pages = host_maximum_pages();
    if (d->host.nr_vcpus > 1)
        printk(LOG_INFO,
               "host: this domain has %u vCPUs; the kernel runs on vCPU 0, a self-test starts vCPU "
               "1\n",
               d->host.nr_vcpus);
    printk(LOG_INFO, "host: Xen %u.%u%s, max_mfn 0x%lx; XENMEM_maximum_reservation 0x%lx pages\n",
           d->host.major, d->host.minor, d->host.extra, d->host.max_mfn, d->max_pages);
    printk(LOG_INFO,
           "host: machine addresses have %u bits by CPUID 0x80000008, %u by Xen's CPUID "
           "0x40000x05; this kernel supports %d\n",
           d->host.cpu_bits, d->host.xen_bits, PADDR_BITS);
    if (d->host.has_flask)
        printk(LOG_INFO, "host: XSM/FLASK enforces a policy, which may deny hypercalls (EPERM, "
                         "EACCES)\n");
    return 0;
}

int host_after_resume(struct domain *d, bool new_domain)
{
    if (!new_domain)
        return 0;
    host_read(&d->host);
    printk(LOG_INFO, "host: after resume: Xen %u.%u%s, max_mfn 0x%lx\n", d->host.major,
           d->host.minor, d->host.extra, d->host.max_mfn);
    return 0;
}
