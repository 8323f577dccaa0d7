/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the new P2M list, before they are in use (the first half of revector.h). Each
 * table is filled through the fixmap and is mapped nowhere else.
 */
#ifndef MM_LIST_TABLES_H
#define MM_LIST_TABLES_H

#include "mm/revector.h"

/* PFNs whose P2M entries one level 1 table maps. */
#define LIST_TABLE_PFNS (P2M_PER_PAGE * PTES_PER_TABLE)

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

/*
 * For loops over the list in use: the P2M entries of a large hole are the same memory again and
 * again, since its level 1 tables are one table. If the table that maps the entry of @pfn is the
 * table before it, returns the first PFN of the next table that differs, or @p2m->nr; else @pfn.
 * The list must start where a level 1 table starts, as this kernel's own list does. The cost grows
 * with the number of tables passed over.
 */
uint64_t list_tables_pass(struct pagetable *pt, const struct p2m *p2m, uint64_t pfn);

#endif
