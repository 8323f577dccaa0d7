/* SPDX-License-Identifier: MIT */
/*
 * Pages that other domains have granted, mapped in the foreign window (mm/foreign.h). Xen maps
 * them, and Xen unmaps them: an entry of a page table that holds a grant is never written by us,
 * because Xen could not tell then which grant has lost a mapping, and a debug Xen kills the domain
 * that tries (put_page_from_l1e).
 */
#ifndef XEN_GRANT_MAP_H
#define XEN_GRANT_MAP_H

#include "mm/foreign.h"

#include <xen/grant_table.h>

/* What has been mapped and unmapped since boot: in the end each mapping had its end. */
struct grant_map_counts {
    uint64_t nr_mapped, nr_unmapped, nr_hypercalls;
};

extern struct grant_map_counts grant_map_counts;

/*
 * Maps the references @refs of the range's domain behind the pages [@first, @first + @nr), which
 * have nothing behind them, for reading or, not @readonly, for both. Each has its result in
 * @status: GNTST_okay, or why not; of one that failed no mapping and no handle is left. 512 go
 * into a hypercall. Returns 0 if all are mapped; -EIO if some are not; -ERANGE, -EEXIST, or Xen's
 * errno for the hypercall itself: then too, @status is right.
 */
int grant_map(struct foreign_range *r, uint64_t first, const uint32_t *refs, int16_t *status,
              uint64_t nr, bool readonly) __must_check;

/*
 * Unmaps those of the pages [@first, @first + @nr) that have something behind them. Also if the
 * owner is gone. -EIO if Xen does not know a mapping: it stays in the books.
 */
int grant_unmap(struct foreign_range *r, uint64_t first, uint64_t nr) __must_check;

/* "permission denied" for GNTST_permission_denied, and so on. */
const char *grant_status_name(int16_t status);

#endif
