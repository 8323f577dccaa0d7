/* SPDX-License-Identifier: MIT */
/*
 * start_info: what the domain builder tells. There are four builders (Xen, libxenguest, the PV
 * shim, GRUB), and none is believed: the page is copied once, the copy is checked, and everyone
 * else reads what is here.
 */
#ifndef XEN_START_INFO_H
#define XEN_START_INFO_H

#include "arch/x86/layout.h"

#include "mm/pagetable.h"

#include <xen/xen.h>

struct boot_info {
    uint32_t flags;       /* SIF_*, latched: a restore zeroes the page's */
    uint64_t nr_pages;    /* frames the domain has, and entries of the list */
    uint64_t shared_info; /* its machine address */
    mfn_t console, store; /* a domU's rings; INVALID_MFN in a dom0, that has none */
    uint32_t console_port, store_port;
    uint64_t list_va;       /* the builder's P2M list */
    uint64_t list_pfn;      /* first PFN of the frames that list and its tables lie in, */
    uint64_t nr_list_pfns;  /* and how many; 0: it lies in the kernel mapping */
    uint64_t ramdisk_va;    /* 0: not mapped */
    uint64_t ramdisk_pfn;   /* first PFN of the ramdisk, by the builder's numbering */
    uint64_t ramdisk_bytes; /* 0: none */
    const char *cmdline;    /* terminated */
};

static inline bool boot_info_is_initdomain(const struct boot_info *b)
{
    return b->flags & SIF_INITDOMAIN;
}

/* The PV shim is a Xen: its builder tells of power management, but makes no initial domain. */
static inline bool boot_info_is_shim(const struct boot_info *b)
{
    return (b->flags & SIF_PM_MASK) && !(b->flags & SIF_INITDOMAIN);
}

/*
 * Who built the domain, as far as it can be seen: no builder signs. A loader is built by
 * libxenguest, and builds its successor by the same rules; but it has talked to xenstored before,
 * so that the ring's indices (@ring_used) are not 0. GRUB is the one that is known.
 */
static inline const char *boot_info_builder(const struct boot_info *b, bool ring_used)
{
    if (boot_info_is_initdomain(b))
        return "Xen";
    if (boot_info_is_shim(b))
        return "PV shim";
    return ring_used ? "GRUB" : "libxenguest";
}

static inline uint64_t boot_info_ramdisk_pages(const struct boot_info *b)
{
    return DIV_ROUND_UP(b->ramdisk_bytes, PAGE_SIZE);
}

/*
 * The builder's numbering of what it mapped for the kernel: VIRT_BASE is PFN 0, and so on upward
 * (<xen/xen.h>, "Start-of-day memory layout"). Holds until frames are renumbered; from then on the
 * PFN of what is mapped is asked from the M2P.
 */
static inline uint64_t boot_pfn(uint64_t va)
{
    return (va - VIRT_BASE) / PAGE_SIZE;
}

/*
 * Copies the page at @from, checks every field that is used, and fills @info. Where a field is
 * not what it must be, the kernel cannot go on: panics, naming field, value and what was expected.
 * @pt is used to see whether what is said to be mapped is.
 */
void start_info_read(struct boot_info *info, const struct start_info *from, struct pagetable *pt);

/*
 * Before a suspend: the rings are named by their PFNs in our copy of the page, as the tools expect
 * it then (xg_sr_restore_x86_pv.c, process_start_info), and in *@page is the copy's address, by
 * whose frame they find it. -EINVAL if the M2P knows no PFN for a ring.
 */
int start_info_suspend(const struct boot_info *info, const struct m2p *m2p,
                       const void **page) __must_check;

/*
 * And after it. In a new domain the tools have written the rings' frames and ports, and where
 * shared_info is; that is checked and goes to @info. Else the copy is put back. Nothing else of
 * the page is read again: flags come as 0, and nr_pages counts what has no frame. -EINVAL for a
 * ring that is not where it was in our numbering.
 */
int start_info_resume(struct boot_info *info, const struct p2m *p2m, bool new_domain) __must_check;

#endif
