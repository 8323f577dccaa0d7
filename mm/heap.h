/* SPDX-License-Identifier: MIT */
/*
 * Memory for the kernel's own data: whole pages, writable, never executable, zeroed.
 *
 *      HEAP_BASE  [ a a a ][ guard ][ b ][ guard ][ c c ] ...  upward, addresses are not used twice
 *
 * Page tables are made as addresses need them. Since addresses are not used twice, a level 1 or
 * level 2 table in which nothing is left is given back to the pool; only the level 1 table that the
 * next allocation needs is kept.
 *
 * An address says nothing of the PFN behind it, on purpose: the first allocations are made before
 * the memory map is known, and a frame that turns out to lie in a hole gets another number. Who
 * needs the PFN of such a page asks the M2P.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include "mm/pagetable.h"

struct heap {
    struct pagetable *pt;
    uint64_t next; /* the lowest address not handed out yet */
};

/* An empty heap from @base on, the start of a level 4 slot in which nothing is mapped yet. */
void heap_init(struct heap *h, struct pagetable *pt, uint64_t base);

/*
 * Returns @len_bytes rounded up to pages, or NULL if frames ran out; then no page is taken, and no
 * table beyond those of the first page.
 */
void *heap_alloc(struct heap *h, uint64_t len_bytes) __must_check;

/*
 * Maps one frame that is not the pool's, and perhaps not ours, as shared_info, with rights @flags
 * (PTE_RO, PTE_RW). NULL: refused. heap_unmap() undoes it.
 */
void *heap_map(struct heap *h, mfn_t mfn, uint64_t flags) __must_check;

/*
 * Unmaps one page of the heap, from heap_map or of what heap_alloc returned, and gives back the
 * page tables in which nothing is left. The frame, *@mfn, is the caller's from now on, and the page
 * must not be passed to heap_free. -ENOENT if nothing is mapped there, or Xen's errno.
 */
int heap_unmap(struct heap *h, void *page, mfn_t *mfn) __must_check;

/*
 * Gives back what heap_alloc returned for the same @len_bytes, and the page tables in which nothing
 * is left. NULL is allowed. Panics if a page of it is not mapped.
 */
void heap_free(struct heap *h, void *page, uint64_t len_bytes);

#endif
