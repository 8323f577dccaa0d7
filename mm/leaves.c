/* SPDX-License-Identifier: MIT */
#include "mm/leaves.h"

/* Lowers *@end to the first edge of these PFNs above leaf @at: the kind may change there. */
static void stop_at(uint64_t *end, uint64_t at, uint64_t start_pfn, uint64_t nr_pfns)
{
    uint64_t start = start_pfn / P2M_PER_PAGE, stop = (start_pfn + nr_pfns) / P2M_PER_PAGE;

    if (start > at)
        *end = min_u64(*end, start);
    else if (stop > at)
        *end = min_u64(*end, stop);
}

static bool covers(uint64_t start_pfn, uint64_t nr_pfns, uint64_t leaf)
{
    return leaf * P2M_PER_PAGE - start_pfn < nr_pfns;
}

/* The first move of whole leaves from move @i on; NULL if there is none. */
static const struct move *leaves_move(const struct plan *p, size_t i)
{
    if (i < p->nr_moves)
        i = p->moves[i].next_leaves;
    return i < p->nr_moves ? &p->moves[i] : NULL;
}

struct leaf_run leaves_at(const struct plan *p, uint64_t at)
{
    uint64_t pfn = at * P2M_PER_PAGE, nr_old = DIV_ROUND_UP(p->nr_pages, P2M_PER_PAGE);
    const struct move *leaving = leaves_move(p, plan_first_from(p, pfn));
    const struct move *coming = leaves_move(p, plan_first_to(p, pfn));
    struct leaf_run run = {
        .start = at, .end = p->list_end / P2M_PER_PAGE, .from = at, .kind = LEAF_OLD};
    struct range ram;

    stop_at(&run.end, at, nr_old * P2M_PER_PAGE, 0);
    if (leaving)
        stop_at(&run.end, at, leaving->from, leaving->nr);
    if (coming)
        stop_at(&run.end, at, coming->to, coming->nr);

    if (coming && covers(coming->to, coming->nr, at)) {
        run.from = at - coming->to / P2M_PER_PAGE + coming->from / P2M_PER_PAGE;
        return run;
    }
    if (at < nr_old && !(leaving && covers(leaving->from, leaving->nr, at)))
        return run;

    run.from = 0;
    ram = ranges_next_ram(p->map, pfn);
    if (ram.start / P2M_PER_PAGE > at) {
        run.kind = LEAF_NONE;
        run.end = min_u64(run.end, ram.start / P2M_PER_PAGE);
    } else {
        run.kind = LEAF_NEW;
        run.end = min_u64(run.end, DIV_ROUND_UP(ram.end, P2M_PER_PAGE));
    }
    return run;
}

uint64_t leaves_count(const struct plan *plan, enum leaf_kind kind)
{
    uint64_t n = 0;

    for (uint64_t at = 0; at < plan->list_end / P2M_PER_PAGE;) {
        struct leaf_run run = leaves_at(plan, at);

        if (run.kind == kind)
            n += run.end - run.start;
        at = run.end;
    }
    return n;
}

bool leaves_none(const struct plan *plan, uint64_t start, uint64_t end)
{
    while (start < end) {
        struct leaf_run run = leaves_at(plan, start);

        if (run.kind != LEAF_NONE)
            return false;
        start = run.end;
    }
    return true;
}
