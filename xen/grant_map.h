/* SPDX-License-Identifier: MIT */
/*
 * Maps pages that other domains have granted, in the foreign window (mm/foreign.h). Xen writes the
 * page-table entries (GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref of <xen/grant_table.h>). The
 * kernel never writes an entry that maps a grant: Xen could not tell which grant lost the mapping,
 * and a debug Xen crashes the domain (put_page_from_l1e in xen/arch/x86/mm.c).
 */
#ifndef XEN_GRANT_MAP_H
#define XEN_GRANT_MAP_H

#include "mm/foreign.h"

#include <xen/grant_table.h>

/* Pages mapped and unmapped since boot, and hypercalls for both: for reports and tests. */
struct grant_map_counts {
    uint64_t nr_mapped, nr_unmapped, nr_hypercalls;
};

extern struct grant_map_counts grant_map_counts;

/*
 * Maps the grant references @refs of the range's domain at the unmapped pages [@first, @first +
 * @nr) of @r, read-only if @readonly, else writable. Up to 512 references go into one hypercall.
 * @status[i] is the GNTST_* result of reference i; a failed one leaves no mapping and no handle.
 * Returns 0 if all are mapped; -EIO if a status is not GNTST_okay; -ERANGE if the pages are not all
 * in the range; -EEXIST if one is mapped; or Xen's errno for the hypercall itself. @status is valid
 * in all cases.
 */
int grant_map(struct foreign_range *r, uint64_t first, const uint32_t *refs, int16_t *status,
              uint64_t nr, bool readonly) __must_check;

/*
 * Unmaps the mapped pages of [@first, @first + @nr), also if the granter domain is gone. Returns 0;
 * -ERANGE as above; -EIO if Xen refuses a handle: that page stays recorded as mapped; or Xen's
 * errno for the hypercall itself.
 */
int grant_unmap(struct foreign_range *r, uint64_t first, uint64_t nr) __must_check;

/* The name of a status: "GNTST_okay"; "unknown grant status" for a number that is no GNTST_*. */
const char *grant_status_name(int16_t status);

#endif
