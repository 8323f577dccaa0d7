/* SPDX-License-Identifier: MIT */
/*
 * A walk through all page tables of the domain, from the root down and by ascending address:
 *
 *      root [ 0 | 1 | .. 255 | Xen's 256 .. 271 | 272 .. 511 ]
 *             |                  not read
 *             +-> level 3 -> level 2 -> level 1
 *
 * The visitor is told each present entry before the table behind it is read.
 */
#ifndef MM_PT_VISIT_H
#define MM_PT_VISIT_H

#include "mm/pagetable.h"

/* A present entry. */
struct pt_visited {
    uint64_t va;        /* the first address that the entry is for, canonical */
    unsigned int level; /* 1 .. 4, of the table that the entry is in */
    uint64_t pte;
    bool is_leaf; /* maps memory; else the entry leads to a table */
};

/* What to do after an entry. */
enum pt_next {
    PT_ENTER, /* go on; if a table is behind the entry, with that table */
    PT_SKIP,  /* go on, and leave out the table behind the entry, if there is one */
    PT_STOP,  /* end the walk */
};

typedef enum pt_next (*pt_visitor_t)(void *context, const struct pt_visited *e);

/*
 * Calls @visit(@context) for each present entry of all tables below @pt->root. A table to which
 * several entries lead is read for each of them, unless @visit returns PT_SKIP. Root entries of
 * [HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_END) (<xen/xen.h>) are left out: no guest may read Xen's
 * tables. @visit must not change a table that is being walked. Returns true if @visit has ended the
 * walk. Panics if a table cannot be read.
 */
bool pt_visit(struct pagetable *pt, pt_visitor_t visit, void *context);

#endif
