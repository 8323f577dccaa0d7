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
    uint32_t flags;         /* SIF_*, latched: a restore zeroes the page's */
    uint64_t nr_pages;      /* frames the domain has, and entries of the list */
    uint64_t shared_info;   /* its machine address */
    mfn_t console, store;   /* a domU's rings; INVALID_MFN in a dom0, that has none */
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

#endif
