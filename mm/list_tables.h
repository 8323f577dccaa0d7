/* SPDX-License-Identifier: MIT */
/*
 * The off-line half of revectoring: the new list's page tables, built in frames that are mapped
 * nowhere but in a window while they are filled.
 */
#ifndef MM_LIST_TABLES_H
#define MM_LIST_TABLES_H

#include "mm/revector.h"

/* How many frames the list of @plan takes for tables and for what its holes share. */
uint64_t list_tables_count(const struct plan *plan);

/*
 * Builds the tree that maps leaves as leaves_at() says, and returns its level 3 table in *@l3.
 * Old leaves' frames are read from the mapping at @r->p2m->list, which may be of any page size;
 * new ones, tables and the shared leaf (@out->none_leaf) are the first frames of @reserve, which
 * holds enough and is not changed.
 * The tables are mapped nowhere afterwards, and so are the new leaves, which hold garbage.
 * Returns 0, or -EPERM if Xen refuses to show a frame.
 */
int list_tables_build(struct revector *r, const struct frame_pool *reserve, struct revectored *out,
                      mfn_t *l3) __must_check;

#endif
