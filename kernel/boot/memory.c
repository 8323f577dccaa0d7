/* SPDX-License-Identifier: MIT */
#include "kernel/boot/memory.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/layout.h"

#include "mm/unpopulated.h"

#include "kernel/boot/surplus.h"
#include "kernel/progress.h"
#include "kernel/selftest/inject.h"

/* Runs of free PFNs before the E820 map is read: the builder uses few ranges of PFNs. */
#define EARLY_RUNS 16
/* Runs that allocations may add to the runs of the E820 map, as they split runs. */
#define SPARE_RUNS 512

/* Frees the frames of the image pages [@start, @end), which no longer map these frames. */
static int add_hidden(struct domain *d, const char *start, const char *end)
{
    return frame_pool_add(&d->frame_pool, boot_pfn((uintptr_t)start), boot_pfn((uintptr_t)end));
}

int frame_pool_stage(struct domain *d)
{
    static struct pfn_run early[EARLY_RUNS];
    const struct boot_info *b = &d->boot;
    uint64_t mapped = boot_pfn(kernel_mapping_end(&d->pt, (uintptr_t)image_end)), gap;
    int rc;

    d->p2m = (struct p2m){.list = (uint64_t *)b->list_va, .nr = b->nr_pages};
    gap = p2m_find_gap(&d->p2m);
    if (gap < b->nr_pages) {
        /* libxenguest leaves gaps between the ranges of a vNUMA, and has frames past nr_pages */
        printk(LOG_ERROR,
               "frame_pool: the builder's P2M entry of PFN 0x%lx is ~0, expected an MFN\n", gap);
        return -EINVAL;
    }
    frame_pool_init(&d->frame_pool, early, EARLY_RUNS, &d->p2m, &d->host.m2p);
    d->frame_pool.fail_at = d->selftest.injected.alloc;
    heap_init(&d->heap, &d->pt, HEAP_BASE);

    /* free: all PFNs except the kernel mapping, the builder's P2M list and the ramdisk */
    rc = frame_pool_add(&d->frame_pool, 0, b->nr_pages);
    if (!rc)
        rc = frame_pool_exclude(&d->frame_pool, 0, mapped);
    if (!rc)
        rc = frame_pool_exclude(&d->frame_pool, b->list_pfn, b->list_pfn + b->nr_list_pfns);
    if (!rc)
        rc = frame_pool_exclude(&d->frame_pool, b->ramdisk_pfn,
                                b->ramdisk_pfn + boot_info_ramdisk_pages(b));
    if (!rc)
        rc = add_hidden(d, stack_guard, stack_guard + PAGE_SIZE);
    if (!rc)
        rc = add_hidden(d, fixmap_start, fixmap_end);
    printk(LOG_INFO, "frame_pool: %lu of %lu pages of this domain are free\n",
           d->frame_pool.free.nr_pfns, b->nr_pages);
    return rc;
}

/* The boot report has all ranges. Xen's serial console drops lines of a longer output. */
#define MAX_PRINTED 32

void map_print(const struct ranges *t)
{
    size_t nr = min_u64(t->nr, MAX_PRINTED);

    for (size_t i = 0; i < nr; i++)
        printk(LOG_INFO, "map: E820: PFNs [0x%lx, 0x%lx) %s\n", t->r[i].start, t->r[i].end,
               range_kind_name(t->r[i].kind));
    if (nr < t->nr)
        printk(LOG_INFO, "map: E820: %lu more PFN ranges: see \"ranges\" in the boot report\n",
               t->nr - nr);
    printk(LOG_INFO, "map: E820: past the last range, from PFN 0x%lx on: %s\n", ranges_end(t),
           range_kind_name(t->beyond));
}

void map_free(struct domain *d, struct ranges *ranges)
{
    heap_free(&d->heap, ranges->r, ranges->cap * sizeof(*ranges->r));
    ranges->r = NULL;
}

int map_sanitize(struct domain *d, const struct memory_map *map, struct ranges *out)
{
    uint64_t edges_bytes = E820_MAX_EDGES(map->nr) * sizeof(struct e820_edge);
    struct e820_edge *edges;
    int rc = -ENOMEM;

    out->cap = E820_MAX_RANGES(map->nr) + UNPOPULATED_MAX_RANGES;
    out->r = heap_alloc(&d->heap, out->cap * sizeof(*out->r));
    edges = heap_alloc(&d->heap, edges_bytes);
    if (out->r && edges)
        rc = e820_sanitize(map->entries, map->nr, boot_info_is_initdomain(&d->boot), edges, out);
    heap_free(&d->heap, edges, edges_bytes);
    if (rc)
        map_free(d, out);
    return rc;
}

