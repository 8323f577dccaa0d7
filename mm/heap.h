/* SPDX-License-Identifier: MIT */
/*
 * The heap: memory for the kernel's own data, in whole pages, zeroed, writable, not executable.
 *
 *      HEAP_BASE  [ a a a ][ guard ][ b ][ guard ][ c c ] ...  addresses ascend; none is reused
 *
 * Page tables are made when an address needs them. Addresses are not reused, so a level 1 or level
 * 2 table that has become empty is returned to the frame pool; only the level 1 table of the next
 * allocation is kept.
 *
 * The address of a heap page does not tell its PFN: the first allocations are made before the
 * memory map is known, and a frame whose PFN lies in a hole is renumbered later. pt_mfn
 * (pagetable.h) and m2p_get (p2m.h) give the frame and the PFN of a heap page.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include "mm/pagetable.h"

struct heap {
    struct pagetable *pt;
    uint64_t next; /* the address of the next allocation */
};

/* Makes an empty heap at @base, the start of a level 4 slot in which nothing is mapped. */
void heap_init(struct heap *h, struct pagetable *pt, uint64_t base);

/*
 * Allocates @len_bytes, rounded up to pages. The memory is the caller's until heap_free. NULL if
 * the frame pool has too few frames: then no page is allocated, and no page table is kept but those
 * of the first page.
 */
void *heap_alloc(struct heap *h, uint64_t len_bytes) __must_check;

/*
 * Maps the frame @mfn, which is not from the pool, with @flags (PTE_RO or PTE_RW); for example
 * shared_info, which is Xen's frame. The frame stays its owner's. NULL if Xen refuses the mapping
 * or no frame is free for a table. heap_unmap() removes the mapping.
 */
void *heap_map(struct heap *h, mfn_t mfn, uint64_t flags) __must_check;

/*
 * Unmaps one page of the heap, from heap_map or heap_alloc, and frees the page tables that have
 * become empty. *@mfn is the frame, which is the caller's; the page must not be passed to
 * heap_free. Returns 0; -ENOENT if @page is not mapped; or Xen's negative errno.
 */
int heap_unmap(struct heap *h, void *page, mfn_t *mfn) __must_check;

/*
 * Frees the memory at @page that heap_alloc returned for the same @len_bytes, and the page tables
 * that have become empty. @page may be NULL. Panics if a page is not mapped.
 */
void heap_free(struct heap *h, void *page, uint64_t len_bytes);

#endif
