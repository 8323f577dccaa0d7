/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the new P2M list, before they are in use (the first half of revector.h). Each
 * table is filled through the fixmap and is mapped nowhere else.
 */
#ifndef MM_LIST_TABLES_H
#define MM_LIST_TABLES_H

#include "mm/revector.h"

/* The number of frames for page tables, shared tables and the shared leaf of @plan's list. */
uint64_t list_tables_count(const struct plan *plan);

/*
 * Builds the page tables that map the leaves as leaves_at() says. *@l3 is the level 3 table.
 *
 * The frames of OLD leaves are read from the mapping at @r->p2m->list, which may use pages of any
 * size. Tables, NEW leaves and the shared leaf (@out->none_leaf) are the first frames of @reserve,
 * which must have list_tables_count() + leaves_count(LEAF_NEW) frames and is not changed. On return
 * the tables and the new leaves are mapped nowhere; the new leaves have undefined contents.
 *
 * Returns 0, or -EPERM if Xen refuses to map a frame in the fixmap.
 */
int list_tables_build(struct revector *r, const struct frame_pool *reserve, struct revectored *out,
                      mfn_t *l3) __must_check;

#endif
