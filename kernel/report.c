/* SPDX-License-Identifier: MIT */
#include "kernel/report.h"

#include "lib/printk.h"

#include "kernel/boot/stages.h"

static void report_ranges(const struct ranges *t)
{
    print(",\"ranges\":[");
    for (size_t i = 0; i < t->nr; i++)
        print("%s[%lu,%lu,\"%s\"]", i ? "," : "", t->r[i].start, t->r[i].end,
              range_kind_name(t->r[i].kind));
    print("],\"beyond\":\"%s\"", range_kind_name(t->beyond));
    for (enum range_kind kind = 0; kind < NR_RANGE_KINDS; kind++)
        print(",\"%s_pages\":%lu", range_kind_name(kind), ranges_count(t, kind, UINT64_MAX));
}

/* Number of moves that scripts/memory-map can draw; the field "renumbered" counts all frames. */
#define MAX_MOVES 32

static void report_moves(const struct plan *plan)
{
    print(",\"moves\":[");
    for (size_t i = 0; i < min_u64(plan->nr_moves, MAX_MOVES); i++)
        print("%s[%lu,%lu,%lu]", i ? "," : "", plan->moves[i].from, plan->moves[i].to,
              plan->moves[i].nr);
    print("]");
}

/* The areas of the address space in ascending order (arch/x86/layout.h). */
static void report_virtual(const struct domain *d)
{
    const struct {
        const char *name;
        uint64_t start, end;
    } areas[] = {
        {"M2P",    (uintptr_t)d->host.m2p.table, (uintptr_t)(d->host.m2p.table + d->host.m2p.nr)},
        {"heap",   HEAP_BASE,                    d->heap.next                                   },
        {"list",   (uintptr_t)d->p2m.list,       (uintptr_t)(d->p2m.list + d->p2m.nr)           },
        {"window", FOREIGN_BASE,                 FOREIGN_BASE + FOREIGN_BYTES                   },
        {"image",  (uintptr_t)image_start,       (uintptr_t)image_end                           },
    };

    print(",\"virtual\":[");
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++)
        print("%s[\"%s\",\"0x%lx\",\"0x%lx\"]", i ? "," : "", areas[i].name, areas[i].start,
              areas[i].end);
    print("]");
}

static void report_list(const struct domain *d)
{
    print(",\"list\":{\"va\":\"0x%lx\",\"found\":\"%s\",\"builder_va\":\"0x%lx\",\"entries\":%lu,"
          "\"tables\":%lu,"
          "\"new_pages\":%lu,\"shared_pages\":%lu,\"old_tables\":%lu,\"old_2m\":%lu,"
          "\"old_1g\":%lu}",
          (uintptr_t)d->p2m.list, d->revectored.origin == LIST_IN_SLOT ? "slot" : "kernel mapping",
          d->boot.list_va, d->p2m.nr, d->revectored.nr_tables, d->revectored.nr_new_leaves,
          d->revectored.nr_none, d->revectored.nr_old_tables, d->revectored.nr_old_2m,
          d->revectored.nr_old_1g);
    print(",\"tree_pages\":%lu", d->publication.top ? d->publication.nr_mids + 1 : 0);
    print(",\"renumbered\":%lu,\"m2p_updates\":%lu,\"m2p_hypercalls\":%lu", d->plan.nr_moved,
          d->batch.nr_updates, d->batch.nr_hypercalls);
}

static void report_ticks(void)
{
    print(",\"ticks\":{\"entry\":%lu", ticks_at_entry);
    for (size_t i = 0; i < nr_stages; i++)
        print(",\"%s\":%lu", stages[i].name, ticks_after_stage[i]);
    print("}");
}

void report_boot(const struct domain *d)
{
    print("{\"report\":\"boot\",\"kind\":\"%s\",\"builder\":\"%s\",\"flags\":%u,"
          "\"xen\":\"%u.%u%s\"",
          boot_info_is_initdomain(&d->boot) ? "dom0" : "domU", d->builder, d->boot.flags,
          d->host.major, d->host.minor, d->host.extra);
    print(",\"vcpus\":%u,\"cpu_bits\":%u,\"xen_bits\":%u", d->host.nr_vcpus, d->host.cpu_bits,
          d->host.xen_bits);
    print(",\"nr_pages\":%lu,\"max_pages\":%lu,\"max_pfn\":%lu,\"max_mfn\":%lu", d->boot.nr_pages,
          d->max_pages, d->shared->arch.max_pfn, d->host.max_mfn);
    print(",\"frame_requests\":%lu,\"free_pages\":%lu,\"ballooned\":%ld,\"teardown_pages\":%lu,"
          "\"ramdisk_bytes\":%lu",
          d->frame_pool.nr_requests, d->frame_pool.free.nr_pfns,
          (long)(d->balloon.nr_pages - d->boot.nr_pages), d->kernel_mapping.nr_freed,
          d->boot.ramdisk_bytes);
    report_list(d);
    report_ranges(&d->p2m.ranges);
    report_moves(&d->plan);
    report_virtual(d);
    report_ticks();
    print("}\n");
}

void report_suspend(const struct domain *d, bool new_domain)
{
    const struct suspend_times *at = &d->suspend_times;

    print("{\"report\":\"suspend\",\"domain\":\"%s\",\"pages\":%lu,\"entries\":%lu",
          new_domain ? "new" : "old", d->balloon.nr_pages, d->p2m.nr);
    print(",\"before\":[[\"woken\",%lu],[\"request\",%lu]", at->woken, at->called);
    for (size_t i = nr_stages; i-- > 0;)
        if (stages[i].before_suspend)
            print(",[\"%s\",%lu]", stages[i].name, running_after_suspend[i]);
    print(",[\"search\",%lu],[\"stop\",%lu]]", at->searched, at->stopping);
    print(",\"after\":[[\"back\",%lu]", at->back);
    for (size_t i = 0; i < nr_stages; i++)
        if (stages[i].after_resume)
            print(",[\"%s\",%lu]", stages[i].name, running_after_resume[i]);
    print("]}\n");
}
