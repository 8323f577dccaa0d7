/* SPDX-License-Identifier: MIT */
/*
 * mm/pfn_runs.c and mm/frame_pool.c on every set of PFNs below a small number, for every argument
 * and with room for every number of runs. PFNs are neither lost nor handed out twice, and a failed
 * call changes nothing. A set of PFNs is the bits of a number here.
 */
#include "exhaustive.h"

#include "lib/errno.h"

#include "mm/frame_pool.h"

#include <string.h>

#define PFNS     12
#define SETS     (1u << PFNS)
#define MAX_RUNS ((PFNS + 1) / 2 + 1)

static uint32_t before;
static uint64_t start, end;
static size_t cap;
static struct pfn_run runs[MAX_RUNS], reserved[MAX_RUNS];
static struct frame_pool pool, reserve;

static void print_input(void)
{
    printf(" PFNs 0x%x, room for %zu runs; argument [%lu, %lu); result:", before, cap, start, end);
    for (size_t i = 0; i < pool.free.nr_runs; i++)
        printf(" [%lu, %lu)", runs[i].start, runs[i].end);
}

/* The PFNs of [from, to), as far as they are below PFNS. */
static uint32_t bits(uint64_t from, uint64_t to)
{
    uint32_t set = 0;

    for (uint64_t pfn = from; pfn < to && pfn < PFNS; pfn++)
        set |= 1u << pfn;
    return set;
}

static size_t make_runs(uint32_t set, struct pfn_run *r)
{
    size_t n = 0;

    for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
        if (!(set >> pfn & 1))
            continue;
        if (n && r[n - 1].end == pfn)
            r[n - 1].end++;
        else
            r[n++] = (struct pfn_run){pfn, pfn + 1};
    }
    return n;
}

static void fill(struct frame_pool *f, struct pfn_run *r, uint32_t set)
{
    frame_pool_init(f, r, MAX_RUNS, NULL, NULL);
    f->free.nr_runs = make_runs(set, r);
    f->free.nr_pfns = (uint64_t)__builtin_popcount(set);
}

/* The set has exactly these PFNs, in the only form that a set has. */
static void check_set(const struct frame_pool *f, uint32_t set)
{
    struct pfn_run expected[MAX_RUNS];
    size_t n = make_runs(set, expected);

    CLAIM(f->free.nr_runs == n && n <= f->free.cap_runs);
    CLAIM(!memcmp(f->free.runs, expected, n * sizeof(expected[0])));
    CLAIM(f->free.nr_pfns == (uint64_t)__builtin_popcount(set));
}

static void reset(void)
{
    fill(&pool, runs, before);
    pool.free.cap_runs = cap;
    nr_cases++;
}

static size_t nr_runs_of(uint32_t set)
{
    struct pfn_run r[MAX_RUNS];

    return make_runs(set, r);
}

static void check_add(void)
{
    uint32_t more = bits(start, end);
    int rc;

    reset();
    rc = frame_pool_add(&pool, start, end);
    if (more & before)
        CLAIM(rc == -EEXIST);
    else
        CLAIM(rc == (nr_runs_of(before | more) > cap ? -ENOMEM : 0));
    check_set(&pool, rc ? before : before | more);
}

static void check_exclude(void)
{
    uint32_t rest = before & ~bits(start, end);
    int rc;

    reset();
    rc = frame_pool_exclude(&pool, start, end);
    CLAIM(rc == (nr_runs_of(rest) > cap ? -ENOMEM : 0));
    check_set(&pool, rc ? before : rest);
}

static void check_reads(void)
{
    struct pfn_run found;
    uint64_t first = start;

    reset();
    for (uint64_t pfn = 0; pfn <= PFNS; pfn++)
        CLAIM(frame_pool_has(&pool, to_pfn(pfn)) == (before >> pfn & 1));
    CLAIM(!frame_pool_has(&pool, to_pfn(INVALID_ENTRY)));
    found = pfn_runs_find(&pool.free, start, end);
    while (first < end && !(before >> first & 1))
        first++;
    if (first >= end)
        CLAIM(found.start >= found.end);
    else
        CLAIM(found.start == first && found.end > first && found.end <= end &&
              !(bits(first, found.end) & ~before) &&
              (found.end == end || !(before >> found.end & 1)));
    check_set(&pool, before);
}

/* Takes @end PFNs as one run, and as a reserve, which is then given back. */
static void check_alloc(void)
{
    struct pfn_run run;
    uint32_t taken;
    int rc;

    reset();
    run = frame_pool_alloc_run(&pool, end);
    taken = bits(run.start, run.end);
    CLAIM(run.end - run.start <= end && !(taken & ~before) && (taken || !before || !end));
    check_set(&pool, before & ~taken);

    reset();
    fill(&reserve, reserved, 0);
    rc = frame_pool_reserve(&pool, end, &reserve);
    CLAIM(rc == (end > (uint64_t)__builtin_popcount(before) ? -ENOMEM : 0));
    if (rc) {
        check_set(&pool, before);
        check_set(&reserve, 0);
        return;
    }
    CLAIM(reserve.free.nr_pfns == end &&
          pool.free.nr_pfns + end == (uint64_t)__builtin_popcount(before));
    rc = frame_pool_release(&pool, &reserve);
    CLAIM(!rc);
    check_set(&pool, before);
    check_set(&reserve, 0);
}

/* A move of [start, end) to the PFNs from @to on, which are above all that move and not in the set.
 */
static void check_renumber(uint64_t to)
{
    struct move move = {.from = start, .to = to, .nr = end - start};
    struct plan plan = {.moves = &move, .nr_moves = 1};
    uint32_t moving = before & bits(start, end), target = bits(to, to + move.nr);

    if (start >= end || to < end || to + move.nr > PFNS || (before & target))
        return;
    cap = MAX_RUNS;
    reset();
    CLAIM(frame_pool_renumber(&pool, &plan) == 0);
    check_set(&pool, (before & ~moving) | moving << (to - start));
}

int main(void)
{
    for (before = 0; before < SETS; before++)
        for (start = 0; start <= PFNS; start++)
            for (end = start ? start - 1 : 0; end <= PFNS; end++) {
                for (cap = nr_runs_of(before); cap < MAX_RUNS; cap++) {
                    check_add();
                    check_exclude();
                }
                check_reads();
                if (start == 0)
                    check_alloc();
                for (uint64_t to = end; to < PFNS; to++)
                    check_renumber(to);
            }
    return end_of_proof();
}

/* The sources name the P2M and the M2P, which this proof does not need. */
pfn_t m2p_get(const struct m2p *m, mfn_t mfn)
{
    (void)m;
    (void)mfn;
    return to_pfn(INVALID_ENTRY);
}
