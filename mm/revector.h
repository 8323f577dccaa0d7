/* SPDX-License-Identifier: MIT */
/*
 * Revector: the builder's P2M becomes ours. Tables are moved, not data.
 *
 * The frames that hold the builder's list stay where they are; new level 3 to 1 tables are built
 * for them off-line, with holes, renumbered leaves and room to grow in place, and hooked in by one
 * write of the root. Work is one page-table entry for each 512 PFNs.
 *
 *   root[LIST slot] --> L3 --> L2 --> L1 [ old | old | none | new ] --> leaves of 512 entries
 *                               |      L1 (shared) [ none x 512 ]
 *                               +----> L1 (shared)        |
 *                                                         v
 *                                          one read-only leaf full of ~0
 *
 * Everything that can fail comes before that write: frames are reserved, and pinning the new tree
 * makes Xen check all of it. A failure up to there leaves the builder's list in force and the pool
 * as it was.
 */
#ifndef MM_REVECTOR_H
#define MM_REVECTOR_H

#include "mm/heap.h"
#include "mm/leaves.h"

/* The list must fit its slot: 512 GiB of entries, which is 256 TiB of PFN space. */
#define LIST_MAX_ENTRIES (level_bytes(4) / sizeof(uint64_t))

/* Where the builder's list was found. */
enum list_origin {
    LIST_IN_SLOT,  /* where our INIT_P2M note asked for it                    */
    LIST_ELSEWHERE /* in the kernel mapping: a builder that ignores the note */
};

/* The new list and its pieces, for whoever publishes, reports or tests. */
struct revectored {
    enum list_origin origin;
    mfn_t none_leaf;               /* the shared page of ~0; INVALID_MFN: none    */
    uint64_t nr_tables;            /* new page tables, shared ones counted once    */
    uint64_t nr_new_leaves;        /* pages of the list that the builder had not   */
    uint64_t nr_none;              /* list pages that are the shared one           */
    uint64_t nr_old_2m, nr_old_1g; /* superpages the builder's list was mapped by  */
    pfn_t *old_tables;             /* the builder's tables of the list, free now   */
    uint64_t nr_old_tables;        /* (on the heap; NULL if it was not in our slot) */
};

/* What revectoring works on; all are the caller's. */
struct revector {
    struct pagetable *pt;
    struct heap *heap;
    struct p2m *p2m; /* the builder's list; ours on success */
    const struct m2p *m2p;
    const struct plan *plan;
    uint64_t list_base; /* where the list goes: the start of a level 4 slot */
};

/*
 * Replaces the builder's list by one of the plan's shape, with every entry in its planned place.
 * Returns 0, -EINVAL, -ENOMEM, or Xen's negative errno; on failure @r->p2m and the pool are as
 * they were. Afterwards Xen still has the old numbers: call renumber() (renumber.h) before any
 * frame is taken from the pool.
 */
int revector(struct revector *r, struct revectored *out) __must_check;

#endif
