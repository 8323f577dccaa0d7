/* SPDX-License-Identifier: MIT */
/*
 * The balloon: frames go back to Xen and come from it, while the domain runs.
 *
 *      pool   free frames, with a PFN and an MFN     -- out -->   give back to Xen
 *      empty  RAM PFNs that have no frame             <-- in --   ask Xen for some
 *
 * Only frames that nobody uses are given up, and only PFNs that the map calls RAM, and that the
 * list has room for, get one. The list's mapping never changes, so a migration may go on meanwhile.
 */
#ifndef XEN_BALLOON_H
#define XEN_BALLOON_H

#include "mm/fixmap.h"
#include "mm/frame_pool.h"

/* Free frames that stay in the pool, for tables and for whoever asks next. */
#define BALLOON_RESERVE 128

struct balloon {
    struct p2m *p2m;
    struct frame_pool *pool;
    struct fixmap *fixmap; /* which may show a free frame still */
    struct pfn_runs empty; /* RAM PFNs without a frame */
    uint64_t nr_pages;     /* that the domain has */
};

/*
 * Begins with the @nr_pages that the builder gave, on the PFNs that @plan gave them. What else of
 * the list is RAM is empty; so are PFNs that the builder left without a frame, of which nothing is
 * known here. @runs is for the set. -ENOMEM if it is too small.
 */
int balloon_start(struct balloon *b, const struct plan *plan, struct pfn_run *runs,
                  size_t cap_runs) __must_check;

/* Called now and then with how many pages the domain has. */
typedef void (*balloon_tick_t)(void *context, uint64_t nr_pages);

/*
 * Moves towards @target pages, in batches; @b->nr_pages is where that ended. Returns 0 there, or
 * as near as can be: above, if the frames are in use; below, if the list is full or Xen gives no
 * more. Negative if the books cannot be kept: -ENOMEM, or a hypercall's error; what is not moved
 * is where it was then.
 */
int balloon_move(struct balloon *b, uint64_t target, balloon_tick_t tick,
                 void *context) __must_check;

/*
 * After a live migration a PFN that was emptied while it went on may have a frame again, since the
 * tools never take one back. Gives those back to Xen, or, if Xen will not have one, to the pool.
 * How many there were comes back in *@nr_found.
 */
int balloon_reconcile(struct balloon *b, uint64_t *nr_found) __must_check;

#endif
