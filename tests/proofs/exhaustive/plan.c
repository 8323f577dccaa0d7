/* SPDX-License-Identifier: MIT */
/*
 * mm/plan.c and mm/leaves.c on every memory map of up to four short ranges that ends with RAM, for
 * every size of the domain and some limits of its size, with leaves of four entries. No frame is
 * lost or numbered twice, and no PFN of the result lies in a hole.
 */
#include "exhaustive.h"
#include "leaf_of_4.h"

#include "mm/leaves.c"
#include "mm/plan.c"

#define NR       4
#define LEN      (2 * P2M_PER_PAGE + 2)
#define MAX_PFNS (2 * NR * LEN + 2 * P2M_PER_PAGE)

static struct range table[NR];
static struct ranges map = {.r = table, .cap = NR, .beyond = RANGE_MISSING};
static struct move moves[PLAN_MAX_MOVES(NR)];
static struct plan plan;
static uint64_t nr_pages, nr_max;

static void print_input(void)
{
    for (size_t i = 0; i < map.nr; i++)
        printf(" [%lu, %lu) %s", table[i].start, table[i].end,
               table[i].kind == RANGE_RAM ? "RAM" : "hole");
    printf(", %lu pages, at most %lu; result: list_end %lu", nr_pages, nr_max, plan.list_end);
    for (size_t i = 0; i < plan.nr_moves; i++)
        printf(", %lu to %lu: %lu%s", moves[i].from, moves[i].to, moves[i].nr,
               moves[i].leaves ? " in leaves" : "");
}

static bool is_ram(uint64_t pfn)
{
    return ranges_find(&map, pfn).kind == RANGE_RAM;
}

static uint64_t count(uint64_t end, bool ram)
{
    uint64_t n = 0;

    for (uint64_t pfn = 0; pfn < end; pfn++)
        n += is_ram(pfn) == ram;
    return n;
}

/* Each frame has one PFN of RAM; only the frames of holes have moved, to PFNs past all frames. */
static void check_frames(void)
{
    bool is_taken[MAX_PFNS] = {false};

    for (uint64_t pfn = 0; pfn < nr_pages; pfn++) {
        uint64_t to = plan_renumbered(&plan, to_pfn(pfn)).v;

        CLAIM(to < plan.list_end && is_ram(to) && !is_taken[to]);
        CLAIM(is_ram(pfn) ? to == pfn : to >= nr_pages);
        is_taken[to] = true;
    }
    CLAIM(plan_renumbered(&plan, to_pfn(nr_pages)).v == nr_pages);
    CLAIM(plan.nr_moved == count(nr_pages, false));
}

static void check_moves(void)
{
    for (size_t i = 0; i < plan.nr_moves; i++) {
        const struct move *m = &moves[i], *next = m + 1;

        CLAIM(m->nr > 0 && (!m->leaves || (m->from | m->to | m->nr) % P2M_PER_PAGE == 0));
        CLAIM(i + 1 == plan.nr_moves ||
              (m->from + m->nr <= next->from && m->to + m->nr <= next->to));
        CLAIM(plan_first_from(&plan, m->from) == i && plan_first_to(&plan, m->to) == i);
    }
    CLAIM(plan_first_from(&plan, nr_pages) == plan.nr_moves);
}

/* Is a frame's entry in leaf @leaf, after renumbering? */
static bool has_frame(uint64_t leaf)
{
    for (uint64_t pfn = 0; pfn < nr_pages; pfn++)
        if (plan_renumbered(&plan, to_pfn(pfn)).v / P2M_PER_PAGE == leaf)
            return true;
    return false;
}

/*
 * The runs cover the list. A leaf of the builder is used once at most. The shared page of ~0 is
 * used only for PFNs without RAM and without a frame. A move of whole leaves is in the runs.
 */
static void check_leaves(void)
{
    uint64_t place[MAX_PFNS] = {0}, nr_leaves = plan.list_end / P2M_PER_PAGE, nr_none = 0;

    for (uint64_t at = 0; at < nr_leaves;) {
        struct leaf_run run = leaves_at(&plan, at);

        CLAIM(run.start == at && run.end > at && run.end <= nr_leaves);
        for (; at < run.end; at++) {
            uint64_t from = run.from + (at - run.start);
            struct leaf_run own = leaves_at(&plan, at);
            uint64_t ram = count((at + 1) * P2M_PER_PAGE, true) - count(at * P2M_PER_PAGE, true);

            CLAIM(own.start == at && own.kind == run.kind);
            CLAIM(own.kind != LEAF_OLD || own.from == from);
            CLAIM(run.kind != LEAF_NONE || (!ram && !has_frame(at)));
            CLAIM(run.kind != LEAF_NEW || ram);
            nr_none += run.kind == LEAF_NONE;
            if (run.kind != LEAF_OLD)
                continue;
            CLAIM(from < DIV_ROUND_UP(nr_pages, P2M_PER_PAGE) && !place[from]);
            place[from] = at + 1;
        }
    }
    for (size_t i = 0; i < plan.nr_moves; i++)
        for (uint64_t n = 0; moves[i].leaves && n < moves[i].nr; n += P2M_PER_PAGE)
            CLAIM(place[(moves[i].from + n) / P2M_PER_PAGE] ==
                  (moves[i].to + n) / P2M_PER_PAGE + 1);
    CLAIM(leaves_count(&plan, LEAF_NONE) == nr_none);
    CLAIM(leaves_none(&plan, 0, nr_leaves) == (nr_none == nr_leaves));
}

static void check_plan(uint64_t pages, uint64_t max)
{
    uint64_t ram = count(ranges_end(&map), true);
    int rc;

    nr_pages = pages;
    nr_max = max;
    plan = (struct plan){.moves = moves, .cap_moves = PLAN_MAX_MOVES(map.nr)};
    rc = plan_make(&plan, &map, nr_pages, nr_max);
    nr_cases++;
    CLAIM(rc == (ram < nr_pages ? -ENOMEM : 0));
    if (rc)
        return;
    CLAIM(plan.list_end % P2M_PER_PAGE == 0 && plan.list_end >= nr_pages);
    CLAIM(count(plan.list_end, true) >= min_u64(nr_max, ram));
    check_frames();
    check_moves();
    check_leaves();
}

static void each_map(uint64_t end)
{
    if (map.nr && table[map.nr - 1].kind == RANGE_RAM)
        for (uint64_t pages = 1; pages <= end + 1; pages++) {
            check_plan(pages, pages);
            check_plan(pages, pages + P2M_PER_PAGE + 1);
            check_plan(pages, 4 * end);
        }
    if (map.nr == NR)
        return;
    for (uint64_t len = 1; len <= LEN; len++)
        for (unsigned int hole = 0; hole < 2; hole++) {
            if (map.nr && (table[map.nr - 1].kind == RANGE_IDENTITY) == hole)
                continue;
            table[map.nr++] = (struct range){end, end + len, hole ? RANGE_IDENTITY : RANGE_RAM};
            each_map(end + len);
            map.nr--;
        }
}

int main(void)
{
    for (unsigned int identity = 0; identity < 2; identity++) {
        map.beyond = identity ? RANGE_IDENTITY : RANGE_MISSING;
        each_map(0);
    }
    return end_of_proof();
}
