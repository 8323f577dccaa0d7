/* SPDX-License-Identifier: MIT */
/*
 * Reads the published P2M (publish.h) as Xen's tools read it: from shared_info only, by MFNs, with
 * the tools' checks in the tools' order. Where a tool would fail, these functions fail and print a
 * message that resembles the tool's.
 *
 * The rules are those of map_p2m_list and map_p2m_tree in Xen tools/libs/guest/xg_sr_save_x86_pv.c,
 * as of Xen 4.17; xg_core_x86.c has the same rules. Of a page-table entry the tools use bits 51:12
 * only, and neither P nor PSE: a non-present entry is an error, and a superpage is taken for a
 * table.
 */
#ifndef MM_READBACK_H
#define MM_READBACK_H

#include "mm/pagetable.h"

#include <xen/xen.h>

struct readback {
    struct pagetable *pt; /* its fixmap shows the frames; its root is not used */
    const struct p2m *p2m;
    const struct m2p *m2p;
    const struct arch_shared_info *shared;
};

/*
 * Called for the leaves of the published P2M, in order. A hole of many GiB has one level 1 table,
 * or mid page, again and again; of such a run the leaves of the first table are visited, so that
 * the cost does not grow with the hole.
 */
typedef void (*readback_visit_t)(void *context, uint64_t leaf, mfn_t mfn);

/* What a tool would read. */
struct readback_result {
    uint64_t nr_leaves; /* visited or not */
    uint64_t nr_pfns;   /* max_pfn, without the leaves that a tool takes for the end of the list */
};

/*
 * Walks the published list. (Tools take a run of identical level 1 tables at the end for the end of
 * the list.) Returns 0; -ENOENT if no list is published; -ERANGE if a tool would fail.
 */
int readback_list(const struct readback *rb, readback_visit_t visit, void *context,
                  struct readback_result *result) __must_check;

/*
 * Walks the whole published tree. Results as for readback_list. (The tools leave out a run of
 * identical mid pages at the end, except for its first page. Such a run has no RAM in this kernel.)
 */
int readback_tree(const struct readback *rb, readback_visit_t visit, void *context,
                  struct readback_result *result) __must_check;

#endif
