/* SPDX-License-Identifier: MIT */
/*
 * A set of PFNs, kept as runs. The set says nothing about frames: mm/frame_pool.h uses one for the
 * PFNs whose frames are free, xen/balloon.h uses one for the RAM PFNs that have no frame.
 *
 *      PFN   4         10        14        20
 *      set   |#########|.........|#########|......
 *      runs  [ 4, 10 )           [ 14, 20 )            after adding [ 10, 14 ): one run, [ 4, 20 )
 *
 * The array is sorted by PFN. Runs are half-open, never empty, never overlap and never touch, so
 * each set has exactly one representation. A search is a bisection. Adding or removing PFNs moves
 * the array's tail, so the cost grows with the number of runs, not with the number of PFNs.
 */
#ifndef MM_PFN_RUNS_H
#define MM_PFN_RUNS_H

#include "arch/x86/page.h"

/* PFNs [start, end). */
struct pfn_run {
    uint64_t start, end;
};

struct pfn_runs {
    struct pfn_run *runs; /* the caller's array; see above for its order */
    size_t nr_runs, cap_runs;
    uint64_t nr_pfns; /* in all runs together */
};

/* Makes @s the empty set. @runs, of @cap_runs elements, stays the caller's and must outlive @s. */
void pfn_runs_init(struct pfn_runs *s, struct pfn_run *runs, size_t cap_runs);

/* Copies the runs to @runs and uses that array from then on. @cap_runs is at least nr_runs. */
void pfn_runs_set_array(struct pfn_runs *s, struct pfn_run *runs, size_t cap_runs);

/*
 * Adds the PFNs [@start, @end). Returns 0; -EEXIST if one of them is in the set; -ENOMEM if the
 * PFNs need a new run and the array is full. The set is unchanged after an error.
 */
int pfn_runs_add(struct pfn_runs *s, uint64_t start, uint64_t end) __must_check;

/*
 * Removes those PFNs of [@start, @end) that are in the set. Returns 0; -ENOMEM if a run would have
 * to be split and the array is full: then the set is unchanged.
 */
int pfn_runs_remove(struct pfn_runs *s, uint64_t start, uint64_t end) __must_check;

/* Removes all PFNs. */
void pfn_runs_clear(struct pfn_runs *s);

/* Is @pfn in the set? False for INVALID_ENTRY. */
bool pfn_runs_has(const struct pfn_runs *s, pfn_t pfn);

/* The lowest contiguous part of [@start, @end) that is in the set; an empty run if none is. */
struct pfn_run pfn_runs_find(const struct pfn_runs *s, uint64_t start, uint64_t end);

/*
 * Removes up to @max PFNs from the top of the highest run, and returns them. An empty run if the
 * set is empty or @max is 0.
 */
struct pfn_run pfn_runs_pop(struct pfn_runs *s, uint64_t max) __must_check;

#endif
