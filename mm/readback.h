/* SPDX-License-Identifier: MIT */
/*
 * Our own publication, read as Xen's tools read it: from shared_info alone, by machine frames,
 * with the checks that they make and in the order they make them. Where a tool would fail, this
 * fails, in the tool's words.
 *
 * The rules are those of xg_sr_save_x86_pv.c in Xen's tools/libs/guest (map_p2m_list and
 * map_p2m_tree), as of Xen 4.17; xg_core_x86.c has the same. The tools look at bits 51:12 of an
 * entry and at nothing else: neither "present" nor the page size, so that a hole is an error and
 * a superpage would be read as a table.
 */
#ifndef MM_READBACK_H
#define MM_READBACK_H

#include "mm/pagetable.h"

#include <xen/xen.h>

struct readback {
    struct pagetable *pt; /* for its windows only */
    const struct p2m *p2m;
    const struct m2p *m2p;
    const struct arch_shared_info *shared;
};

/* Called for each leaf of the published P2M, in order. */
typedef void (*readback_visit_t)(void *context, uint64_t leaf, mfn_t mfn);

/*
 * Walks the published list. In *@nr_pfns, how many PFNs a tool believes in: max_pfn, less a
 * trailing run of identical level 1 tables, which it takes for "nothing here". Returns 0, or
 * -ENOENT if no list is published, or -ERANGE where a tool would give up.
 */
int readback_list(const struct readback *rb, readback_visit_t visit, void *context,
                  uint64_t *nr_pfns) __must_check;

/*
 * Walks the published tree, likewise, all of it. (The tools trim a trailing run of identical mid
 * pages, but keep the run's first: no frame can be in what they leave out.)
 */
int readback_tree(const struct readback *rb, readback_visit_t visit, void *context) __must_check;

#endif
