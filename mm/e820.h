/* SPDX-License-Identifier: MIT */
/*
 * Converts the E820 memory map that Xen returns into a table of ranges (range.h).
 *
 * No part of the map can be trusted to be well-formed. Firmware writes it and Xen edits it; libxl's
 * e820_sanitize() can emit unsorted and empty entries; a toolstack may set any 1024 entries for a
 * domain (XENMEM_set_memory_map). So entries may come in any order, overlap, be empty, wrap, begin
 * and end inside a page, and have an unknown type. The rule is: what may not be RAM is not RAM.
 *
 *      rounding    RAM inward to whole pages, all other types outward
 *      overlap     the type that forbids most wins: other types, then UNUSABLE, then RAM
 *      wrap        an entry that wraps is dropped if RAM, else extends to the highest PFN
 */
#ifndef MM_E820_H
#define MM_E820_H

#include "mm/range.h"

/*
 * The layout that the BIOS (INT 15h, AX=E820h) and XENMEM_memory_map (<xen/memory.h>) use: 20
 * bytes, packed.
 */
struct e820_entry {
    uint64_t addr, len_bytes;
    uint32_t type;
} __attribute__((packed));

enum e820_type {
    E820_RAM = 1,
    E820_UNUSABLE = 5, /* RAM that must not be used; Xen so marks RAM past its option mem= */
};

/* The start (@step 1) or end (-1) of an entry: working memory of e820_sanitize. */
struct e820_edge {
    uint64_t pfn;
    int16_t rank, step;
};

/* The number of ranges that a map of @nr entries can give, and of edges that it needs. */
#define E820_MAX_RANGES(nr) (2 * (nr) + 2)
#define E820_MAX_EDGES(nr)  (2 * (nr))

/*
 * Fills @out from the @nr entries at @raw. @edges is scratch memory of E820_MAX_EDGES(nr) elements.
 *
 *                          initial domain (@initdom)        other domains
 *      whose map           the machine's                    the domain's own
 *      RAM                 RAM                              RAM
 *      UNUSABLE            RAM (Xen refuses to map it 1:1)  MISSING
 *      other types, gaps   IDENTITY                         IDENTITY
 *      PFNs [0, 0x100)     as the map says                  RAM: the builder put frames there
 *      past the last entry IDENTITY                         MISSING
 *
 * Returns 0; -EINVAL if the result has no RAM, which happens in an initial domain only; -ENOMEM if
 * @out has fewer than E820_MAX_RANGES(nr) elements.
 */
int e820_sanitize(const struct e820_entry *raw, size_t nr, bool initdom, struct e820_edge *edges,
                  struct ranges *out) __must_check;

#endif
