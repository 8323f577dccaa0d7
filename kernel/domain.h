/* SPDX-License-Identifier: MIT */
/*
 * All that the kernel knows of the domain it runs in. One instance, filled by the stages of boot
 * (stages.c) from top to bottom, and passed to whatever needs it.
 */
#ifndef KERNEL_DOMAIN_H
#define KERNEL_DOMAIN_H

#include "mm/kernel_mapping.h"
#include "mm/publish.h"
#include "mm/renumber.h"
#include "mm/revector.h"
#include "mm/unpopulated.h"

#include "xen/balloon.h"
#include "xen/grants.h"
#include "xen/host.h"
#include "xen/start_info.h"

#include "kernel/cmdline.h"

/* The faults that the boot argument inject= asked for: see kernel/selftest/inject.h. */
struct injected {
    bool short_plan, sweep, entry, stack, map, map_file;
    uint64_t alloc; /* the number of the frame allocation that fails; 0: none */
    struct e820_entry holes[4];
    size_t nr_holes;
    uint64_t nr_single; /* number of holes of one page that are added to the E820 map */
};

/* Pages of known contents: see kernel/selftest/pattern_pages.h. */
struct pattern_pages {
    uint64_t *pages, nr, generation;
};

/* What only the self-tests and the commands that serve them use. */
struct selftest {
    struct injected injected;
    struct pattern_pages pattern_pages;
    void *blocker;        /* a second mapping of shared_info, which blocks a suspend; or NULL */
    uint64_t churn_pages; /* not 0: the balloon moves between this size and less all the time */
};

struct domain {
    const struct start_info *start_info; /* the builder's page: until it is read */
    struct boot_info boot;
    const char *builder; /* who built the domain */
    struct options options;
    struct host host;
    struct shared_info *shared; /* Xen's page, which the tools read and we write */

    struct fixmap fixmap;
    struct pagetable pt;
    struct frame_pool frame_pool;
    struct heap heap;

    struct memory_map map;
    enum map_source map_source;
    uint64_t max_pages; /* the domain's limit, as Xen said at boot */
    struct plan plan;
    uint64_t plan_max; /* pages that there is room for in the list, if the map has RAM for them */
    struct p2m p2m;
    struct mmu_batch batch;
    struct revectored revectored;
    struct publication publication;
    mfn_t suspend_mfn; /* of our copy of start_info, while the domain is suspended */
    struct kernel_mapping_result kernel_mapping;
    struct balloon balloon;
    struct foreign_window foreign;
    struct unpopulated unpopulated;
    struct grants grants;
    struct selftest selftest;
};

/* From linker.ld, all page-aligned: see the drawing there. */
extern char image_start[], rodata_start[], data_start[], stack_guard[], fixmap_start[],
    fixmap_end[], image_end[];

#endif
