/* SPDX-License-Identifier: MIT */
/*
 * The kernel mapping, after boot: the image and nothing else.
 *
 *      builder's   [ low | image | ramdisk? | list? | start_info | tables | stack | padding ]
 *      ours        [     | image |                                                          ]
 *
 * New tables for the image alone are built off-line and hooked by one write of the root, as the
 * list's are (revector.h). All that only the builder's mapping held is free then, its tables too.
 */
#ifndef MM_KERNEL_MAPPING_H
#define MM_KERNEL_MAPPING_H

#include "mm/pagetable.h"

/* Virtual addresses [start, end), page-aligned. */
struct va_range {
    uint64_t start, end;
};

struct kernel_mapping {
    struct va_range image;
    /* mapped by the builder past the image, and in use all the same: not to be freed */
    struct va_range keep[2]; /* the ramdisk, the list: where they were mapped; or empty */
    mfn_t keep_mfns[3];      /* single frames likewise: the root, console and store rings */
};

struct kernel_mapping_result {
    uint64_t nr_freed; /* frames, tables included, that went to the pool */
};

/*
 * Replaces the level 4 slot that @k->image is in. All windows are empty afterwards. Returns 0,
 * -ENOMEM or Xen's negative errno, and then the builder's mapping is in force and complete.
 */
int kernel_mapping_reduce(struct pagetable *pt, const struct kernel_mapping *k,
                          struct kernel_mapping_result *out) __must_check;

/*
 * Where the mapping that reaches from @from upward without a gap ends: the first page that is not
 * mapped, or 0 if it reaches to the top.
 */
uint64_t kernel_mapping_end(struct pagetable *pt, uint64_t from);

/* The first address from @from to the end of its level 4 slot at which something is mapped; 0:
 * none. */
uint64_t kernel_mapping_first_mapped(struct pagetable *pt, uint64_t from);

#endif
