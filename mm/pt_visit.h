/* SPDX-License-Identifier: MIT */
/*
 * Visits all page tables of the domain, from the root down and by ascending address:
 *
 *      root [ 0 | 1 | .. 255 | Xen's 256 .. 271 | 272 .. 511 ]
 *             |                  not read
 *             +-> level 3 -> level 2 -> level 1
 *
 * The visitor is called for each present entry before the table that the entry points to is read.
 */
#ifndef MM_PT_VISIT_H
#define MM_PT_VISIT_H

#include "mm/pagetable.h"

/* A present entry. */
struct pt_visited {
    uint64_t va;        /* the first address that the entry covers, canonical */
    unsigned int level; /* the level of its table, 1 to 4 */
    uint64_t pte;
    bool is_leaf; /* maps a page; else it points to a table */
};

/* The visitor's answer: what to visit after an entry. */
enum pt_next {
    PT_ENTER, /* the entries of the table that the entry points to, if it does */
    PT_SKIP,  /* the next entry of the same table */
    PT_STOP,  /* none: end */
};

typedef enum pt_next (*pt_visitor_t)(void *context, const struct pt_visited *e);

/*
 * Calls @visit(@context) for each present entry of @pt->root and of all tables below it. Of a run
 * of entries that point to one table (a hole of the P2M list) only the first is visited. A table to
 * which other entries point too is visited for each of them, unless @visit returns PT_SKIP. Root
 * entries of [HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_END) (<xen/xen.h>) are left out: a guest
 * cannot read Xen's tables. @visit must not change a table that is being visited. Returns true if
 * @visit returned PT_STOP. Panics if a table cannot be read.
 */
bool pt_visit(struct pagetable *pt, pt_visitor_t visit, void *context);

#endif
