/* SPDX-License-Identifier: MIT */
#include "kernel/boot/balloon.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "kernel/boot/store.h"
#include "kernel/progress.h"

/* Runs of RAM PFNs without a frame that the balloon may add to those of the map and the plan. */
#define SPARE_RUNS 512

static void report_progress(void *progress, uint64_t nr_pages)
{
    progress_at(progress, nr_pages);
}

/* balloon_move with progress lines. */
static int move_to(struct domain *d, uint64_t target)
{
    struct progress progress;

    progress_start(&progress, "balloon", "pages", target);
    return balloon_move(&d->balloon, target, report_progress, &progress);
}

int balloon_stage(struct domain *d)
{
    size_t nr_runs = d->p2m.ranges.nr + d->plan.nr_moves + SPARE_RUNS;
    struct pfn_run *runs = heap_alloc(&d->heap, nr_runs * sizeof(*runs));
    uint64_t room = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr);
    uint64_t target = min_u64(d->max_pages, room), now;
    int rc;

    if (!runs)
        return -ENOMEM;
    d->balloon = (struct balloon){.p2m = &d->p2m, .pool = &d->frame_pool, .fixmap = &d->fixmap};
    rc = balloon_start(&d->balloon, &d->plan, runs, nr_runs);
    if (rc || d->options.balloon == BALLOON_NONE || target <= d->balloon.nr_pages)
        return rc;
    rc = move_to(d, target);
    now = d->balloon.nr_pages;
    printk(LOG_INFO, "balloon: this domain grew by %lu pages to %lu pages: %s\n",
           now - d->boot.nr_pages, now,
           now < target         ? "Xen allocates no more pages"
           : now < d->max_pages ? "the P2M list has no more RAM PFNs"
                                : "XENMEM_maximum_reservation is reached");
    return rc;
}

int balloon_after_resume(struct domain *d, bool new_domain)
{
    uint64_t nr_found = 0, current;
    int rc = new_domain ? balloon_reconcile(&d->balloon, &nr_found) : 0;

    if (rc || !new_domain)
        return rc;
    if (nr_found)
        printk(
            LOG_INFO,
            "balloon: %lu ballooned-out PFNs had a frame after resume; these frames were freed\n",
            nr_found);
    current = host_current_pages();
    if (current != d->balloon.nr_pages)
        printk(LOG_WARN,
               "balloon: after resume XENMEM_current_reservation is %lu pages, expected %lu, the "
               "kernel's count\n",
               current, d->balloon.nr_pages);
    return 0;
}

void balloon_go(struct domain *d, uint64_t target)
{
    int rc = move_to(d, target);

    if (rc)
        printk(LOG_WARN, "balloon: this domain stopped at %lu pages, the target is %lu: %d (%s)\n",
               d->balloon.nr_pages, target, rc, errno_name(rc));
}

void balloon_follow(struct domain *d, uint64_t target)
{
    uint64_t before = d->balloon.nr_pages, now;
    const char *why = "";
    char text[120];
    int rc;

    /* Under the PV shim, memory/target is the target of the outer domain, which is larger. */
    target = min_u64(target, host_maximum_pages());
    rc = move_to(d, target);
    now = d->balloon.nr_pages;
    if (rc)
        why = errno_name(rc);
    else if (now > target)
        why = "the other pages are in use";
    else if (now < target)
        why = d->balloon.empty.nr_pfns ? "Xen allocates no more pages"
                                       : "the P2M list has no more RAM PFNs";
    format(text, sizeof(text), "%lu of %lu pages%s%s", now, target, *why ? ": " : "", why);
    if (now != before || now != target)
        printk(LOG_INFO, "balloon: memory/target: this domain has %s\n", text);
    store_say("data/balloon", text);
}
