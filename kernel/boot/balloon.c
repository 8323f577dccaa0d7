/* SPDX-License-Identifier: MIT */
#include "kernel/boot/balloon.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "xen/clock.h"

#include "kernel/boot/store.h"
#include "kernel/progress.h"

/* Between two tries to reach memory/target; each try that moves no page doubles it. */
#define RETRY_MIN_NS NS_PER_S
#define RETRY_MAX_NS (32 * NS_PER_S)

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

/*
 * move_to. If Xen has no memory for the rest of the way, gives up to BALLOON_XEN_PAGES of the new
 * pages back. *@nr_back is their number.
 */
static int move_and_leave(struct domain *d, uint64_t target, uint64_t *nr_back)
{
    uint64_t before = d->balloon.nr_pages, full;
    int rc = move_to(d, target);

    full = d->balloon.nr_pages;
    if (!rc && full > before && full < target && d->balloon.empty.nr_pfns)
        rc = move_to(d, full - min_u64(full - before, BALLOON_XEN_PAGES));
    *nr_back = full - d->balloon.nr_pages;
    return rc;
}

/* Grows to @target, and prints why the domain stopped. */
static int grow_to(struct domain *d, uint64_t target)
{
    uint64_t before = d->balloon.nr_pages, now, nr_back;
    int rc = move_and_leave(d, target, &nr_back);

    now = d->balloon.nr_pages;
    printk(LOG_INFO, "balloon: this domain grew by %lu pages to %lu pages: %s\n", now - before, now,
           now < target         ? "Xen allocates no more pages"
           : now < d->max_pages ? "the P2M list has no more RAM PFNs"
                                : "XENMEM_maximum_reservation is reached");
    if (nr_back)
        printk(LOG_INFO,
               "balloon: %lu more pages were taken and given back: Xen keeps them as a reserve\n",
               nr_back);
    return rc;
}

int balloon_stage(struct domain *d)
{
    size_t nr_runs = d->p2m.ranges.nr + d->plan.nr_moves + BALLOON_SPARE_RUNS;
    struct pfn_run *runs = heap_alloc(&d->heap, nr_runs * sizeof(*runs));
    uint64_t room = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr);
    uint64_t target = min_u64(d->max_pages, room);
    int rc;

    if (!runs)
        return -ENOMEM;
    d->balloon = (struct balloon){.p2m = &d->p2m, .pool = &d->frame_pool, .fixmap = &d->fixmap};
    rc = balloon_start(&d->balloon, &d->plan, runs, nr_runs);
    if (rc || d->options.balloon == BALLOON_NONE || target <= d->balloon.nr_pages)
        return rc;
    return grow_to(d, target);
}

int balloon_after_resume(struct domain *d, bool new_domain)
{
    uint64_t nr_found = 0, current;
    int rc = new_domain ? balloon_reconcile(&d->balloon, &nr_found) : 0;

    if (rc || !new_domain)
        return rc;
    /* The clock is that of another Xen, which may have memory. */
    d->memory_target.delay_ns = RETRY_MIN_NS;
    d->memory_target.retry_ns = clock_ns() + RETRY_MIN_NS;
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

/* Moves towards memory/target. Returns why the target was not reached; "" if it was. */
static const char *try_target(struct domain *d)
{
    const struct balloon *b = &d->balloon;
    uint64_t target = d->memory_target.nr_pages, nr_back;
    int rc = move_and_leave(d, target, &nr_back);

    if (rc)
        return errno_name(rc);
    if (b->nr_pages > target)
        return "the other pages are in use";
    if (b->nr_pages < target)
        return b->empty.nr_pfns ? "Xen allocates no more pages"
                                : "the P2M list has no more RAM PFNs";
    return "";
}

/*
 * True if a later try may come closer to memory/target: Xen may have memory then, or pages may be
 * free. The command churn has the balloon to itself.
 */
static bool is_pending(const struct domain *d)
{
    const struct balloon *b = &d->balloon;
    uint64_t target = d->memory_target.nr_pages;

    return target && !d->selftest.churn_pages &&
           (b->nr_pages > target || (b->nr_pages < target && b->empty.nr_pfns));
}

/* Tries to reach memory/target, says what has changed, and sets the time of the next try. */
static void pursue(struct domain *d, bool is_new)
{
    struct memory_target *t = &d->memory_target;
    uint64_t before = d->balloon.nr_pages, now;
    const char *why = try_target(d);
    bool has_moved, is_news;
    char text[120];

    now = d->balloon.nr_pages;
    has_moved = now != before;
    is_news = is_new || has_moved || why != t->why;
    t->why = why;
    t->delay_ns = is_new || has_moved ? RETRY_MIN_NS : min_u64(2 * t->delay_ns, RETRY_MAX_NS);
    t->retry_ns = clock_ns() + t->delay_ns;
    if (!is_news)
        return;
    format(text, sizeof(text), "%lu of %lu pages%s%s", now, t->nr_pages, *why ? ": " : "", why);
    if (is_new ? has_moved || now != t->nr_pages : !is_pending(d))
        printk(LOG_INFO, "balloon: memory/target: this domain has %s\n", text);
    store_say("data/balloon", text);
}

void balloon_follow(struct domain *d, uint64_t target)
{
    /* Under the PV shim, memory/target is the target of the outer domain, which is larger. */
    d->memory_target.nr_pages = min_u64(target, host_maximum_pages());
    pursue(d, true);
}

void balloon_end_pursuit(struct domain *d)
{
    d->memory_target.nr_pages = 0;
}

uint64_t balloon_wake_at(const struct domain *d)
{
    return is_pending(d) ? d->memory_target.retry_ns : UINT64_MAX;
}

bool balloon_poll(struct domain *d)
{
    if (clock_ns() < balloon_wake_at(d))
        return false;
    pursue(d, false);
    return true;
}
