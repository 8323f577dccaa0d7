/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a PV guest: read through windows, changed by hypercall, because Xen counts every
 * reference they make and lets no guest write them (<xen/xen.h>, HYPERVISOR_mmu_update).
 *
 *      level 4 (root)      3          2          1
 *      [ 511 | .... ] -> [ .. ] -> [ .. ] -> [ .. ] -> page
 *        512 GiB each     1 GiB     2 MiB     4 KiB
 */
#ifndef MM_PAGETABLE_H
#define MM_PAGETABLE_H

#include "mm/fixmap.h"
#include "mm/frame_pool.h"

struct pagetable {
    mfn_t root; /* the level 4 table in CR3 */
    struct fixmap *fixmap;
    struct frame_pool *frame_pool; /* where new tables come from and old ones go */
    uint64_t nr_tables;            /* that were made, and are not given back */
};

/* Where a walk ended: at the entry that maps the address, or the one that says that none does. */
struct pt_entry {
    unsigned int level; /* 1 .. 4 of the table that the entry is in  */
    mfn_t table;        /* that table                                */
    unsigned int index; /* the entry in it                           */
    uint64_t pte;       /* its value; not present: nothing is mapped */
};

/*
 * Shows the table @table at @level, to be read until the next table of that level is. Panics if Xen
 * refuses.
 */
const volatile uint64_t *pt_show(struct pagetable *pt, mfn_t table, unsigned int level);

/* Reads entry @index of the table @table at @level. */
uint64_t pt_read(struct pagetable *pt, mfn_t table, unsigned int level, unsigned int index);

/* Writes one entry, as Xen allows. Returns 0 or Xen's negative errno; flushes nothing. */
int pt_write(mfn_t table, unsigned int index, uint64_t pte) __must_check;

/* Follows @va from the root down to a leaf or to an entry that is not present. */
struct pt_entry pt_walk(struct pagetable *pt, uint64_t va);

/* The frame mapped at @va, superpages taken apart; INVALID_MFN if none is. */
mfn_t pt_mfn(struct pagetable *pt, uint64_t va);

/*
 * Maps @mfn at @va (4 KiB) with rights @flags (PTE_RO, PTE_RW, PTE_RX), making tables as needed.
 * -EEXIST if something is mapped there, -ENOMEM without a frame for a table, or Xen's errno.
 */
int pt_map(struct pagetable *pt, uint64_t va, mfn_t mfn, uint64_t flags) __must_check;

/*
 * Makes the tables that mappings in [@start, @end) need, down to level 1, so that whoever makes
 * those mappings by a hypercall of its own finds them. -ENOMEM or Xen's errno; what was made stays,
 * for pt_drop_tables.
 */
int pt_make_tables(struct pagetable *pt, uint64_t start, uint64_t end) __must_check;

/*
 * Gives back the tables at levels 1 and 2 for [@start, @end) in which nothing is left, and flushes
 * if there was one. Nothing happens if @start is @end or above. The 512 GiB slot that they are in
 * must be ours alone, and no superpage in it.
 */
void pt_drop_tables(struct pagetable *pt, uint64_t start, uint64_t end);

/* Changes the rights of the mapped page at @va, and flushes it. -ENOENT if none is mapped. */
int pt_protect(struct pagetable *pt, uint64_t va, uint64_t flags) __must_check;

/* Removes the 4 KiB mapping at @va, flushes it, and returns its frame in *@mfn. */
int pt_unmap(struct pagetable *pt, uint64_t va, mfn_t *mfn) __must_check;

/* Forgets all that the CPU has cached of the tables. Needed after a write above level 1. */
void pt_flush(void);

/*
 * Makes @l3 what the root has for the 512 GiB around @va, and flushes. It is pinned first, so that
 * all of Xen's checks come before the one write: on failure nothing has changed.
 */
int pt_hook(struct pagetable *pt, uint64_t va, mfn_t l3) __must_check;

/* Pins @table as a level @level table, or unpins it: Xen checks it all now, not when hooked. */
int pt_pin(mfn_t table, unsigned int level) __must_check;
int pt_unpin(mfn_t table) __must_check;

#endif
