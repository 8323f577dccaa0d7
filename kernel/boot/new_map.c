/* SPDX-License-Identifier: MIT */
#include "kernel/boot/new_map.h"

#include "lib/errno.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "mm/follow.h"

#include "kernel/boot/balloon.h"
#include "kernel/boot/memory.h"

/* What follow() allocates before it changes anything. */
struct room {
    struct ranges map, out; /* the ranges of the new map; of this domain from now on */
    struct pfn_runs empty;  /* the balloon's set from now on */
};

static bool is_same(const struct memory_map *a, const struct memory_map *b)
{
    return a->nr == b->nr && !memcmp(a->entries, b->entries, a->nr * sizeof(*a->entries));
}

static void free_runs(struct heap *heap, struct pfn_runs *s)
{
    heap_free(heap, s->runs, s->cap_runs * sizeof(*s->runs));
    s->runs = NULL;
}

static int get_room(struct domain *d, const struct memory_map *map, struct room *r)
{
    struct pfn_run *runs;
    size_t cap_runs;
    int rc = map_sanitize(d, map, &r->map);

    if (rc)
        return rc;
    r->out.cap = FOLLOW_MAX_RANGES(d->p2m.ranges.nr, r->map.nr) + UNPOPULATED_MAX_RANGES;
    cap_runs = d->balloon.empty.nr_runs + r->out.cap + BALLOON_SPARE_RUNS;
    r->out.r = heap_alloc(&d->heap, r->out.cap * sizeof(*r->out.r));
    runs = heap_alloc(&d->heap, cap_runs * sizeof(*runs));
    r->empty = d->balloon.empty;
    if (runs)
        pfn_runs_set_array(&r->empty, runs, cap_runs);
    else
        r->empty.runs = NULL;
    return r->out.r && runs ? 0 : -ENOMEM;
}

/* The PFNs of the list that became RAM have no frame; those that are RAM no more need none. */
static int update_empty(const struct domain *d, struct room *r)
{
    int rc = 0;

    for (uint64_t at = 0, next; !rc && at < d->p2m.nr; at = next) {
        bool was_ram = ranges_find(&d->p2m.ranges, at).kind == RANGE_RAM;
        bool is_ram = ranges_find(&r->out, at).kind == RANGE_RAM;

        next = min_u64(ranges_stretch(&d->p2m.ranges, &r->out, at), d->p2m.nr);
        if (is_ram && !was_ram)
            rc = pfn_runs_add(&r->empty, at, next);
        else if (was_ram && !is_ram)
            rc = pfn_runs_remove(&r->empty, at, next);
    }
    return rc;
}

/* The plan keeps the ranges for which the list was made. */
static void commit(struct domain *d, const struct memory_map *map, struct room *r)
{
    if (d->plan.map == &d->p2m.ranges) {
        d->plan_ranges = d->p2m.ranges;
        d->plan.map = &d->plan_ranges;
    } else {
        map_free(d, &d->p2m.ranges);
    }
    heap_free(&d->heap, d->map.entries, d->map.len_bytes);
    free_runs(&d->heap, &d->balloon.empty);
    d->map = *map;
    d->p2m.ranges = r->out;
    d->balloon.empty = r->empty;
    unpopulated_init(&d->unpopulated, &d->p2m, &d->balloon.empty, d->host.cpu_bits);
}

static void say(struct domain *d, const struct followed *f)
{
    printk(LOG_INFO, "map: the E820 map of this new domain is not that of the old domain\n");
    map_print(&d->p2m.ranges);
    if (f->nr_kept)
        printk(
            LOG_WARN,
            "map: %lu PFNs stay RAM, although they are a hole of the new E820 map: frames of this "
            "domain are there\n",
            f->nr_kept);
    if (f->nr_unlisted)
        printk(LOG_WARN,
               "map: %lu PFNs of RAM of the new E820 map stay without a frame: the P2M list has no "
               "entries for them\n",
               f->nr_unlisted);
    d->nr_misfits = f->nr_kept + f->nr_unlisted;
}

/* Allocates everything, then commits. On an error nothing has changed. */
static int follow(struct domain *d, const struct memory_map *map)
{
    struct room r = {0};
    struct followed f;
    int rc = get_room(d, map, &r);

    if (!rc)
        rc = ranges_follow(&d->p2m, &d->pt, &r.map, &r.out, &f);
    if (!rc)
        rc = update_empty(d, &r);
    map_free(d, &r.map);
    if (rc) {
        map_free(d, &r.out);
        free_runs(&d->heap, &r.empty);
        return rc;
    }
    commit(d, map, &r);
    say(d, &f);
    return 0;
}

int map_after_resume(struct domain *d, bool new_domain)
{
    struct memory_map map;
    int rc;

    if (!new_domain)
        return 0;
    rc = host_memory_map(&map, &d->heap, d->map_source, d->boot.nr_pages);
    if (!rc) {
        bool follows = !is_same(&map, &d->map);

        rc = follows ? follow(d, &map) : 0;
        if (rc || !follows)
            heap_free(&d->heap, map.entries, map.len_bytes);
    }
    if (rc)
        printk(LOG_WARN,
               "map: the E820 map of the new domain cannot be used: %d (%s); the old domain's map "
               "stays in force\n",
               rc, errno_name(rc));
    return 0;
}
