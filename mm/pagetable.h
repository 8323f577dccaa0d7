/* SPDX-License-Identifier: MIT */
/*
 * The page tables of this domain. They are read through the fixmap and written by hypercall
 * (HYPERVISOR_mmu_update of <xen/xen.h>): Xen counts every reference that an entry makes, and
 * allows no writable mapping of a page table.
 *
 *      level       4 (root)             3          2          1
 *      table       [ 0 .. 511 ]   ->  [ .. ] -> [ .. ] -> [ .. ] -> page
 *      one entry   512 GiB            1 GiB     2 MiB     4 KiB
 */
#ifndef MM_PAGETABLE_H
#define MM_PAGETABLE_H

#include "mm/fixmap.h"
#include "mm/frame_pool.h"

struct pagetable {
    mfn_t root; /* the level 4 table in CR3 */
    struct fixmap *fixmap;
    struct frame_pool *frame_pool; /* frames of new tables; freed tables go back there */
    uint64_t nr_tables;            /* tables made here and not yet freed               */
};

/* The entry at which a walk ended: it maps the address, or it is not present. */
struct pt_entry {
    unsigned int level; /* the level of its table, 1 to 4      */
    mfn_t table;        /* the table                           */
    unsigned int index; /* its index in the table, 0 to 511    */
    uint64_t pte;       /* its value                           */
};

/*
 * Maps the table @table at @level read-only in the fixmap. The address is valid until another table
 * of that level is read. Panics if Xen refuses.
 */
const volatile uint64_t *pt_show(struct pagetable *pt, mfn_t table, unsigned int level);

/* Reads entry @index of the table @table at @level. Panics if Xen refuses to map the table. */
uint64_t pt_read(struct pagetable *pt, mfn_t table, unsigned int level, unsigned int index);

/*
 * Writes entry @index of @table by mmu_update (MMU_NORMAL_PT_UPDATE). Flushes no TLB. Returns 0 or
 * Xen's negative errno: then the entry is unchanged.
 */
int pt_write(mfn_t table, unsigned int index, uint64_t pte) __must_check;

/* Walks from the root to the entry that maps @va, or to an entry on the way that is not present. */
struct pt_entry pt_walk(struct pagetable *pt, uint64_t va);

/* The 4 KiB frame mapped at @va, also inside a superpage; INVALID_MFN if none is mapped. */
mfn_t pt_mfn(struct pagetable *pt, uint64_t va);

/*
 * Maps the frame @mfn at @va (4 KiB) with @flags (PTE_RO, PTE_RW, PTE_RX), and makes the tables
 * that are missing. Returns 0; -EINVAL if @mfn does not fit a page-table entry; -EEXIST if @va is
 * mapped; -ENOMEM without a free frame for a table; or Xen's negative errno. Tables made before an
 * error stay, for pt_drop_tables.
 */
int pt_map(struct pagetable *pt, uint64_t va, mfn_t mfn, uint64_t flags) __must_check;

/*
 * Makes the tables that mappings in [@start, @end) need, down to level 1. Xen needs the level 1
 * table for a mapping that it makes itself (GNTTABOP_map_grant_ref of <xen/grant_table.h>). Returns
 * 0, -ENOMEM or Xen's negative errno. Tables made before an error stay, for pt_drop_tables.
 */
int pt_make_tables(struct pagetable *pt, uint64_t start, uint64_t end) __must_check;

/*
 * Frees the level 1 and level 2 tables for [@start, @end) that are empty, and flushes the TLB if
 * there was one. Does nothing if @end is not above @start. The level 4 slot must have no superpages
 * and no tables of the builder. Panics if Xen refuses.
 */
void pt_drop_tables(struct pagetable *pt, uint64_t start, uint64_t end);

/*
 * Sets the flags of the 4 KiB mappings in [@start, @end), page-aligned, and flushes the TLB of this
 * vCPU. Returns 0; -ENOENT if a page has no 4 KiB mapping; or Xen's negative errno. After an error
 * some of the mappings below the failed one have the new flags.
 */
int pt_protect(struct pagetable *pt, uint64_t start, uint64_t end, uint64_t flags) __must_check;

/*
 * Removes the 4 KiB mapping at @va, and flushes @va from the TLB. *@mfn is the frame, which is the
 * caller's again. Returns 0; -ENOENT if @va has no 4 KiB mapping; or Xen's negative errno.
 */
int pt_unmap(struct pagetable *pt, uint64_t va, mfn_t *mfn) __must_check;

/* Flushes this vCPU's TLB and paging-structure caches: needed after a write above level 1. */
void pt_flush(void);

/*
 * Sets the level 4 entry for @va to the level 3 table @l3, and flushes the TLB. Pins @l3 before, so
 * that Xen validates the whole tree before the write, and unpins it after. Returns 0 or Xen's
 * negative errno: then the level 4 entry is unchanged.
 */
int pt_hook(struct pagetable *pt, uint64_t va, mfn_t l3) __must_check;

/*
 * Pins @table as a table of @level 1 to 4 (MMUEXT_PIN_L1_TABLE .. of <xen/xen.h>): Xen validates
 * the table and all below it now and keeps its type. pt_unpin removes the pin. 0 or Xen's errno.
 */
int pt_pin(mfn_t table, unsigned int level) __must_check;
int pt_unpin(mfn_t table) __must_check;

#endif
