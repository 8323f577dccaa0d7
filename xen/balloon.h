/* SPDX-License-Identifier: MIT */
/*
 * The balloon: gives frames to Xen and gets frames from Xen while the domain runs
 * (XENMEM_decrease_reservation and XENMEM_populate_physmap of <xen/memory.h>).
 *
 *   set     members                    a PFN leaves it by
 *   pool    PFNs whose frame is free   decrease_reservation, to empty: the frame goes to Xen
 *   empty   RAM PFNs without a frame   populate_physmap, to pool: the frame comes from Xen
 *
 * Only free frames are given to Xen. Only PFNs of RAM ranges that have an entry in the P2M list get
 * a frame. The page tables of the P2M list do not change, so a live migration may be in progress.
 */
#ifndef XEN_BALLOON_H
#define XEN_BALLOON_H

#include "mm/fixmap.h"
#include "mm/frame_pool.h"

/* The number of free frames that the balloon leaves in the pool, for page tables and other uses. */
#define BALLOON_RESERVE 128

struct balloon {
    struct p2m *p2m;
    struct frame_pool *pool;
    struct fixmap *fixmap; /* a slot may still map a free frame */
    struct pfn_runs empty; /* RAM PFNs without a frame          */
    uint64_t nr_pages;     /* frames of this domain             */
};

/*
 * Starts with the frames of the builder, at their PFNs after @plan. All other RAM PFNs of the P2M
 * list are empty. The caller has set p2m, pool and fixmap of @b. @runs, of @cap_runs elements, is
 * the array of the set and must outlive @b. Returns 0, or -ENOMEM if the array is too small.
 */
int balloon_start(struct balloon *b, const struct plan *plan, struct pfn_run *runs,
                  size_t cap_runs) __must_check;

/* Called after each batch with the number of frames of the domain. */
typedef void (*balloon_tick_t)(void *context, uint64_t nr_pages);

/*
 * Changes the number of frames towards @target, in batches of at most 512. On return @b->nr_pages
 * is the number reached. Returns 0 at the target or as close to it as possible: above it if the
 * other frames are in use; below it if no PFN is empty or Xen has no frame. Negative if a set has
 * no room for another run (-ENOMEM) or a P2M entry cannot be written; frames that did not move stay
 * where they were.
 */
int balloon_move(struct balloon *b, uint64_t target, balloon_tick_t tick,
                 void *context) __must_check;

/*
 * After a restore: finds the PFNs of the set empty that have a frame. A PFN that was emptied during
 * a live migration may have one, because Xen's tools never remove a page that they have sent. Gives
 * these frames to Xen, or to the pool if Xen refuses. *@nr_found is their number. Results as for
 * balloon_move.
 */
int balloon_reconcile(struct balloon *b, uint64_t *nr_found) __must_check;

#endif
