/* SPDX-License-Identifier: MIT */
#include "kernel/setup.h"

#include "lib/panic.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/traps.h"

#include "xen/clock.h"
#include "xen/console.h"

/* Virtual pages of the image that lend themselves to any frame: see mm/window.h. */
static uint8_t window_pages[NR_WINDOWS][PAGE_SIZE]
    __attribute__((aligned(4096), section(".bss.window")));

/* And some behind which a frame is for good that others see as well: a ring, or Xen's own. */
#define FOREIGN_PAGE __attribute__((aligned(4096), section(".bss.foreign")))
static uint8_t console_page[PAGE_SIZE] FOREIGN_PAGE;
static uint8_t shared_page[PAGE_SIZE] FOREIGN_PAGE;

static struct pagetable *witness_pt;

/* A fatal trap: how the faulting address is mapped, level by level. */
static void print_walk(const struct trap_frame *frame, uint64_t fault_va)
{
    mfn_t table = witness_pt->root;

    if (frame->vector != TRAP_PAGE_FAULT)
        return;
    for (unsigned int level = PT_LEVELS; level; level--) {
        uint64_t pte = pt_read(witness_pt, table, level, pte_index(fault_va, level));

        print("0x%lx: level %u entry %3u of table 0x%lx is %016lx\n", fault_va, level,
              pte_index(fault_va, level), table.v, pte);
        if (!pte_present(pte) || pte_is_leaf(pte, level))
            return;
        table = pte_mfn(pte);
    }
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

int windows_stage(struct domain *d)
{
    d->pt = (struct pagetable){.root = cr3_mfn(), .windows = &d->windows, .frames = &d->frames};
    windows_init(&d->windows, window_pages);
    witness_pt = &d->pt;
    trap_witness = print_walk;
    return 0;
}

/* The builders map in two places: where INIT_P2M asks for the list, and behind the kernel. */
static void check_places(const struct boot_info *b)
{
    if (b->list_va < VIRT_BASE && b->list_va != LIST_BASE)
        panic("start_info.mfn_list is 0x%lx, expected 0x%lx, or 0x%lx and above", b->list_va,
              LIST_BASE, VIRT_BASE);
    if (b->ramdisk_va && b->ramdisk_va < VIRT_BASE)
        panic("start_info.mod_start is 0x%lx, expected 0x%lx or above", b->ramdisk_va, VIRT_BASE);
}

int start_info_stage(struct domain *d)
{
    start_info_read(&d->boot, d->start_info, &d->pt);
    check_places(&d->boot);
    d->start_info = NULL;
    cmdline_parse(&d->options, d->boot.cmdline);
    printk_level = d->options.loglevel;
    printk(LOG_INFO, "start_info: %s of %lu pages, list at 0x%lx, flags 0x%x%s\n",
           boot_info_is_initdomain(&d->boot) ? "dom0" : "domU", d->boot.nr_pages, d->boot.list_va,
           d->boot.flags, d->boot.flags & SIF_VIRT_P2M_4TOOLS ? " (the tools read the list)" : "");
    return 0;
}

int shared_info_stage(struct domain *d)
{
    uint64_t pte = pte_make(maddr_to_mfn(d->boot.shared_info), PTE_RW);
    int rc = (int)HYPERVISOR_update_va_mapping((uintptr_t)shared_page, pte, UVMF_INVLPG);

    if (rc) {
        printk(LOG_ERROR, "shared_info: start_info says it is at 0x%lx, where Xen maps none\n",
               d->boot.shared_info);
        return rc;
    }
    d->shared = (struct shared_info *)shared_page;
    clock_start(&d->shared->vcpu_info[0].time);
    return 0;
}

int host_stage(struct domain *d)
{
    host_read(&d->host);
    d->max_pages = host_maximum_pages();
    if (d->host.nr_vcpus > 1)
        printk(LOG_INFO, "host: %u vCPUs; this kernel uses the first, the others stay down\n",
               d->host.nr_vcpus);
    printk(LOG_INFO, "host: Xen %u.%u%s, MFNs up to 0x%lx; this domain may have 0x%lx pages\n",
           d->host.major, d->host.minor, d->host.extra, d->host.max_mfn, d->max_pages);
    printk(LOG_INFO, "host: machine addresses of %u bits by CPUID, %u by Xen; %d can be handled\n",
           d->host.cpu_bits, d->host.xen_bits, PADDR_BITS);
    return 0;
}
