/* SPDX-License-Identifier: MIT */
/*
 * The memory map as Xen hands it over, made into a table of ranges (range.h).
 *
 * Nobody vouches for the map. Firmware writes it, Xen edits it, libxl's own e820_sanitize() can
 * emit unsorted and empty entries, and a toolstack may set any 1024 of them on a domain. So
 * entries may come in any order, overlap, be empty, wrap, begin and end inside a page, and be of
 * a type nobody has heard of. The rule for all of it: *in doubt it is not RAM*. RAM is rounded
 * inward to whole pages, everything else outward; where entries overlap the least usable wins; a
 * RAM entry that wraps is dropped, any other one reaches to the top.
 */
#ifndef MM_E820_H
#define MM_E820_H

#include "mm/range.h"

/* The layout is the BIOS's (INT 15h, AX=E820h) and that of XENMEM_memory_map: 20 bytes, packed. */
struct e820_entry {
    uint64_t addr, len_bytes;
    uint32_t type;
} __attribute__((packed));

enum e820_type {
    E820_RAM = 1,
    E820_UNUSABLE = 5, /* RAM that may not be used; Xen clips to it what mem= leaves out */
};

/* Where one entry begins or ends: the sanitiser's working memory, two of these an entry. */
struct e820_edge {
    uint64_t pfn;
    int16_t rank, step;
};

/* How many ranges a map of @nr entries can become, and how many edges it takes. */
#define E820_MAX_RANGES(nr) (2 * (nr) + 2)
#define E820_MAX_EDGES(nr)  (2 * (nr))

/*
 * Fills @out from the @nr entries at @raw. @edges is scratch for E820_MAX_EDGES(nr).
 *
 * In an @initdom the map is the machine's: gaps and non-RAM entries are identity, UNUSABLE is
 * address space for RAM (Xen refuses to map it 1:1). In any other domain UNUSABLE is missing, the
 * first MiB is RAM whatever the map says, for its builder put memory there. Gaps between entries
 * are identity in both. Returns 0, -EINVAL if no RAM is left (in a domU some always is), -ENOMEM if
 * @out is smaller than E820_MAX_RANGES(nr).
 */
int e820_sanitize(const struct e820_entry *raw, size_t nr, bool initdom, struct e820_edge *edges,
                  struct ranges *out) __must_check;

#endif
