/* SPDX-License-Identifier: MIT */
/*
 * struct domain: what the stages of boot (kernel/boot/stages.c) find out about this domain. main.c
 * has the only instance; the stages fill its fields roughly from top to bottom, and each function
 * that needs a field is given the struct.
 *
 * Not all state is here. These files keep static state of their own: lib/printk.c (the log level);
 * arch/x86/traps.c; console.c, clock.c, evtchn.c, xenstore*.c, watchdog.c and start_info.c in xen/;
 * kernel/boot/ (pages of the image that map foreign frames, watches); kernel/shell/shell.c (the
 * typed line); granter.c and grantee.c in kernel/selftest/.
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

/* The faults that the argument inject= asks for: see kernel/selftest/inject.h. */
struct injected {
    bool short_plan; /* inject=tap-plan */
    bool sweep, entry, stack, hang;
    bool map, map_file; /* any inject=map:..., and inject=map:file */
    uint64_t alloc;     /* number, from 1, of the frame allocation that fails; 0: none */
    struct e820_entry holes[4];
    size_t nr_holes;
    uint64_t nr_single; /* number of holes of one page that are added to the E820 map */
};

/* Pages of known contents: see kernel/selftest/pattern_pages.h. */
struct pattern_pages {
    uint64_t *pages; /* nr pages on the heap; NULL if nr is 0 */
    uint64_t nr, generation;
};

/* State that only the self-tests and their commands use. */
struct selftest {
    struct injected injected;
    struct pattern_pages pattern_pages;
    uint8_t first_mask;     /* evtchn_upcall_mask of vCPU 0 before the kernel wrote shared_info */
    void *blocker;          /* second mapping of shared_info (command block_suspend), or NULL */
    uint64_t churn_pages;   /* upper size of the balloon during the command churn, or 0 */
    uint64_t churn_periods; /* of churn, since the start of the kernel */
};

/* The last memory/target, which the balloon pursues: see kernel/boot/balloon.h. */
struct memory_target {
    uint64_t nr_pages; /* 0: none */
    const char *why;   /* why the last try did not reach it; "" if it did */
    uint64_t retry_ns; /* clock_ns() of the next try */
    uint64_t delay_ns; /* from the last try to the next */
};

/* clock_running_ns() at steps of the last suspend, for the suspend report (kernel/suspend.h). */
struct suspend_times {
    uint64_t woken;    /* kernel/live.c: the wait has ended that was the last before the request */
    uint64_t called;   /* the request was read: suspend() begins */
    uint64_t searched; /* all page tables were searched */
    uint64_t stopping; /* just before SCHEDOP_shutdown */
    uint64_t back;     /* just after it, perhaps in a new domain */
};

struct domain {
    const struct start_info *start_info; /* the builder's page; NULL after the stage start_info */
    struct boot_info boot;               /* the validated copy of start_info */
    const char *builder;                 /* name of the domain builder, for the boot report */
    struct options options;              /* the command line */
    struct host host;                    /* Xen's version, the M2P, widths of machine addresses */
    struct shared_info *shared;          /* mapping of shared_info, a frame that Xen owns */

    struct fixmap fixmap;
    struct pagetable pt;
    struct frame_pool frame_pool; /* free frames of this domain */
    struct heap heap;

    struct memory_map map; /* the E820 map that Xen returned to this domain, on the heap */
    enum map_source map_source;
    uint64_t max_pages;  /* XENMEM_maximum_reservation at boot, in pages */
    uint64_t nr_misfits; /* PFNs whose kind is not that of the map (kernel/boot/new_map.h) */
    struct plan plan;
    struct ranges plan_ranges; /* the ranges of the plan, if a later map has replaced them */
    uint64_t plan_max;         /* pages up to which this domain can grow within the P2M list */
    struct p2m p2m;            /* the P2M list, and the PFN ranges that give ~0 its meaning */
    struct mmu_batch batch;    /* counts of MMU_MACHPHYS_UPDATE by the stage renumber */
    struct revectored revectored;
    struct publication publication; /* the P2M tree */
    mfn_t suspend_mfn;              /* of the copy of start_info, for SCHEDOP_shutdown(suspend) */
    struct suspend_times suspend_times;
    struct kernel_mapping_result kernel_mapping;
    struct balloon balloon;
    struct memory_target memory_target;
    struct foreign_window foreign;
    struct unpopulated unpopulated;
    struct grants grants;
    struct selftest selftest;
};

/* Page-aligned addresses of the image, defined by linker.ld, which has a drawing of them. */
extern char image_start[], rodata_start[], data_start[], stack_guard[], fixmap_start[],
    fixmap_end[], image_end[];

#endif
