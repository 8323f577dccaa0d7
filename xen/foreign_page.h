/* SPDX-License-Identifier: MIT */
/*
 * Virtual pages of the image behind which, for good, is a frame that others see as well: a ring, or
 * Xen's own page. The frame that the image had there is free memory (kernel/boot/memory.c).
 */
#ifndef XEN_FOREIGN_PAGE_H
#define XEN_FOREIGN_PAGE_H

#include "arch/x86/hypercall.h"
#include "arch/x86/pte.h"

/* For a page-sized, static array. */
#define FOREIGN_PAGE __attribute__((aligned(4096), section(".bss.foreign")))

/* Puts @mfn behind @page; INVALID_MFN: nothing. Returns 0 or Xen's negative errno. */
static inline int __must_check foreign_page_map(void *page, mfn_t mfn)
{
    uint64_t pte = mfn_eq(mfn, INVALID_MFN) ? 0 : pte_make(mfn, PTE_RW);

    return (int)HYPERVISOR_update_va_mapping((uintptr_t)page, pte, UVMF_INVLPG);
}

#endif
