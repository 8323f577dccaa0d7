/* SPDX-License-Identifier: MIT */
/*
 * What a PFN is for: a short sorted table of half-open ranges. It is what gives a P2M entry of ~0
 * its meaning, and so must be kept by the guest: the tools that save and restore it know only
 * "MFN" and ~0.
 *
 *      0        0x9f    0x100                 0xbffe0      0x100000             last
 *      |  RAM    |IDENT. |        RAM          |  IDENTITY  |       RAM          |  beyond ...
 *
 * The table covers everything from 0 to its last entry's end without a gap.
 */
#ifndef MM_RANGE_H
#define MM_RANGE_H

#include "lib/types.h"

enum range_kind {
    RANGE_RAM,         /* may hold a frame; ~0 means that it holds none now       */
    RANGE_IDENTITY,    /* no memory of ours: the machine's frame of the same number */
    RANGE_MISSING,     /* nothing, ever: neither a frame nor the machine's          */
    RANGE_UNPOPULATED, /* a name for what is not ours and not the machine's: unpopulated.h */
    NR_RANGE_KINDS,
};

struct range {
    uint64_t start, end; /* PFNs */
    enum range_kind kind;
};

struct ranges {
    struct range *r; /* the caller's array of cap entries */
    size_t nr, cap;
    enum range_kind beyond; /* what lies past the last one */
};

const char *range_kind_name(enum range_kind kind);

/*
 * Appends [@start, @end) behind the last range, which must end at @start; joins it to that one if
 * they are of a kind. Empty ranges vanish. -ENOMEM if the array is full.
 */
int ranges_append(struct ranges *t, uint64_t start, uint64_t end,
                  enum range_kind kind) __must_check;

/*
 * Makes [@start, @end) of kind @kind, whatever it was; what the table did not reach before, up to
 * @start, becomes of the kind @t->beyond. Neighbours of a kind are joined. It needs room for two
 * ranges more, and returns -ENOMEM without: then nothing has changed.
 */
int ranges_set(struct ranges *t, uint64_t start, uint64_t end, enum range_kind kind) __must_check;

/* Drops what the table ends with and @t->beyond says as well, but nothing below @end. */
void ranges_trim(struct ranges *t, uint64_t end);

/* Where the table ends. */
uint64_t ranges_end(const struct ranges *t);

/*
 * The range that @pfn lies in; for one past the table, [end of the table, UINT64_MAX) of the kind
 * @beyond. By bisection.
 */
struct range ranges_find(const struct ranges *t, uint64_t pfn);

/* The first RAM range that ends above @pfn; an empty one at UINT64_MAX if there is none. */
struct range ranges_next_ram(const struct ranges *t, uint64_t pfn);

/* How many PFNs of kind @kind lie in [0, @end). */
uint64_t ranges_count(const struct ranges *t, enum range_kind kind, uint64_t end);

#endif
