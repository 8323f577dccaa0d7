/* SPDX-License-Identifier: MIT */
/*
 * The fixmap: eight virtual pages (slots) that can map any machine frame for a short time.
 *
 * Most frames of this domain are mapped nowhere: Xen does not allow a writable mapping of a page
 * table, and a free frame that is not mapped cannot be overwritten by mistake. The fixmap is used
 * to read page tables, and to fill a frame before it becomes a page table. The slots are part of
 * the image's address space, so their level 1 table always exists: mapping a frame takes one
 * hypercall (update_va_mapping) and no memory.
 *
 *   slot   0 .. 3                 4 .. 6                  7
 *          page tables being      page tables being       any frame, for the
 *          read, one a level      built, levels 1 to 3    time of one call
 */
#ifndef MM_FIXMAP_H
#define MM_FIXMAP_H

#include "arch/x86/pte.h"

enum fixmap_slot {
    FIXMAP_LEVEL = 0,   /* + level - 1: page tables read by pagetable.c                      */
    FIXMAP_BUILD = 4,   /* + level - 1, up to 3: used by list_tables.c and kernel_mapping.c  */
    FIXMAP_SCRATCH = 7, /* not kept over a call of a function that may use the slot itself   */
    NR_FIXMAP_SLOTS = 8,
};

struct fixmap {
    uint8_t *pages;                  /* NR_FIXMAP_SLOTS virtual pages, page-aligned    */
    mfn_t mapped[NR_FIXMAP_SLOTS];   /* the frame in each slot; INVALID_MFN: none      */
    uint64_t flags[NR_FIXMAP_SLOTS]; /* its mapping: PTE_RO, PTE_RW; 0: none           */
};

/*
 * Makes all slots at @pages empty. The frames that were mapped there belong to the caller. Panics
 * if Xen refuses.
 */
void fixmap_init(struct fixmap *f, void *pages);

/*
 * Maps @mfn in @slot with @flags (PTE_RO or PTE_RW) and returns the address, which is valid until
 * the slot is used again. No hypercall if the slot maps @mfn with these flags already. NULL, with
 * the slot as it was, if @mfn does not fit a page-table entry (INVALID_MFN), or if Xen refuses: the
 * frame is not this domain's, or is a page table and @flags is PTE_RW.
 */
void *fixmap_map(struct fixmap *f, unsigned int slot, mfn_t mfn, uint64_t flags) __must_check;

/*
 * Unmaps @slot, so that its frame may become a page table or be given back to Xen. Panics if Xen
 * refuses.
 */
void fixmap_unmap(struct fixmap *f, unsigned int slot);

/* Unmaps all slots: before a suspend, which may change all MFNs. */
void fixmap_unmap_all(struct fixmap *f);

/* Unmaps every slot that maps @mfn. */
void fixmap_unmap_mfn(struct fixmap *f, mfn_t mfn);

#endif
