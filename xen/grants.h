/* SPDX-License-Identifier: MIT */
/*
 * The grant table: which of our pages which other domain may map, or copy (<xen/grant_table.h>).
 *
 *      table    frames of Xen's, mapped in the foreign window; 512 entries each (v1), or 256 (v2)
 *               [ 0 console | 1 xenstore | 2..7 reserved | 8 ours | 9 ours | ... ]
 *      status   v2 only: where Xen says that an entry is in use; in v1 it says so in the entry
 *      book     ours: for each entry the PFN behind it, or the next one that is free
 *
 * A grant names a frame by MFN. It is given by PFN, and the book keeps that: in a new domain, after
 * a restore, the same grants are entered again with the frames that those PFNs have then, for the
 * same domain numbers. Whether the peer of that number still is who it was, is for the owner of the
 * grant to know.
 *
 * The peer is hostile: it may keep a page mapped for ever. Then the grant cannot be ended, and the
 * page must not be used for anything else.
 */
#ifndef XEN_GRANTS_H
#define XEN_GRANTS_H

#include "mm/foreign.h"
#include "mm/heap.h"
#include "mm/p2m.h"

#include <xen/grant_table.h>

/* Frames of the table, at most: Xen's own default is 64, and a toolstack may allow more. */
#define GRANT_MAX_FRAMES 1024

struct grants {
    struct foreign_window *window;
    struct heap *heap;
    const struct p2m *p2m;
    struct frame_pool *pool; /* where a page goes whose grant has ended late */
    unsigned int version;    /* 1 or 2 */
    uint32_t nr_frames, max_frames;
    struct foreign_range *table, *status;
    struct foreign_owner owner;
    struct grant_note *book[GRANT_MAX_FRAMES]; /* one array for each of the table's frames */
    uint64_t nr_record_frames;                 /* frames of the heap that these take */
    uint32_t free, deferred;                   /* heads of lists */
    uint32_t nr_used, nr_deferred;
    mfn_t mfns[GRANT_MAX_FRAMES]; /* as Xen last named them: the table's, or the status frames */
};

/*
 * Sets the table up, with one frame, as @version 1 or 2; a Xen that has no version 2 gives 1, as
 * @g->version says then. What is needed of @g is set by the caller: window, heap, p2m, pool.
 * -ENOSYS if Xen has no grant tables for this domain, or its errno.
 */
int grants_start(struct grants *g, unsigned int version) __must_check;

/*
 * Lets @domain map and copy the page @pfn, or, @readonly, map it for reading and copy from it. Its
 * reference is *@ref. The table grows for it if it must. -ENOSPC: it may not grow any further;
 * -ENOMEM; -EINVAL: the PFN has no frame; -ERANGE: the frame's number is too large for version 1;
 * -ENOSYS: there is no table, or none any more since a suspend.
 */
int grant_access(struct grants *g, domid_t domain, pfn_t pfn, bool readonly,
                 uint32_t *ref) __must_check;

/* Is it mapped, or being copied, just now? True as well if that cannot be known without a table. */
bool grant_in_use(const struct grants *g, uint32_t ref);

/* Takes the grant back. -EBUSY while it is in use: then it still holds; -EINVAL: it is no grant. */
int grant_end(struct grants *g, uint32_t ref) __must_check;

/*
 * Takes it back now, or as soon as the peer has let go; no new use can begin, but beside a mapping
 * that there is. The page, which the caller no longer maps or uses, goes to the pool when the grant
 * has ended. -EINVAL as above.
 */
int grant_end_page(struct grants *g, uint32_t ref) __must_check;

/* Ends those of the deferred that can be ended now. Returns how many are left. */
uint32_t grants_poll(struct grants *g);

/* Copies by Xen, between pages of ours and granted ones: GNTST_* in each status. */
int grant_copy(struct gnttab_copy *ops, unsigned int nr) __must_check;

#endif
