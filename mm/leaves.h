/* SPDX-License-Identifier: MIT */
/*
 * The leaves of the new P2M list, as runs of leaves of one kind. A leaf is one page of the list:
 * 512 entries (p2m.h).
 *
 *      builder's list   | 0   1   2   3   4 |                    leaf 2 lies in a hole
 *      new list         | 0   1 | N | 3   4 | 2   | new | N   N |
 *      kind               OLD    NONE OLD     OLD   NEW   NONE
 *      from               0           3       2
 *
 * A leaf without any RAM is NONE: all NONE leaves are one shared page full of ~0. The runs are
 * computed from the plan and its map and never stored, so the cost depends on the number of holes
 * and not on the length of the list.
 */
#ifndef MM_LEAVES_H
#define MM_LEAVES_H

#include "mm/plan.h"

enum leaf_kind {
    LEAF_OLD, /* a page of the builder's list             */
    LEAF_NEW, /* PFNs of RAM past that list: a new page   */
    LEAF_NONE /* no PFN of RAM: the shared page of ~0     */
};

/* Leaves [start, end) of the new list. For LEAF_OLD they are the builder's leaves from @from on. */
struct leaf_run {
    uint64_t start, end, from;
    enum leaf_kind kind;
};

/* The run that starts at leaf @at. It ends at the end of the list or earlier. */
struct leaf_run leaves_at(const struct plan *plan, uint64_t at);

/* The number of leaves of @kind in the whole list. */
uint64_t leaves_count(const struct plan *plan, enum leaf_kind kind);

/* Is each leaf of [@start, @end) LEAF_NONE? @end is at most the number of leaves of the list. */
bool leaves_none(const struct plan *plan, uint64_t start, uint64_t end);

#endif
