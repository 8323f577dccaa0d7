/* SPDX-License-Identifier: MIT */
/*
 * The kind of each PFN, as a sorted table of half-open ranges. The table gives a P2M entry of ~0
 * its meaning. The guest must keep that information outside the P2M list: Xen's tools, which save
 * and restore the list, know MFNs and ~0 only.
 *
 *      0        0x9f    0x100                 0xbffe0      0x100000             last end
 *      |  RAM    |IDENT. |        RAM          |  IDENTITY  |       RAM          |  beyond ...
 *
 * The ranges cover [0, end of the last range) without a gap. Two neighbours never have the same
 * kind. This file holds PFNs only; p2m.h explains the kinds with an example.
 */
#ifndef MM_RANGE_H
#define MM_RANGE_H

#include "lib/types.h"

enum range_kind {
    RANGE_RAM,         /* may have a frame of this domain; ~0: it has none at the moment */
    RANGE_IDENTITY,    /* never a frame of this domain: stands for the MFN of this number */
    RANGE_MISSING,     /* never a frame of this domain, and no identity                  */
    RANGE_UNPOPULATED, /* given to a page of another domain or a device (unpopulated.h)  */
    NR_RANGE_KINDS,
};

struct range {
    uint64_t start, end; /* PFNs */
    enum range_kind kind;
};

struct ranges {
    struct range *r; /* the caller's array of cap elements */
    size_t nr, cap;
    enum range_kind beyond; /* the kind of all PFNs past the last range */
};

/* "ram", "identity", "missing" or "unpopulated". */
const char *range_kind_name(enum range_kind kind);

/*
 * Appends [@start, @end). The last range must end at @start; if it has the same kind it is extended
 * instead. Does nothing if @end is not above @start. Returns 0, or -ENOMEM if the array is full.
 */
int ranges_append(struct ranges *t, uint64_t start, uint64_t end,
                  enum range_kind kind) __must_check;

/*
 * Sets the kind of all PFNs in [@start, @end) to @kind. If the table ended below @start, the gap
 * gets the kind @t->beyond. Neighbours of the same kind are joined. Returns 0, or -ENOMEM if the
 * array has less than two free elements: then the table is unchanged.
 */
int ranges_set(struct ranges *t, uint64_t start, uint64_t end, enum range_kind kind) __must_check;

/* Removes what the last range has above @end if its kind is @t->beyond: the meaning is the same. */
void ranges_trim(struct ranges *t, uint64_t end);

/* The end of the last range; 0 for an empty table. */
uint64_t ranges_end(const struct ranges *t);

/*
 * The range that @pfn lies in. For a PFN past the last range: [end of the last range, UINT64_MAX)
 * of the kind @t->beyond. A bisection.
 */
struct range ranges_find(const struct ranges *t, uint64_t pfn);

/* The first RAM range that ends above @pfn; [UINT64_MAX, UINT64_MAX) if there is none. */
struct range ranges_next_ram(const struct ranges *t, uint64_t pfn);

/* The number of PFNs of kind @kind in [0, @end), without those past the last range. */
uint64_t ranges_count(const struct ranges *t, enum range_kind kind, uint64_t end);

#endif
