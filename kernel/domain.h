/* SPDX-License-Identifier: MIT */
/*
 * All that the kernel knows of the domain it runs in. One instance, filled by the stages of boot
 * (stages.c) from top to bottom, and passed to whatever needs it.
 */
#ifndef KERNEL_DOMAIN_H
#define KERNEL_DOMAIN_H

#include "mm/kmap.h"
#include "mm/publish.h"
#include "mm/renumber.h"
#include "mm/revector.h"
#include "mm/safe.h"

#include "xen/balloon.h"
#include "xen/grants.h"
#include "xen/host.h"
#include "xen/start_info.h"

#include "kernel/cmdline.h"

/* What inject= asked for: see inject.h. */
struct injected {
    bool short_plan, sweep, entry, map, map_file;
    uint64_t alloc; /* 0: none fails */
    struct e820_entry holes[4];
    size_t nr_holes;
    uint64_t nr_single; /* and as many of one page, here and there */
};

/* Pages of known contents: see marks.h. */
struct marks {
    uint64_t *pages, nr, generation;
};

struct domain {
    const struct start_info *start_info; /* the builder's page: until it is read */
    struct boot_info boot;
    const char *builder; /* who built the domain */
    struct options options;
    struct host host;
    struct shared_info *shared; /* Xen's page, which the tools read and we write */

    struct windows windows;
    struct pagetable pt;
    struct frames frames;
    struct heap heap;

    struct injected injected;
    struct memory_map map;
    enum map_source map_source;
    uint64_t max_pages; /* the domain's limit, as Xen said at boot */
    struct plan plan;
    uint64_t plan_max; /* pages that there is room for in the list, if the map has RAM for them */
    struct p2m p2m;
    struct mmu_batch batch;
    struct revectored list;
    struct publication publication;
    mfn_t suspend_mfn; /* of our copy of start_info, while the domain is suspended */
    struct kmap_result kmap;
    struct balloon balloon;
    struct foreign_window foreign;
    struct safe safe;
    struct grants grants;
    struct marks marks;
    void *obstacle;       /* a mapping that no tool can carry; NULL: none */
    uint64_t churn_pages; /* not 0: it moves its balloon between this and less, all the time */
};

/* From linker.ld, all page-aligned: see the drawing there. */
extern char image_start[], rodata_start[], data_start[], stack_guard[], window_start[],
    window_end[], image_end[];

#endif
