/* SPDX-License-Identifier: MIT */
/*
 * Another memory map for a domain that runs already: a restore or a migration makes a new domain,
 * whose map libxl computes anew (libxl__arch_domain_create of Xen tools/libs/light/libxl_x86.c),
 * from a limit that was changed meanwhile, or with e820_host=1 from the holes of another host.
 *
 * The frames stay at their PFNs, and the mapping of the P2M list stays as it is. So a PFN gets the
 * kind that the new map gives it, except where that cannot be:
 *
 *      old kind  new map  result
 *      RAM       not RAM  as the new map says; RAM if a PFN of the stretch has a frame (nr_kept)
 *      not RAM   RAM      RAM; MISSING if its leaf is the shared page of ~0 (nr_unlisted)
 *      all else           as the new map says
 *
 * A stretch is a run of PFNs to which each of the two maps gives one kind.
 */
#ifndef MM_FOLLOW_H
#define MM_FOLLOW_H

#include "mm/p2m.h"
#include "mm/pagetable.h"

/* The PFNs whose kind is not the new map's. */
struct followed {
    uint64_t nr_kept;     /* PFNs of stretches that stay RAM because of a frame there */
    uint64_t nr_unlisted; /* PFNs of RAM in the new map that have no entry to write in the list */
};

/* The number of ranges that ranges_follow can write for tables of @nr_old and @nr_new ranges. */
#define FOLLOW_MAX_RANGES(nr_old, nr_new) (3 * ((nr_old) + (nr_new) + 2))

/*
 * Fills @out, as above, from the ranges of @p2m and those of the new map, @map. @out must have room
 * for FOLLOW_MAX_RANGES, and no PFN of @p2m may be unpopulated (unpopulated.h). Returns 0, or
 * -ENOMEM if @out has too little room.
 */
int ranges_follow(const struct p2m *p2m, struct pagetable *pt, const struct ranges *map,
                  struct ranges *out, struct followed *f) __must_check;

/* The end of the stretch that begins at @pfn in the tables @a and @b. */
uint64_t ranges_stretch(const struct ranges *a, const struct ranges *b, uint64_t pfn);

#endif