int map_stage(struct domain *d)
{
    uint64_t nr_runs;
    struct pfn_run *runs;
    int rc;

    d->map_source = boot_info_is_initdomain(&d->boot) ? MAP_MACHINE : MAP_OWN;
    rc = host_memory_map(&d->map, &d->heap, d->map_source, d->boot.nr_pages);
    if (!rc && d->selftest.injected.map)
        rc = inject_map(d);
    if (rc)
        return rc;
    rc = map_sanitize(d, &d->map, &d->p2m.ranges);
    if (rc == -ENOMEM)
        return rc;
    if (rc) {
        printk(LOG_ERROR,
               "map: the E820 map has %lu entries and no page of RAM, expected at least 1\n",
               d->map.nr);
        return rc;
    }
    map_print(&d->p2m.ranges);

    nr_runs = d->p2m.ranges.nr + SPARE_RUNS;
    runs = heap_alloc(&d->heap, nr_runs * sizeof(*runs));
    if (!runs)
        return -ENOMEM;
    frame_pool_set_array(&d->frame_pool, runs, nr_runs);
    return 0;
}

/* True if the planned P2M list fits its slot and takes at most a quarter of the free frames. */
static bool plan_is_affordable(const struct domain *d)
{
    return d->plan.list_end <= LIST_MAX_ENTRIES &&
           leaves_count(&d->plan, LEAF_NEW) <= d->frame_pool.free.nr_pfns / 4;
}

/*
 * Plans a P2M list with room for @nr_max pages. While the list is not affordable, halves the pages
 * above nr_pages: an E820 map may have any amount of RAM. Without room to grow, the plan is used
 * even if the list is not affordable.
 */
static int make_plan(struct domain *d, uint64_t nr_max)
{
    uint64_t nr_pages = d->boot.nr_pages, requested = nr_max;
    int rc = plan_make(&d->plan, &d->p2m.ranges, nr_pages, nr_max);

    bool is_long = !rc && d->plan.list_end > LIST_MAX_ENTRIES;

    while (!rc && nr_max > nr_pages && !plan_is_affordable(d)) {
        nr_max = nr_pages + (nr_max - nr_pages) / 2;
        rc = plan_make(&d->plan, &d->p2m.ranges, nr_pages, nr_max);
    }
    d->plan_max = max_u64(nr_max, nr_pages);
    if (nr_max != requested)
        printk(LOG_WARN,
               "plan: a P2M list with room for 0x%lx pages takes %s; this domain can grow only to "
               "0x%lx pages\n",
               requested,
               is_long ? "more than its L4 slot" : "more than a quarter of the free frames",
               nr_max);
    return rc;
}

int plan_stage(struct domain *d)
{
    uint64_t nr_max;
    int rc = surplus_release(d);

    if (rc)
        return rc;
    /* the E820 map of a domU ends at its maxmem; a dom0 has the map of the machine */
    nr_max = boot_info_is_initdomain(&d->boot)
                 ? plan_dom0_max(&d->p2m.ranges, d->boot.nr_pages, d->max_pages, d->host.ram_end)
                 : ranges_count(&d->p2m.ranges, RANGE_RAM, UINT64_MAX);
    d->plan.cap_moves = PLAN_MAX_MOVES(d->p2m.ranges.nr);
    d->plan.moves = heap_alloc(&d->heap, d->plan.cap_moves * sizeof(struct move));
    if (!d->plan.moves)
        return -ENOMEM;
    rc = make_plan(d, nr_max);
    if (rc)
        return rc;
    for (size_t i = 0; i < d->plan.nr_moves; i++)
        printk(LOG_DEBUG, "plan: 0x%lx frames at PFNs from 0x%lx on get PFNs from 0x%lx on%s\n",
               d->plan.moves[i].nr, d->plan.moves[i].from, d->plan.moves[i].to,
               d->plan.moves[i].leaves ? ", as whole 4 KiB pages of the P2M list" : "");
    printk(LOG_INFO,
           "plan: %lu frames outside the E820 map's RAM get new PFNs; the P2M list gets 0x%lx "
           "entries\n",
           d->plan.nr_moved, d->plan.list_end);
    return 0;
}

