/* SPDX-License-Identifier: MIT */
/*
 * start_info: the data that the domain builder passes (struct start_info of <xen/xen.h>). There are
 * four builders: Xen, libxenguest, the PV shim and GRUB. The kernel trusts none of them: it copies
 * the page once, validates the copy, and all other code reads struct boot_info.
 */
#ifndef XEN_START_INFO_H
#define XEN_START_INFO_H

#include "arch/x86/layout.h"

#include "mm/pagetable.h"

#include <xen/xen.h>

struct boot_info {
    uint32_t flags;       /* SIF_* as at boot; a restore sets those in the page to 0 */
    uint64_t nr_pages;    /* frames of the domain = entries of the builder's P2M list */
    uint64_t shared_info; /* machine address of shared_info, in bytes */
    mfn_t console, store; /* the rings of a domU; INVALID_MFN in a dom0 */
    uint32_t console_port, store_port;
    uint64_t list_va;       /* virtual address of the builder's P2M list */
    uint64_t list_pfn;      /* first PFN of the frames of that list and of its page tables */
    uint64_t nr_list_pfns;  /* number of these frames; 0: the list is in the kernel mapping */
    uint64_t ramdisk_va;    /* virtual address of the ramdisk; 0: not mapped */
    uint64_t ramdisk_pfn;   /* first PFN of the ramdisk, before renumbering */
    uint64_t ramdisk_bytes; /* 0: no ramdisk */
    const char *cmdline;    /* ends with a 0 */
};

/* Is this the initial domain (dom0)? */
static inline bool boot_info_is_initdomain(const struct boot_info *b)
{
    return b->flags & SIF_INITDOMAIN;
}

/*
 * Did the PV shim build this domain? The shim is a Xen: it sets power management flags as for a
 * dom0, but not SIF_INITDOMAIN.
 */
static inline bool boot_info_is_shim(const struct boot_info *b)
{
    return (b->flags & SIF_PM_MASK) && !(b->flags & SIF_INITDOMAIN);
}

/*
 * The name of the domain builder, by inference: start_info does not name it. libxenguest starts
 * GRUB, which then builds the kernel's domain by the same rules. GRUB has used xenstore before, so
 * the indices of the xenstore ring are not 0: @ring_used.
 */
static inline const char *boot_info_builder(const struct boot_info *b, bool ring_used)
{
    if (boot_info_is_initdomain(b))
        return "Xen";
    if (boot_info_is_shim(b))
        return "PV shim";
    return ring_used ? "GRUB" : "libxenguest";
}

/* The number of frames of the ramdisk. */
static inline uint64_t boot_info_ramdisk_pages(const struct boot_info *b)
{
    return DIV_ROUND_UP(b->ramdisk_bytes, PAGE_SIZE);
}

/*
 * The PFN of the page at @va in the builder's kernel mapping: VIRT_BASE is PFN 0, and PFNs ascend
 * with the addresses (<xen/xen.h>, "Start-of-day memory layout"). Valid until frames are
 * renumbered; later the M2P gives the PFN.
 */
static inline uint64_t boot_pfn(uint64_t va)
{
    return (va - VIRT_BASE) / PAGE_SIZE;
}

/*
 * Copies the page at @from, validates every field that is used, and fills @info. Panics at an
 * invalid field, with the field, the value found and the value expected. @pt is used to check that
 * addresses are mapped.
 */
void start_info_read(struct boot_info *info, const struct start_info *from, struct pagetable *pt);

/*
 * The kernel's copy of the page, for tests of the fields that the kernel does not use. After a
 * restore, Xen's tools have replaced some fields (start_info_resume). NULL before start_info_read.
 */
const struct start_info *start_info_copy(void);

/*
 * Before a suspend: replaces the rings' MFNs by their PFNs in the kernel's copy of the page, as
 * Xen's tools expect it (process_start_info in Xen tools/libs/guest/xg_sr_restore_x86_pv.c). *@page
 * is the address of the copy: its frame is the argument of the suspend hypercall. Returns 0, or
 * -EINVAL if the M2P has no PFN for a ring.
 */
int start_info_suspend(const struct boot_info *info, const struct m2p *m2p,
                       const void **page) __must_check;

/*
 * After a suspend. In a new domain Xen's tools have written the MFNs and ports of the rings, and
 * the address of shared_info: validates these and copies them to @info. In the same domain restores
 * the rings' MFNs in the copy. No other field is used again: the tools set flags to 0, and nr_pages
 * to the length of the P2M list. Returns 0, or -EINVAL after a message if a field is invalid or a
 * ring has another PFN than before.
 */
int start_info_resume(struct boot_info *info, const struct p2m *p2m, bool new_domain) __must_check;

#endif
