/* SPDX-License-Identifier: MIT */
/*
 * Virtual pages of the image that map, until the domain ends, a frame that is shared with another
 * domain or with Xen: a ring or shared_info. The image's own frame for such a page is free memory
 * (kernel/boot/memory.c).
 */
#ifndef XEN_FOREIGN_PAGE_H
#define XEN_FOREIGN_PAGE_H

#include "arch/x86/hypercall.h"
#include "arch/x86/pte.h"

/* The attribute of a static, page-sized array that is such a page. */
#define FOREIGN_PAGE __attribute__((aligned(4096), section(".bss.foreign")))

/* Maps @mfn at @page, writable, or nothing if @mfn is INVALID_MFN. 0 or Xen's negative errno. */
static inline int __must_check foreign_page_map(void *page, mfn_t mfn)
{
    uint64_t pte = mfn_eq(mfn, INVALID_MFN) ? 0 : pte_make(mfn, PTE_RW);

    return (int)HYPERVISOR_update_va_mapping((uintptr_t)page, pte, UVMF_INVLPG);
}

#endif
