/* SPDX-License-Identifier: MIT */
/*
 * How the new list is put together from leaves (pages of 512 entries): which of the builder's go
 * where, where new ones are needed, and where one shared page of ~0 will do. A sequence of runs,
 * computed from the plan and its map, never stored: a list of any length costs a few steps for
 * each hole.
 */
#ifndef MM_LEAVES_H
#define MM_LEAVES_H

#include "mm/plan.h"

enum leaf_kind {
    LEAF_OLD, /* a leaf of the builder's list           */
    LEAF_NEW, /* RAM space beyond it: a page of its own */
    LEAF_NONE /* no RAM at all: the shared page         */
};

/* Leaves [start, end) of the new list; if OLD, they are the builder's from @from on. */
struct leaf_run {
    uint64_t start, end, from;
    enum leaf_kind kind;
};

/* The run that begins at leaf @at, as far as it goes, but not past the end of the list. */
struct leaf_run leaves_at(const struct plan *plan, uint64_t at);

/* How many leaves of @kind the whole list has. */
uint64_t leaves_count(const struct plan *plan, enum leaf_kind kind);

/* Is every leaf in [@start, @end) the shared one? @end is at most the list's. */
bool leaves_none(const struct plan *plan, uint64_t start, uint64_t end);

#endif
