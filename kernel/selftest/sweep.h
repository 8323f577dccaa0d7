/* SPDX-License-Identifier: MIT */
/*
 * Sweeps: a self-test goes through all PFNs, or all pages of the list, in ascending order.
 *
 *      for (uint64_t i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1))
 *
 * Where that would take more than 20 seconds, which is seen from how far it has come, the rest of
 * the sweep takes samples, and says so:
 *
 *      |#################|.#...|#.|...#.|..#..|.#...|#....|...#.|  |  |
 *       all, as long as          ^ the PFNs at both sides of each edge of a range, and of what one
 *       that is fast enough        page table of the list describes; and one in each of a million
 *                                  equal parts, at a place that is random and always the same
 *
 * test=...,full on the command line sweeps all, however long that takes.
 */
#ifndef KERNEL_SWEEP_H
#define KERNEL_SWEEP_H

#include "mm/p2m.h"

#include "kernel/progress.h"

/* PFNs that one level 1 table of the list describes. */
#define SWEEP_TABLE_PFNS  (P2M_PER_PAGE * 512)
#define SWEEP_SAMPLES     ((uint64_t)1 << 20)
#define SWEEP_MAX_SECONDS 20

struct sweep {
    const struct ranges *map;
    uint64_t nr;        /* indices, of ...               */
    unsigned int shift; /* ... 1 << shift PFNs each      */
    bool full;          /* never to take samples         */
    bool sampled;       /* what is to come is samples    */
    uint64_t pause;     /* where to stop next, for the clock; 0: always, in search of a sample */
    uint64_t nr_stops;
    struct progress progress;
};

/*
 * Begins a sweep of [0, @nr), each index standing for 1 << @shift PFNs of @map. @what and @unit are
 * for the progress lines.
 */
void sweep_start(struct sweep *s, const struct ranges *map, uint64_t nr, unsigned int shift,
                 const char *what, const char *unit);

/* Takes samples from index @at on, and says so. */
void sweep_sample(struct sweep *s, uint64_t at);

/* What sweep_next does where the loop has to stop. */
uint64_t sweep_stop(struct sweep *s, uint64_t at);

/* The first index from @at on that is to be looked at; the number of them all if there is none. */
static inline uint64_t sweep_next(struct sweep *s, uint64_t at)
{
    return at < s->pause ? at : sweep_stop(s, at);
}

#endif
