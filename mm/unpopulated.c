/* SPDX-License-Identifier: MIT */
#include "mm/unpopulated.h"

#include "lib/errno.h"
#include "lib/panic.h"

void unpopulated_init(struct unpopulated *u, struct p2m *p2m, struct pfn_runs *empty,
                      unsigned int cpu_bits)
{
    *u = (struct unpopulated){
        .p2m = p2m,
        .empty = empty,
        .map_end = ranges_end(&p2m->ranges),
        .limit = (uint64_t)1 << (cpu_bits - PAGE_SHIFT),
    };
}

/* The first @nr PFNs of [start, end) that start at a leaf; an empty run if they do not fit. */
static struct pfn_run fit(uint64_t start, uint64_t end, uint64_t nr)
{
    uint64_t first = ROUND_UP(start, P2M_PER_PAGE);

    if (first < start || first > end || nr > end - first)
        return (struct pfn_run){0, 0};
    return (struct pfn_run){first, first + nr};
}

/* @nr PFNs of RAM that have no frame. */
static struct pfn_run fit_in_ram(const struct unpopulated *u, uint64_t nr)
{
    struct pfn_run none = {0, 0};

    for (size_t i = 0; u->empty && i < u->empty->nr_runs; i++) {
        struct pfn_run run = fit(u->empty->runs[i].start, u->empty->runs[i].end, nr);

        if (run.end)
            return run;
    }
    return none;
}

/* @nr PFNs past the memory map, between the runs that are unpopulated there already. */
static struct pfn_run fit_above(const struct unpopulated *u, uint64_t nr)
{
    const struct ranges *t = &u->p2m->ranges;
    uint64_t from = max_u64(u->map_end, u->p2m->nr);

    for (size_t i = 0; i < t->nr; i++) {
        struct pfn_run run;

        if (t->r[i].end <= from || t->r[i].kind != RANGE_UNPOPULATED)
            continue;
        run = fit(from, t->r[i].start, nr);
        if (run.end)
            return run;
        from = t->r[i].end;
    }
    return fit(from, u->limit, nr);
}

int unpopulated_alloc(struct unpopulated *u, const struct foreign_range *range, uint64_t *start)
{
    uint64_t nr = ROUND_UP(range->nr, P2M_PER_PAGE);
    struct pfn_run run = fit_in_ram(u, nr);
    bool in_ram = run.end != 0;
    size_t slot = 0;
    int rc;

    if (!in_ram)
        run = fit_above(u, nr);
    if (!run.end)
        return -ENOSPC;
    while (slot < MAX_UNPOPULATED && u->used[slot].range)
        slot++;
    if (slot == MAX_UNPOPULATED)
        return -ENOMEM;
    rc = in_ram ? pfn_runs_remove(u->empty, run.start, run.end) : 0;
    if (rc)
        return rc;
    rc = ranges_set(&u->p2m->ranges, run.start, run.end, RANGE_UNPOPULATED);
    if (rc) {
        int failed = in_ram ? pfn_runs_add(u->empty, run.start, run.end) : 0;

        if (failed)
            panic("unpopulated_alloc: cannot return PFNs [0x%lx, 0x%lx) to the balloon: %d (%s), "
                  "after ranges_set for them failed: %d (%s)",
                  run.start, run.end, failed, errno_name(failed), rc, errno_name(rc));
        return rc;
    }
    u->used[slot].run = run;
    u->used[slot].range = range;
    *start = run.start;
    return 0;
}

int unpopulated_free(struct unpopulated *u, uint64_t start)
{
    for (size_t i = 0; i < MAX_UNPOPULATED; i++) {
        struct pfn_run run = u->used[i].run;
        bool in_ram = run.end <= u->map_end;
        int rc;

        if (!u->used[i].range || run.start != start)
            continue;
        rc = in_ram ? pfn_runs_add(u->empty, run.start, run.end) : 0;
        if (rc)
            return rc;
        rc = ranges_set(&u->p2m->ranges, run.start, run.end,
                        in_ram ? RANGE_RAM : u->p2m->ranges.beyond);
        if (rc)
            return rc;
        ranges_trim(&u->p2m->ranges, u->map_end);
        u->used[i].range = NULL;
        return 0;
    }
    return -EINVAL;
}

void *unpopulated_page(const struct unpopulated *u, pfn_t pfn)
{
    for (size_t i = 0; i < MAX_UNPOPULATED; i++) {
        const struct foreign_range *range = u->used[i].range;
        uint64_t page = pfn.v - u->used[i].run.start;

        if (range && pfn.v >= u->used[i].run.start && page < range->nr &&
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
