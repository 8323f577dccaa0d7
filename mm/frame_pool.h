/* SPDX-License-Identifier: MIT */
/*
 * Frames of this domain that nobody uses. None of them is mapped anywhere, so each can at once
 * become a page table, be mapped writable, or be given back to Xen.
 *
 * The pool is a sorted array of runs of PFNs, since free memory is few long runs: its cost grows
 * with the number of holes, not of pages. Frames are taken from the top.
 */
#ifndef MM_FRAME_POOL_H
#define MM_FRAME_POOL_H

#include "mm/plan.h"

struct pfn_run {
    uint64_t start, end;
};

struct frame_pool {
    struct pfn_run *runs; /* ascending, disjoint, none empty, none touching the next */
    size_t nr_runs, cap_runs;
    uint64_t nr_free;
    uint64_t nr_requests;  /* that were ever made */
    uint64_t fail_at;      /* tests: the request of this number is refused; 0: none is */
    const struct p2m *p2m; /* where a PFN's frame is looked up */
    const struct m2p *m2p; /* and a frame's PFN                 */
};

/* An empty pool whose runs are kept in @runs. */
void frame_pool_init(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs,
                     const struct p2m *p2m, const struct m2p *m2p);

/* Moves the runs into a larger array, which may be on the heap: the pool may grow from then on. */
void frame_pool_set_array(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs);

/*
 * Adds the PFNs [@start, @end), which the caller no longer uses or maps. -EEXIST if one of them is
 * free already, -ENOMEM if they would be a run of their own and the array is full: then they stay
 * the caller's.
 */
int frame_pool_add(struct frame_pool *f, uint64_t start, uint64_t end) __must_check;

/* Takes the PFNs [@start, @end) out of the pool, those of them that are in it. -ENOMEM as above. */
int frame_pool_exclude(struct frame_pool *f, uint64_t start, uint64_t end) __must_check;

/* Gives back one frame. As frame_pool_add; the PFN comes from the M2P, -EINVAL if it knows none. */
int frame_pool_free(struct frame_pool *f, mfn_t mfn) __must_check;

/* Is @pfn free? */
bool frame_pool_has(const struct frame_pool *f, pfn_t pfn);

/* Takes a frame, with whatever it holds. -ENOMEM if there is none. */
int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn) __must_check;

/* Takes up to @max PFNs that follow each other. An empty run if there is none. */
struct pfn_run frame_pool_alloc_run(struct frame_pool *f, uint64_t max) __must_check;

/*
 * Moves @nr frames into the empty pool @reserve, or fails with -ENOMEM and moves none. A task that
 * must not run out half way reserves all it needs first. The array of @reserve must be as large
 * as this pool's.
 */
int frame_pool_reserve(struct frame_pool *f, uint64_t nr, struct frame_pool *reserve) __must_check;

/* Goes through the frames of a pool without taking them. Begins as {.frame_pool = pool}. */
struct frame_cursor {
    const struct frame_pool *frame_pool;
    uint64_t nr_done, run; /* frames of run number @run that are done */
};

/* The next frame; -ENOMEM behind the last one. */
int frame_pool_next(struct frame_cursor *c, mfn_t *mfn) __must_check;

/* Forgets all that is in @reserve: its frames are in use now. */
void frame_pool_spend(struct frame_pool *reserve);

/* Gives back all that is in @reserve, which is empty then. */
int frame_pool_release(struct frame_pool *f, struct frame_pool *reserve) __must_check;

/* The plan was carried out: free PFNs in holes have their new numbers. */
int frame_pool_renumber(struct frame_pool *f, const struct plan *plan) __must_check;

#endif
