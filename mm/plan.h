/* SPDX-License-Identifier: MIT */
/*
 * The plan: which PFNs must be renumbered, and how long the list becomes. Pure arithmetic on
 * ranges; nothing is touched.
 *
 * The builder numbers a domain's frames 0 to nr_pages without looking at the memory map. Frames
 * whose number falls into a hole of the map get a number in RAM above nr_pages instead, so that
 * the hole can be what it is on the machine. No frame is lost, none is copied.
 *
 *      builder   [ frames 0 .......................... nr_pages )
 *      map       [ RAM       |  hole  |      RAM                     |  ...
 *      result    [ frames    |        |  frames       | renumbered | room to grow ]
 *                                                                              list_end
 *
 * Where a hole covers whole leaves of the list (512 entries), the leaf itself is given another
 * place in the list, which takes source and target that agree modulo 512; what is left at the
 * edges is moved entry by entry.
 */
#ifndef MM_PLAN_H
#define MM_PLAN_H

#include "mm/p2m.h"

/*
 * A dom0's list has room for as much as this multiple of its initial size, when the limit that Xen
 * names is higher or there is none: 8 bytes a page, so 2 % of initial memory.
 */
#define PLAN_GROWTH_RATIO 10

static inline uint64_t plan_dom0_max(uint64_t nr_pages, uint64_t limit)
{
    return min_u64(limit, nr_pages * PLAN_GROWTH_RATIO);
}

/* [from, from + nr) is renumbered [to, to + nr). */
struct move {
    uint64_t from, to, nr; /* PFNs */
    bool leaves;           /* whole leaves: all three are multiples of P2M_PER_PAGE */
    size_t next_leaves;    /* the first move from here on that is of whole leaves   */
};

struct plan {
    const struct ranges *map;
    struct move *moves; /* the caller's array, ascending in from and in to */
    size_t nr_moves, cap_moves;
    uint64_t nr_pages; /* entries of the builder's list                      */
    uint64_t nr_moved; /* frames that change their number                    */
    uint64_t list_end; /* entries of the new list, a multiple of P2M_PER_PAGE */
};

/* How many moves a table of @nr_ranges can ask for. */
#define PLAN_MAX_MOVES(nr_ranges) (6 * (nr_ranges) + 6)

/*
 * Fills @plan for a domain of @nr_pages that may grow to @nr_max pages, as far as @map has RAM.
 * -ENOMEM if the map has less room for RAM than the domain has pages.
 */
int plan_make(struct plan *plan, const struct ranges *map, uint64_t nr_pages,
              uint64_t nr_max) __must_check;

/*
 * The first move whose @from ends above @pfn, or whose @to does; nr_moves if none does. By
 * bisection.
 */
size_t plan_first_from(const struct plan *plan, uint64_t pfn);
size_t plan_first_to(const struct plan *plan, uint64_t pfn);

/* The number that the builder's @pfn has once the plan is carried out. */
pfn_t plan_renumbered(const struct plan *plan, pfn_t pfn);

#endif