int revector_stage(struct domain *d)
{
    struct revector r = {
        .pt = &d->pt,
        .heap = &d->heap,
        .p2m = &d->p2m,
        .m2p = &d->host.m2p,
        .plan = &d->plan,
        .list_base = LIST_BASE,
    };
    int rc = revector(&r, &d->revectored);

    if (rc) {
        printk(LOG_ERROR, "P2M move: %d (%s): the builder's P2M list at 0x%lx was not replaced\n",
               rc, errno_name(rc), d->boot.list_va);
        return rc;
    }
    printk(LOG_INFO,
           "P2M move: P2M list mapped at 0x%lx: %lu page tables and %lu pages of entries are new, "
           "%lu level 1 entries map one page of ~0 (holes); %lu page tables of the builder's list "
           "were freed\n",
           (uintptr_t)d->p2m.list, d->revectored.nr_tables, d->revectored.nr_new_leaves,
           d->revectored.nr_none, d->revectored.nr_old_tables);
    return 0;
}

/*
 * While the domain is suspended, none_leaf holds a PFN: in a new domain the frame has another MFN.
 */
int revector_before_suspend(struct domain *d)
{
    if (!mfn_eq(d->revectored.none_leaf, INVALID_MFN))
        d->revectored.none_leaf = to_mfn(m2p_get(&d->host.m2p, d->revectored.none_leaf).v);
    return 0;
}

int revector_after_resume(struct domain *d, bool new_domain)
{
    (void)new_domain;
    if (!mfn_eq(d->revectored.none_leaf, INVALID_MFN))
        d->revectored.none_leaf = p2m_get_ram(&d->p2m, to_pfn(d->revectored.none_leaf.v));
    return 0;
}

static void report_progress(void *progress, uint64_t done)
{
    progress_at(progress, done);
}

int renumber_stage(struct domain *d)
{
    struct progress progress;

    progress_start(&progress, "renumber", "frames", d->plan.nr_moved);
    return renumber(&d->plan, &d->p2m, &d->frame_pool, &d->batch, report_progress, &progress);
}

int publish_stage(struct domain *d)
{
    int rc = d->options.form == PUBLISH_LIST
                 ? 0
                 : publish_build_tree(&d->publication, &d->pt, &d->heap, &d->p2m);
    if (rc == -ERANGE)
        printk(LOG_INFO,
               "publish: no P2M tree is published: a tree has at most 0x%lx entries, the P2M list "
               "has 0x%lx\n",
               TREE_MAX_PFNS, d->p2m.nr);
    else if (rc)
        return rc;
    return publish(&d->shared->arch, &d->publication, &d->pt, &d->p2m, d->options.form);
}

int publish_after_resume(struct domain *d, bool new_domain)
{
    if (!new_domain)
        return 0;
    if (d->publication.top)
        publish_fill_tree(&d->publication, &d->pt, &d->p2m);
    return publish(&d->shared->arch, &d->publication, &d->pt, &d->p2m, d->options.form);
}

int teardown_stage(struct domain *d)
{
    uint64_t ramdisk_bytes = boot_info_ramdisk_pages(&d->boot) * PAGE_SIZE;
    uint64_t list_bytes = ROUND_UP(d->boot.nr_pages * sizeof(uint64_t), PAGE_SIZE);
    struct kernel_mapping k = {
        .image = {(uintptr_t)image_start, (uintptr_t)image_end}
    };
    int rc;

    k.keep_mfns[0] = d->pt.root;
    k.keep_mfns[1] = d->boot.console;
    k.keep_mfns[2] = d->boot.store;
    if (d->boot.ramdisk_va)
        k.keep[0] = (struct va_range){d->boot.ramdisk_va, d->boot.ramdisk_va + ramdisk_bytes};
    if (d->revectored.origin == LIST_ELSEWHERE)
        k.keep[1] = (struct va_range){d->boot.list_va, d->boot.list_va + list_bytes};
    rc = kernel_mapping_reduce(&d->pt, &k, &d->kernel_mapping);
    if (!rc)
        printk(LOG_INFO,
               "teardown: %lu frames of the builder's initial mapping, its page tables included, "
               "were added to the frame pool\n",
               d->kernel_mapping.nr_freed);
    return rc;
}
