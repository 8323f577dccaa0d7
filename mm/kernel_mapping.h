/* SPDX-License-Identifier: MIT */
/*
 * The kernel mapping: the level 4 slot of the kernel image. The builder maps more than the image in
 * it (<xen/xen.h>, "Start-of-day memory layout"); after boot it maps the image only.
 *
 *      builder     [ low | image | ramdisk? | list? | start_info | tables | stack | padding ]
 *      after boot  [     | image |                                                          ]
 *
 * New page tables for the image are built first. One write of the level 4 table puts them into use,
 * as for the P2M list (revector.h). Then the frames that only the builder's mapping used are free,
 * and so are its page tables.
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
    /* Mapped by the builder beside the image, and still in use: these frames are not freed. */
    struct va_range keep[2]; /* the builder's mappings of ramdisk and P2M list; or empty     */
    mfn_t keep_mfns[3];      /* the level 4 table, the console ring, the xenstore ring       */
};

struct kernel_mapping_result {
    uint64_t nr_freed; /* frames given to the pool, page tables included */
};

/*
 * Reduces the level 4 slot of @k->image to the image. All fixmap slots are empty afterwards.
 * Returns 0; -ENOENT if a page of the image has no 4 KiB mapping; -ENOMEM or Xen's negative errno.
 * After an error the builder's mapping stays in use, complete.
 */
int kernel_mapping_reduce(struct pagetable *pt, const struct kernel_mapping *k,
                          struct kernel_mapping_result *out) __must_check;

/*
 * The address of the first page at or above @from that is not mapped; 0 if all pages up to the top
 * of the address space are mapped.
 */
uint64_t kernel_mapping_end(struct pagetable *pt, uint64_t from);

/* The address of the first mapped page from @from to the end of its level 4 slot; 0: none. */
uint64_t kernel_mapping_first_mapped(struct pagetable *pt, uint64_t from);

#endif
