/* SPDX-License-Identifier: MIT */
/*
 * The frame pool: the free frames of this domain.
 *
 *      pool       PFNs  [ 0x200, 0x3f0 )  [ 0x1000, 0x8000 )       pfn_runs.h
 *                          |                         ^
 *                          | P2M (alloc)             | M2P (free)
 *                          v                         |
 *      the caller's   MFN 0x5a10                MFN 0x77f2
 *
 * A free frame is mapped nowhere. It can at once become a page table (Xen allows that only for a
 * frame that nobody maps writable), be mapped writable, or be given back to Xen. The pool keeps
 * PFNs; callers get and give MFNs. Frames are taken from the highest PFN downwards.
 */
#ifndef MM_FRAME_POOL_H
#define MM_FRAME_POOL_H

#include "mm/pfn_runs.h"
#include "mm/plan.h"

struct frame_pool {
    struct pfn_runs free;
    uint64_t nr_requests;  /* calls of alloc and reserve so far                           */
    uint64_t fail_at;      /* tests: the request of this number fails (-ENOMEM); 0: none  */
    const struct p2m *p2m; /* gives the frame of a PFN                                    */
    const struct m2p *m2p; /* gives the PFN of a frame                                    */
};

/* Makes an empty pool. @runs, of @cap_runs elements, stays the caller's and outlives the pool. */
void frame_pool_init(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs,
                     const struct p2m *p2m, const struct m2p *m2p);

/*
 * Moves the runs into the larger array @runs, which may be on the heap: then the number of runs is
 * no longer limited by the image. The old array is the caller's again.
 */
void frame_pool_set_array(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs);

/*
 * Adds the frames of the PFNs [@start, @end), which the caller no longer uses or maps. Returns 0;
 * -EEXIST if one of them is free already; -ENOMEM if they need a new run and the array is full. On
 * error the frames stay the caller's.
 */
int frame_pool_add(struct frame_pool *f, uint64_t start, uint64_t end) __must_check;

/*
 * Takes those PFNs of [@start, @end) out of the pool that are in it. Returns 0; -ENOMEM if a run
 * must be split and the array is full: then the pool is unchanged.
 */
int frame_pool_exclude(struct frame_pool *f, uint64_t start, uint64_t end) __must_check;

/*
 * Gives back one frame. Its PFN comes from the M2P: -EINVAL if the M2P has none. Other errors are
 * those of frame_pool_add.
 */
int frame_pool_free(struct frame_pool *f, mfn_t mfn) __must_check;

/* Is the frame of @pfn free? */
bool frame_pool_has(const struct frame_pool *f, pfn_t pfn);

/* Takes one frame; its contents are not cleared. -ENOMEM if no frame is free. */
int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn) __must_check;

/* Takes up to @max contiguous PFNs with their frames. An empty run if no frame is free. */
struct pfn_run frame_pool_alloc_run(struct frame_pool *f, uint64_t max) __must_check;

/*
 * Moves @nr frames into the empty pool @reserve, or moves none and returns -ENOMEM. A task that
 * must not run out of frames half-way reserves all of them first. The array of @reserve must be at
 * least as large as that of this pool.
 */
int frame_pool_reserve(struct frame_pool *f, uint64_t nr, struct frame_pool *reserve) __must_check;

/* Visits the frames of a pool in PFN order and takes none. Begins as {.frame_pool = pool}. */
struct frame_cursor {
    const struct frame_pool *frame_pool;
    uint64_t nr_done, run; /* @nr_done frames of run number @run were visited */
};

/* Returns the next frame in *@mfn, or -ENOMEM after the last one. */
int frame_pool_next(struct frame_cursor *c, mfn_t *mfn) __must_check;

/* Empties @reserve without giving its frames back: they are in use now. */
void frame_pool_spend(struct frame_pool *reserve);

/* Moves all frames of @reserve back into @f. Errors are those of frame_pool_add. */
int frame_pool_release(struct frame_pool *f, struct frame_pool *reserve) __must_check;

/*
 * After the frames of @plan's moves got their new PFNs (renumber.h): replaces the old PFNs in the
 * pool by the new ones. Errors are those of frame_pool_add and frame_pool_exclude.
 */
int frame_pool_renumber(struct frame_pool *f, const struct plan *plan) __must_check;

#endif
