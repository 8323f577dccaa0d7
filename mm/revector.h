/* SPDX-License-Identifier: MIT */
/*
 * Revector: give the builder's P2M frames new page tables, at the address LIST_BASE. The frames of
 * the builder's P2M list stay in use as leaves of the new list; only their mapping is new. The cost
 * is one page-table entry for each 512 PFNs.
 *
 *   root[LIST slot] --> L3 --> L2 --> L1 [ old | old | none | new ] --> leaves of 512 entries
 *                               |      L1 (shared) [ none x 512 ]
 *                               +----> L1 (shared)        |
 *                                                         v
 *                                          one read-only leaf full of ~0 (none)
 *
 * The steps:
 *   1. reserve all frames, and build the new tables (list_tables.h), with holes, moved leaves and
 *      room to grow in place
 *   2. pin the new level 3 table, which makes Xen validate all new tables
 *   3. write the level 4 entry of the LIST slot: one write replaces the mapping
 *   4. fill new leaves with ~0, move the entries at the edges of holes, free the builder's tables
 *
 * Only steps 1 to 3 can fail, and then the builder's list stays in use and the pool is unchanged.
 */
#ifndef MM_REVECTOR_H
#define MM_REVECTOR_H

#include "mm/heap.h"
#include "mm/leaves.h"

/* The list must fit its level 4 slot: 512 GiB of entries, which is 256 TiB of pages. */
#define LIST_MAX_ENTRIES (level_bytes(4) / sizeof(uint64_t))

/* The address of the builder's list. */
enum list_origin {
    LIST_IN_SLOT,  /* LIST_BASE, as the INIT_P2M note asks for               */
    LIST_ELSEWHERE /* in the kernel mapping: the builder ignores that note   */
};

/* What revector did: for publication, reports and tests. */
struct revectored {
    enum list_origin origin;
    mfn_t none_leaf;               /* the shared leaf of ~0; INVALID_MFN: none        */
    uint64_t nr_tables;            /* new page tables, shared ones counted once       */
    uint64_t nr_new_leaves;        /* leaves that are new pages                       */
    uint64_t nr_none;              /* leaves that are the shared one                  */
    uint64_t nr_old_2m, nr_old_1g; /* superpages that mapped the builder's list       */
    pfn_t *old_tables;             /* PFNs of the builder's tables in the LIST slot,  */
    uint64_t nr_old_tables;        /* now free; a heap array; none if LIST_ELSEWHERE  */
    uint64_t nr_old_leaves;        /* the builder's leaves past nr_pages, now free    */
};

/* The arguments of revector; all are the caller's. */
struct revector {
    struct pagetable *pt;
    struct heap *heap;
    struct p2m *p2m; /* the builder's list, perhaps longer than the plan; on success the new list */
    const struct m2p *m2p;
    const struct plan *plan;
    uint64_t list_base; /* the address of the new list: the start of a level 4 slot */
};

/*
 * Replaces the builder's list by the list that @r->plan describes, with every entry in its planned
 * place. Returns 0; -EINVAL if the list does not fit its slot; -ENOMEM; or Xen's negative errno. On
 * error @r->p2m and the pool are unchanged. On success the M2P still has the old PFNs: call
 * renumber() (renumber.h) before taking a frame from the pool.
 */
int revector(struct revector *r, struct revectored *out) __must_check;

#endif
