/* SPDX-License-Identifier: MIT */
/*
 * Sweeps: a self-test visits all PFNs, or all leaves of the P2M list, in ascending order:
 *
 *      for (uint64_t i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1))
 *
 * If the speed so far says that all indices would take more than 20 seconds, the rest of the sweep
 * visits samples, and prints that:
 *
 *      |#################|.#...|#.|...#.|..#..|.#...|#....|...#.|  |  |
 *       every index             ^ on both sides of each boundary between PFN ranges, and between
 *                                 the PFNs of two level 1 tables of the P2M list; and one random
 *                                 sample, the same in every run, in each of 2^20 equal parts
 *
 * With test=...,full on the command line every index is visited.
 *
 * A sweep may pass over indices that need no visit (sweep_pass_over): those of a level 1 table of
 * the P2M list that is also the table before it. A hole of 70 TiB has 2^34 PFNs, but one such
 * table.
 */
#ifndef KERNEL_SELFTEST_SWEEP_H
#define KERNEL_SELFTEST_SWEEP_H

#include "mm/list_tables.h"

#include "kernel/progress.h"

#define SWEEP_SAMPLES     ((uint64_t)1 << 20)
#define SWEEP_MAX_SECONDS 20

/*
 * The first PFN from @pfn on that needs a visit, as list_tables_pass() returns: @pfn, or the start
 * of a later table.
 */
typedef uint64_t (*sweep_pass_t)(void *context, uint64_t pfn);

struct sweep {
    const struct ranges *map;
    uint64_t nr;        /* number of indices */
    unsigned int shift; /* an index stands for 1 << shift PFNs */
    bool full;          /* visit every index */
    bool sampled;       /* from now on, visit samples */
    uint64_t pause;     /* sweep_next calls sweep_stop at indices from here on; 0 if sampled */
    uint64_t nr_stops;  /* calls of sweep_stop */
    sweep_pass_t pass;  /* NULL: no index is passed over */
    void *context;      /* for @pass */
    uint64_t visited;   /* the start of the last table that @pass said to visit */
    uint64_t nr_over;   /* indices of the sweep that @pass passes over */
    uint64_t nr_passed; /* those of them that have been passed over so far */
    struct progress progress;
};

/*
 * Starts a sweep over the indices [0, @nr), each for 1 << @shift PFNs of @map. @what and @unit are
 * for the progress lines (kernel/progress.h). @map and both texts must outlive the sweep.
 */
void sweep_start(struct sweep *s, const struct ranges *map, uint64_t nr, unsigned int shift,
                 const char *what, const char *unit);

/* Passes over the indices that @pass passes over. Called once, before the first sweep_next. */
void sweep_pass_over(struct sweep *s, sweep_pass_t pass, void *context);

/* Visits samples from index @at on, and prints that. */
void sweep_sample(struct sweep *s, uint64_t at);

/* The slow path of sweep_next: reads the clock, or looks for the next sample. */
uint64_t sweep_stop(struct sweep *s, uint64_t at);

/* Returns the first index from @at on to visit, or nr if there is none. */
static inline uint64_t sweep_next(struct sweep *s, uint64_t at)
{
    return at < s->pause ? at : sweep_stop(s, at);
}

#endif
