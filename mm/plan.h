/* SPDX-License-Identifier: MIT */
/*
 * The plan: which frames must get new PFNs, and how many entries the new P2M list has. This file
 * only computes; revector.h and renumber.h carry the plan out.
 *
 * The builder numbers a domain's frames 0 to nr_pages - 1 without regard to the memory map. A frame
 * whose PFN lies in a hole of the map gets a PFN of RAM above nr_pages, so that the PFNs of the
 * hole can be identity. No frame is lost or copied.
 *
 *      builder   [ frames 0 .......................... nr_pages )
 *      map       [ RAM       |  hole  |      RAM                     |  ...
 *      result    [ frames    |   ~0   |  frames       | renumbered | room to grow, ~0 )
 *                                                                              list_end
 *
 * A hole that covers whole leaves of the P2M list (p2m.h) moves these leaves to another place in
 * the list: one page-table entry instead of 512 P2M entries. The old and the new PFNs must then be
 * congruent modulo 512. The entries at the edges of a hole are moved one by one.
 */
#ifndef MM_PLAN_H
#define MM_PLAN_H

#include "mm/p2m.h"

/*
 * The P2M list of a dom0 has room for at most this multiple of the dom0's initial pages, if Xen's
 * limit is higher or absent. The room costs 8 bytes for each page: 2 % of the initial memory.
 */
#define PLAN_GROWTH_RATIO 10

/*
 * The nr_max of plan_make for a dom0 of @nr_pages whose limit in Xen is @limit pages. @map is the
 * machine's, and Xen has only the RAM below MFN @ram_end: it ignores RAM above what its tables
 * cover, and the map that it shows to dom0 may call that RAM all the same.
 */
static inline uint64_t plan_dom0_max(const struct ranges *map, uint64_t nr_pages, uint64_t limit,
                                     uint64_t ram_end)
{
    return min_u64(min_u64(limit, nr_pages * PLAN_GROWTH_RATIO),
                   ranges_count(map, RANGE_RAM, ram_end));
}

/* The frames of the PFNs [from, from + nr) get the PFNs [to, to + nr). */
struct move {
    uint64_t from, to, nr; /* PFNs */
    bool leaves;           /* whole leaves: all three are multiples of P2M_PER_PAGE  */
    size_t next_leaves;    /* index of the first move with @leaves, from this one on */
};

struct plan {
    const struct ranges *map;
    struct move *moves; /* the caller's array; ascending in @from and in @to */
    size_t nr_moves, cap_moves;
    uint64_t nr_pages; /* entries of the builder's list                       */
    uint64_t nr_moved; /* frames that get a new PFN                           */
    uint64_t list_end; /* entries of the new list; a multiple of P2M_PER_PAGE */
};

/* The number of moves that a map of @nr_ranges can need. */
#define PLAN_MAX_MOVES(nr_ranges) (6 * (nr_ranges) + 6)

/*
 * Fills @plan for a domain of @nr_pages whose list must have room for @nr_max pages, as far as @map
 * has RAM. The caller has set @plan->moves and cap_moves; @map must outlive the plan. Returns 0;
 * -ENOMEM if the RAM of the map has fewer PFNs than @nr_pages, or @moves is too small.
 */
int plan_make(struct plan *plan, const struct ranges *map, uint64_t nr_pages,
              uint64_t nr_max) __must_check;

/*
 * The index of the first move whose old PFNs (from), or new PFNs (to), end above @pfn; nr_moves if
 * there is none. A bisection.
 */
size_t plan_first_from(const struct plan *plan, uint64_t pfn);
size_t plan_first_to(const struct plan *plan, uint64_t pfn);

/* The PFN after renumbering of the frame whose PFN was @pfn. */
pfn_t plan_renumbered(const struct plan *plan, pfn_t pfn);

#endif
