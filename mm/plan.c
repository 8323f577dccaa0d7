/* SPDX-License-Identifier: MIT */
#include "mm/plan.h"

#include "lib/errno.h"

/* The lowest PFN that may be a target: all RAM below it is in use or is the target of a move. */
struct cursor {
    const struct ranges *map;
    uint64_t at;
};

static int add_move(struct plan *p, uint64_t from, uint64_t to, uint64_t nr, bool leaves)
{
    if (nr == 0)
        return 0;
    if (p->nr_moves == p->cap_moves)
        return -ENOMEM;
    p->moves[p->nr_moves++] = (struct move){.from = from, .to = to, .nr = nr, .leaves = leaves};
    p->nr_moved += nr;
    return 0;
}

/* Adds a move between PFNs that are congruent modulo 512: an edge, whole leaves, an edge. */
static int add_congruent(struct plan *p, uint64_t from, uint64_t to, uint64_t nr)
{
    uint64_t head = min_u64(ROUND_UP(from, P2M_PER_PAGE) - from, nr);
    uint64_t whole = ROUND_DOWN(nr - head, P2M_PER_PAGE);
    int rc = add_move(p, from, to, head, false);

    if (!rc)
        rc = add_move(p, from + head, to + head, whole, true);
    if (!rc)
        rc = add_move(p, from + head + whole, to + head + whole, nr - head - whole, false);
    return rc;
}

/* Finds new PFNs for the frames of [from, end), which lies in a hole. */
static int move_run(struct plan *p, struct cursor *c, uint64_t from, uint64_t end, bool by_leaf)
{
    bool has_leaf = ROUND_UP(from, P2M_PER_PAGE) + P2M_PER_PAGE <= end;

    while (from < end) {
        struct range ram = ranges_next_ram(c->map, c->at);
        uint64_t to = max_u64(ram.start, c->at), nr;
        int rc;

        if (ram.start == UINT64_MAX)
            return -ENOMEM;
        if (by_leaf && has_leaf)
            to += (from - to) % P2M_PER_PAGE;
        if (to >= ram.end) {
            c->at = ram.end;
            continue;
        }
        nr = min_u64(end - from, ram.end - to);
        rc =
            by_leaf && has_leaf ? add_congruent(p, from, to, nr) : add_move(p, from, to, nr, false);
        if (rc)
            return rc;
        from += nr;
        c->at = to + nr;
    }
    return 0;
}

/* Plans all moves. *@used_end is the end of the highest new PFNs, or nr_pages without moves. */
static int plan_moves(struct plan *p, bool by_leaf, uint64_t *used_end)
{
    struct cursor c = {.map = p->map, .at = p->nr_pages};

    p->nr_moves = 0;
    p->nr_moved = 0;
    for (uint64_t at = 0; at < p->nr_pages;) {
        struct range r = ranges_find(p->map, at);
        uint64_t end = min_u64(r.end, p->nr_pages);

        if (r.kind != RANGE_RAM) {
            int rc = move_run(p, &c, at, end, by_leaf);

            if (rc)
                return rc;
        }
        at = end;
    }
    *used_end = c.at;
    return 0;
}

/* The lowest PFN below which the map has @nr PFNs of RAM; the end of its RAM if it has fewer. */
static uint64_t end_of_ram(const struct ranges *map, uint64_t nr)
{
    uint64_t end = 0;

    for (size_t i = 0; i < map->nr && nr; i++) {
        uint64_t take = min_u64(map->r[i].end - map->r[i].start, nr);

        if (map->r[i].kind != RANGE_RAM)
            continue;
        end = map->r[i].start + take;
        nr -= take;
    }
    return end;
}

int plan_make(struct plan *plan, const struct ranges *map, uint64_t nr_pages, uint64_t nr_max)
{
    uint64_t used_end;
    int rc;

    plan->map = map;
    plan->nr_pages = nr_pages;

    rc = plan_moves(plan, true, &used_end);
    if (rc) /* Congruence wastes up to 511 PFNs for each move: try again without it. */
        rc = plan_moves(plan, false, &used_end);
    if (rc)
        return rc;
    for (size_t i = plan->nr_moves, next = i; i-- > 0; plan->moves[i].next_leaves = next)
        if (plan->moves[i].leaves)
            next = i;
    plan->list_end =
        ROUND_UP(max_u64(used_end, end_of_ram(map, max_u64(nr_max, nr_pages))), P2M_PER_PAGE);
    return 0;
}

enum move_side { SIDE_FROM, SIDE_TO };

/* The end of the old or of the new PFNs of @m. */
static uint64_t end_of(const struct move *m, enum move_side side)
{
    return (side == SIDE_FROM ? m->from : m->to) + m->nr;
}

/* The moves ascend in their old and in their new PFNs, so one bisection serves both. */
static size_t first_ending_above(const struct plan *p, uint64_t pfn, enum move_side side)
{
    size_t low = 0, high = p->nr_moves;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (end_of(&p->moves[mid], side) > pfn)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

size_t plan_first_from(const struct plan *plan, uint64_t pfn)
{
    return first_ending_above(plan, pfn, SIDE_FROM);
}

size_t plan_first_to(const struct plan *plan, uint64_t pfn)
{
    return first_ending_above(plan, pfn, SIDE_TO);
}

pfn_t plan_renumbered(const struct plan *plan, pfn_t pfn)
{
    size_t i = plan_first_from(plan, pfn.v);
    const struct move *m = &plan->moves[i];

    if (i == plan->nr_moves || pfn.v < m->from)
        return pfn;
    return to_pfn(m->to + (pfn.v - m->from));
}
