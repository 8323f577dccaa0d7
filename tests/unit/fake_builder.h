/* SPDX-License-Identifier: MIT */
/*
 * A fake domain builder: makes the domain as the guest finds it at its start.
 *
 *   PFN 0                                                                            nr_pages
 *   [ low | image | ramdisk? | list? | start_info | tables | stack | padding ][ list ][ free ]
 *   `----------- mapped from FAKE_VIRT_BASE on, to a multiple of 4 MiB --------'   |
 *                                                                                  |
 *       the P2M list, mapped at FAKE_LIST_BASE: either as libxenguest does, <------+
 *       in 4 KiB pages, the list first and its page tables behind; or as Xen's dom0 builder
 *       does, in the largest pages that fit, with page tables and list pages numbered in the
 *       order of their creation, so that no superpage is aligned in PFN space. In both cases
 *       the page tables of the list are not mapped, and the end of the list's last page is
 *       not filled.
 */
#ifndef TESTS_UNIT_FAKE_BUILDER_H
#define TESTS_UNIT_FAKE_BUILDER_H

#include "tests/unit/fake_xen.h"

enum fake_list {
    FAKE_LIST_4K,         /* as libxenguest maps the P2M list */
    FAKE_LIST_SUPERPAGES, /* as Xen maps the P2M list of a dom0: 2 MiB pages from 1 GiB on, 1 GiB
                             from 512 GiB */
    FAKE_LIST_IN_KERNEL,  /* a builder that does not know the INIT_P2M ELF note */
};

enum fake_mfns {
    FAKE_MFNS_SHUFFLED, /* no MFN can be computed from its PFN */
    FAKE_MFNS_SAME,     /* most frames have the MFN that equals their PFN */
    FAKE_MFNS_HIGHEST,  /* shuffled, and the highest MFNs that a page-table entry can hold */
};

struct fake_shape {
    uint64_t nr_pages;
    enum fake_list list;
    enum fake_mfns mfns;
    uint64_t first_mfn;     /* lowest MFN of FAKE_MFNS_SHUFFLED; 0: 0x40000 */
    uint64_t image_pages;   /* 0: a small image */
    uint64_t more_mfns;     /* frames of the machine that nobody has, at least */
    uint64_t ramdisk_pages; /* mapped directly after the image */
    /* for a domain that would not fit in memory: P2M list and M2P are computed at their first
     * access, and MFNs are shuffled in blocks of 4096 */
    bool sparse;
};

struct fake_domain {
    struct fake_shape shape;
    uint64_t image_start, image_end; /* virtual addresses; the image contains the fixmap */
    void *fixmap;                    /* NR_FIXMAP_SLOTS pages of the image */
    uint64_t ramdisk_va;             /* virtual address; 0: no ramdisk */
    uint64_t kernel_pfns;            /* PFNs [0, kernel_pfns) are mapped at FAKE_VIRT_BASE */
    uint64_t list_pfn, nr_list_pfns; /* P2M list and its page tables; 0 with FAKE_LIST_IN_KERNEL */
    uint64_t *list;                  /* virtual address of the P2M list for the guest */
    struct start_info *start_info;   /* a page of the guest */
    uint64_t shared_info;            /* machine address of Xen's page; the guest may map it */
};

/* Starts a machine and builds a domain of @shape on it, which fake_machine_stop() ends. */
void fake_build(struct fake_domain *d, const struct fake_shape *shape);

/* The MFN of the frame that the builder gave to PFN @pfn. */
uint64_t fake_builder_mfn(uint64_t pfn);

#endif
