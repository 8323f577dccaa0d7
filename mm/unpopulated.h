/* SPDX-License-Identifier: MIT */
/*
 * Unpopulated PFNs: PFNs without a frame of this domain, given to the pages of a range of the
 * foreign window (foreign.h), for code that needs a PFN and not only an address. Linux has the same
 * idea under this name (drivers/xen/unpopulated-alloc.c).
 *
 *      RAM  | IDENTITY | RAM, no frame    | RAM   |  ...  | beyond the map    | limit of the CPU
 *                       [ UNPOP. ]                         [ UNPOP. ]
 *                       first choice: the PFNs leave       second choice: past the map and
 *                       the balloon's set                  past the end of the list
 *
 * They are allocated in whole leaves of the P2M list (512 PFNs), from PFNs that have no frame. A
 * PFN past a dom0's map is identity before: it stands for the MFN of that number, where a device
 * may be that the map does not name. Such a device is mapped by its machine address (foreign.h),
 * not by PFN.
 *
 * The P2M entry of an unpopulated PFN is ~0, so Xen's tools do not see it. p2m_get returns
 * INVALID_MFN for it, since a grant cannot be mapped by MFN. unpopulated_page returns the address
 * of the foreign page.
 */
#ifndef MM_UNPOPULATED_H
#define MM_UNPOPULATED_H

#include "mm/foreign.h"

#define MAX_UNPOPULATED 16 /* runs of unpopulated PFNs at a time */

/* The ranges that these runs add to the table at most, and the room that ranges_set needs. */
#define UNPOPULATED_MAX_RANGES (2 * MAX_UNPOPULATED + 2)

struct unpopulated {
    struct p2m *p2m;
    struct pfn_runs *empty; /* the balloon's set of RAM PFNs without a frame; NULL: no balloon */
    uint64_t map_end;       /* the end of the memory map */
    uint64_t limit;         /* PFNs from here on cannot be addressed by the CPU */
    struct {
        struct pfn_run run;
        const struct foreign_range *range;
    } used[MAX_UNPOPULATED]; /* @range is NULL in a free element */
};

/*
 * Starts without unpopulated PFNs. @cpu_bits is the width of machine addresses (CPUID leaf
 * 0x80000008, Intel SDM vol. 2). The ranges of @p2m must be those of the memory map and have room
 * for UNPOPULATED_MAX_RANGES more. @p2m and @empty must outlive @u.
 */
void unpopulated_init(struct unpopulated *u, struct p2m *p2m, struct pfn_runs *empty,
                      unsigned int cpu_bits);

/*
 * Allocates contiguous PFNs for the pages of @range: *@start is the first one, a multiple of 512,
 * and their number is rounded up to a multiple of 512. Page i of @range gets the PFN *@start + i.
 * Returns 0; -ENOSPC if there are not enough contiguous PFNs without a frame; -ENOMEM if a table is
 * full. Nothing changes after an error.
 */
int unpopulated_alloc(struct unpopulated *u, const struct foreign_range *range,
                      uint64_t *start) __must_check;

/*
 * Frees the PFNs that unpopulated_alloc returned at @start: their range kind and the balloon's set
 * become what they were before. The foreign range stays the caller's. Returns 0; -EINVAL if @start
 * is not such a PFN; -ENOMEM if a table is full: then the PFNs stay unpopulated.
 */
int unpopulated_free(struct unpopulated *u, uint64_t start) __must_check;

/* The address of the foreign page of @pfn; NULL if @pfn is not unpopulated or not mapped. */
void *unpopulated_page(const struct unpopulated *u, pfn_t pfn);

/*
 * The address of the page of @pfn, for reading: a RAM page of this domain is mapped in the fixmap
 * slot FIXMAP_SCRATCH; an unpopulated PFN gives its foreign page. Valid until the next use of that
 * slot. NULL if @pfn has no page.
 */
const void *page_show(struct fixmap *f, const struct unpopulated *u, pfn_t pfn) __must_check;

#endif
