/* SPDX-License-Identifier: MIT */
/*
 * A fake domain builder: what the guest finds when it starts.
 *
 *   PFN 0                                                                            nr_pages
 *   [ low | image | ramdisk? | list? | start_info | tables | stack | padding ][ list ][ free ]
 *   `----------- mapped from FAKE_VIRT_BASE on, to a multiple of 4 MiB --------'   |
 *                                                                                  |
 *       mapped at FAKE_LIST_BASE: in 4 KiB pages, list first, tables behind, as <--+
 *       libxenguest does; or as Xen's dom0 builder does, in the largest pages that fit, tables
 *       and pages numbered in the order in which they were made, so that no superpage is aligned
 *       in PFN space. Neither maps these tables anywhere, or fills the list's last page.
 */
#ifndef TESTS_UNIT_FAKE_BUILDER_H
#define TESTS_UNIT_FAKE_BUILDER_H

#include "tests/unit/fake_xen.h"

enum fake_list {
    FAKE_LIST_4K,         /* as libxenguest maps it */
    FAKE_LIST_SUPERPAGES, /* as Xen maps a dom0's: 2 MiB pages from 1 GiB on, 1 GiB from 512 GiB */
    FAKE_LIST_IN_KERNEL,  /* a builder that does not know the INIT_P2M note */
};

enum fake_mfns {
    FAKE_MFNS_SHUFFLED, /* no MFN follows from its PFN */
    FAKE_MFNS_SAME,     /* a lucky host: most frames have the number of their PFN */
    FAKE_MFNS_HIGHEST,  /* shuffled, and the last ones that a page-table entry can name */
};

struct fake_shape {
    uint64_t nr_pages;
    enum fake_list list;
    enum fake_mfns mfns;
    uint64_t image_pages;   /* 0: a small image */
    uint64_t ramdisk_pages; /* mapped behind the image */
    /* list and M2P are computed where they are touched, and MFNs shuffled in blocks of 4096: for a
     * domain so large that it would not fit in memory */
    bool sparse;
};

struct fake_domain {
    struct fake_shape shape;
    uint64_t image_start, image_end; /* addresses; the fixmap is in it */
    void *fixmap;                    /* NR_FIXMAP_SLOTS pages of the image */
    uint64_t ramdisk_va;             /* 0: none */
    uint64_t kernel_pfns;            /* PFNs [0, this) are mapped at FAKE_VIRT_BASE */
    uint64_t list_pfn, nr_list_pfns; /* the list and its tables; none of their own if in kernel */
    uint64_t *list;                  /* where the guest finds it */
    struct start_info *start_info;   /* a page of the guest's */
    uint64_t shared_info;            /* machine address: Xen's page, which the guest may map */
};

/* Starts a machine and builds a domain on it; what a test does with it, fake_machine_stop() ends.
 */
void fake_build(struct fake_domain *d, const struct fake_shape *shape);

/* The frame that the builder gave @pfn. */
uint64_t fake_builder_mfn(uint64_t pfn);

#endif
