/* SPDX-License-Identifier: MIT */
/*
 * Windows: a few virtual pages behind which any machine frame can be shown for a while.
 *
 * Most frames of this domain are mapped nowhere: page tables must not be writable, the builder's
 * own tables were never mapped, and what is not mapped cannot be harmed. A window is how they are
 * read, and how a new table is filled before it becomes one. The pages are part of the image's
 * address space, so their level 1 table exists from the first instruction on, and showing a frame
 * is one hypercall (update_va_mapping) and no memory.
 *
 *   slot   0 .. 3         4 .. 6             7
 *          tables read    tables under       anything, for
 *          by level       construction       one function
 */
#ifndef MM_FIXMAP_H
#define MM_FIXMAP_H

#include "arch/x86/pte.h"

enum fixmap_slot {
    FIXMAP_LEVEL = 0,   /* + level - 1: read by pagetable.c                      */
    FIXMAP_BUILD = 4,   /* + level - 1, up to 3: list_tables.c and kernel_mapping.c        */
    FIXMAP_SCRATCH = 7, /* never kept over a call                                */
    NR_FIXMAP_SLOTS = 8,
};

struct fixmap {
    uint8_t *pages;               /* NR_FIXMAP_SLOTS virtual pages, page-aligned                */
    mfn_t shown[NR_FIXMAP_SLOTS]; /* INVALID_MFN: the slot is empty                        */
    uint64_t flags[NR_FIXMAP_SLOTS]; /* with these rights                                     */
};

/* Takes the @pages, whatever is mapped there now, and forgets it: their frames are the caller's. */
void fixmap_init(struct fixmap *w, void *pages);

/*
 * Shows @mfn in @slot with rights @flags (PTE_RO or PTE_RW), and returns its address. A frame that
 * is shown there already costs nothing. NULL if Xen refuses: not our frame, or a table that is
 * asked for writable. The address is good until the slot shows another frame.
 */
void *fixmap_map(struct fixmap *w, unsigned int slot, mfn_t mfn, uint64_t flags) __must_check;

/* Empties @slot, so that the frame behind it may become a page table, or leave the domain. */
void fixmap_unmap(struct fixmap *w, unsigned int slot);

/* Empties every slot: what a frame's number is may be about to change. */
void fixmap_unmap_all(struct fixmap *w);

/* Empties every slot that shows @mfn. */
void fixmap_unmap_mfn(struct fixmap *w, mfn_t mfn);

#endif
