/* SPDX-License-Identifier: MIT */
#include "mm/unpopulated.h"

#include "lib/errno.h"
#include "lib/panic.h"

void unpopulated_init(struct unpopulated *s, struct p2m *p2m, struct pfn_runs *empty,
                      unsigned int cpu_bits)
{
    *s = (struct unpopulated){
        .p2m = p2m,
        .empty = empty,
        .map_end = ranges_end(&p2m->ranges),
        .limit = (uint64_t)1 << (cpu_bits - PAGE_SHIFT),
    };
}

/* Whole leaves, @nr PFNs of them, in [start, end); an empty run if they do not fit. */
static struct pfn_run fit(uint64_t start, uint64_t end, uint64_t nr)
{
    uint64_t first = ROUND_UP(start, P2M_PER_PAGE);

    if (first < start || first > end || nr > end - first)
        return (struct pfn_run){0, 0};
    return (struct pfn_run){first, first + nr};
}

/* RAM of the map that has no frame. */
static struct pfn_run fit_in_ram(const struct unpopulated *s, uint64_t nr)
{
    struct pfn_run none = {0, 0};

    for (size_t i = 0; s->empty && i < s->empty->nr_runs; i++) {
        struct pfn_run run = fit(s->empty->runs[i].start, s->empty->runs[i].end, nr);

        if (run.end)
            return run;
    }
    return none;
}

/* What no map names, between the runs that are taken there already. */
static struct pfn_run fit_above(const struct unpopulated *s, uint64_t nr)
{
    const struct ranges *t = &s->p2m->ranges;
    uint64_t from = max_u64(s->map_end, s->p2m->nr);

    for (size_t i = 0; i < t->nr; i++) {
        struct pfn_run run;

        if (t->r[i].end <= from || t->r[i].kind != RANGE_UNPOPULATED)
            continue;
        run = fit(from, t->r[i].start, nr);
        if (run.end)
            return run;
        from = t->r[i].end;
    }
    return fit(from, s->limit, nr);
}

int unpopulated_alloc(struct unpopulated *s, const struct foreign_range *range, uint64_t *start)
{
    uint64_t nr = ROUND_UP(range->nr, P2M_PER_PAGE);
    struct pfn_run run = fit_in_ram(s, nr);
    bool in_ram = run.end != 0;
    size_t slot = 0;
    int rc;

    if (!in_ram)
        run = fit_above(s, nr);
    if (!run.end)
        return -ENOSPC;
    while (slot < MAX_UNPOPULATED && s->taken[slot].range)
        slot++;
    if (slot == MAX_UNPOPULATED)
        return -ENOMEM;
    rc = in_ram ? pfn_runs_remove(s->empty, run.start, run.end) : 0;
    if (rc)
        return rc;
    rc = ranges_set(&s->p2m->ranges, run.start, run.end, RANGE_UNPOPULATED);
    if (rc && in_ram && pfn_runs_add(s->empty, run.start, run.end))
        panic("empty PFNs from 0x%lx on can be neither taken nor given back", run.start);
    if (rc)
        return rc;
    s->taken[slot].run = run;
    s->taken[slot].range = range;
    *start = run.start;
    return 0;
}

int unpopulated_free(struct unpopulated *s, uint64_t start)
{
    for (size_t i = 0; i < MAX_UNPOPULATED; i++) {
        struct pfn_run run = s->taken[i].run;
        bool in_ram = run.end <= s->map_end;
        int rc;

        if (!s->taken[i].range || run.start != start)
            continue;
        rc = in_ram ? pfn_runs_add(s->empty, run.start, run.end) : 0;
        if (rc)
            return rc;
        rc = ranges_set(&s->p2m->ranges, run.start, run.end,
                        in_ram ? RANGE_RAM : s->p2m->ranges.beyond);
        if (rc)
            return rc;
        ranges_trim(&s->p2m->ranges, s->map_end);
        s->taken[i].range = NULL;
        return 0;
    }
    return -EINVAL;
}

void *unpopulated_page(const struct unpopulated *s, pfn_t pfn)
{
    for (size_t i = 0; i < MAX_UNPOPULATED; i++) {
        const struct foreign_range *range = s->taken[i].range;
        uint64_t page = pfn.v - s->taken[i].run.start;

        if (range && pfn.v >= s->taken[i].run.start && page < range->nr &&
            foreign_is_mapped(range, page))
            return (void *)(uintptr_t)foreign_va(range, page);
    }
    return NULL;
}

const void *page_show(struct fixmap *f, const struct unpopulated *u, pfn_t pfn)
{
    mfn_t mfn = p2m_get_ram(u->p2m, pfn);

    if (mfn_eq(mfn, INVALID_MFN))
        return unpopulated_page(u, pfn);
    return fixmap_map(f, FIXMAP_SCRATCH, mfn, PTE_RO);
}
