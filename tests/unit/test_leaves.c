/* SPDX-License-Identifier: MIT */
/*
 * Which page each leaf of the new P2M list is: one of the builder's pages, a new page, or the
 * shared page of ~0 entries. Without this test a leaf could be the wrong page, and 2 MiB of PFNs
 * would have the wrong MFNs or none. Checked: the runs partition the list, and each leaf is what an
 * oracle finds that looks only at the 512 PFNs of this leaf.
 */
#include "tests/unit/harness.h"

#include "mm/leaves.h"

#include <stdio.h>

static struct range entries[64];
static struct ranges map = {.r = entries, .cap = ARRAY_SIZE(entries), .beyond = RANGE_IDENTITY};
static struct move moves[PLAN_MAX_MOVES(ARRAY_SIZE(entries))];
static struct plan plan;

static int set(const uint64_t *sizes, uint64_t nr_pages, uint64_t nr_max)
{
    uint64_t at = 0;

    map.nr = 0;
    for (size_t i = 0; sizes[i]; at += sizes[i++])
        check_equal("ranges_append of the test's memory map",
                    ranges_append(&map, at, at + sizes[i], i % 2 ? RANGE_IDENTITY : RANGE_RAM), 0);
    plan = (struct plan){.moves = moves, .cap_moves = PLAN_MAX_MOVES(map.nr)};
    return plan_make(&plan, &map, nr_pages, plan_dom0_max(&map, nr_pages, nr_max, UINT64_MAX));
}

/*
 * What leaf @leaf must be. A page of the builder's list is reused if one of its entries keeps its
 * offset in the leaf: the entry is not moved, or moved together with its leaf. Otherwise the leaf
 * needs a new page if there is RAM in it, or is the shared page of ~0 entries.
 */
static struct leaf_run oracle(uint64_t leaf)
{
    uint64_t start = leaf * 512, nr_old = DIV_ROUND_UP(plan.nr_pages, 512);
    struct leaf_run run = {.start = leaf, .end = leaf + 1, .from = leaf, .kind = LEAF_OLD};

    for (size_t i = 0; i < plan.nr_moves; i++)
        if (plan.moves[i].leaves && start >= plan.moves[i].to &&
            start < plan.moves[i].to + plan.moves[i].nr) {
            run.from = (start - plan.moves[i].to + plan.moves[i].from) / 512;
            return run;
        }
    for (size_t i = 0; i < plan.nr_moves; i++)
        if (plan.moves[i].leaves && start >= plan.moves[i].from &&
            start < plan.moves[i].from + plan.moves[i].nr)
            nr_old = 0; /* the builder's page has moved to another leaf */
    if (leaf < nr_old)
        return run;
    run.from = 0;
    run.kind = LEAF_NONE;
    for (uint64_t pfn = start; pfn < start + 512; pfn++)
        if (ranges_find(&map, pfn).kind == RANGE_RAM)
            run.kind = LEAF_NEW;
    return run;
}

static void check_leaves(const char *what)
{
    uint64_t end = plan.list_end / 512, count[3] = {0};
    uint64_t last_other = 0; /* index after the last leaf that is not the shared page */

    for (uint64_t at = 0; at < end;) {
        struct leaf_run run = leaves_at(&plan, at);

        check_equal(what, run.start, at);
        check_true(what, run.end > at && run.end <= end);
        for (; at < run.end; at++) {
            struct leaf_run want = oracle(at);

            check_equal(what, run.kind, want.kind);
            check_equal(what, run.kind == LEAF_OLD ? run.from + (at - run.start) : 0, want.from);
            count[run.kind]++;
            check_equal(what, leaves_none(&plan, at, at + 1), want.kind == LEAF_NONE);
            check_equal(what, leaves_none(&plan, last_other, at + 1), want.kind == LEAF_NONE);
            last_other = want.kind == LEAF_NONE ? last_other : at + 1;
        }
    }
    for (enum leaf_kind kind = LEAF_OLD; kind <= LEAF_NONE; kind++)
        check_equal(what, leaves_count(&plan, kind), count[kind]);
    check_equal(what, count[LEAF_OLD], DIV_ROUND_UP(plan.nr_pages, 512));
    check_true(what, leaves_none(&plan, end, end));
}

static void test_shapes(void **state)
{
    static const struct {
        const char *what;
        uint64_t sizes[8], nr_pages, nr_max;
        uint64_t nr_new, nr_none;
    } rows[] = {
        {"no hole, no growth",               {9000, 0},             4096, 4096, 0,  0},
        {"no hole, growth",                  {9000, 0},             4000, 8000, 8,  0},
        {"a hole of a leaf",                 {1024, 512, 9000, 0},  4096, 4096, 0,  1},
        {"a hole of 511 pages",              {1024, 511, 9000, 0},  4096, 4096, 1,  0},
        {"a hole of 513 pages",              {1024, 513, 9000, 0},  4096, 4096, 1,  1},
        {"a hole of 512, off by one",        {1025, 512, 9000, 0},  4096, 4096, 1,  0},
        {"a hole past nr_pages",             {8192, 4096, 9000, 0}, 4096, 9000, 10, 8},
        {"a hole over the last leaf",        {3584, 1024, 9000, 0}, 4096, 4096, 0,  2},
        {"nr_pages off a leaf's edge",       {1024, 512, 9000, 0},  4097, 4097, 0,  1},
        {"a hole in the last, partial leaf", {4000, 50, 9000, 0},   4090, 4090, 1,  0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_equal(rows[i].what, set(rows[i].sizes, rows[i].nr_pages, rows[i].nr_max), 0);
        check_leaves(rows[i].what);
        check_equal(rows[i].what, leaves_count(&plan, LEAF_NEW), rows[i].nr_new);
        check_equal(rows[i].what, leaves_count(&plan, LEAF_NONE), rows[i].nr_none);
    }
}

/* A hole takes one step of the walk, not one per leaf: 4 TiB of holes take no measurable time. */
static void test_a_long_hole(void **state)
{
    static const uint64_t sizes[] = {1 << 20, 1ull << 30, 1 << 20, 0};

    (void)state;
    check_equal("plan_make with a hole of 4 TiB", set(sizes, 1 << 20, 2 << 20), 0);
    check_equal("number of leaves that are the shared page", leaves_count(&plan, LEAF_NONE),
                (1ull << 30) / 512);
    check_equal("number of new leaves", leaves_count(&plan, LEAF_NEW), (1 << 20) / 512);
    check_true("leaves_none over the whole hole",
               leaves_none(&plan, (1 << 20) / 512, ((1 << 20) + (1ull << 30)) / 512));
}

static void test_random_maps(void **state)
{
    struct rng r = {99};
    char what[40];

    (void)state;
    for (unsigned int n = 0; n < 1000; n++) {
        uint64_t sizes[16], nr_ram = 0;
        size_t nr = 1 + rng_below(&r, ARRAY_SIZE(sizes) - 1);

        for (size_t i = 0; i < nr; i++) {
            /* often at the edge of a leaf, where the cases differ */
            sizes[i] = 1 + rng_below(&r, 1500);
            if (rng_below(&r, 2))
                sizes[i] = ROUND_UP(sizes[i], 512);
            nr_ram += i % 2 ? 0 : sizes[i];
        }
        sizes[nr] = 0;
        snprintf(what, sizeof(what), "random map %u", n);
        check_equal(what, set(sizes, 1 + rng_below(&r, nr_ram), rng_below(&r, nr_ram)), 0);
        check_leaves(what);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_a_long_hole),
        cmocka_unit_test(test_random_maps),
    };

    return cmocka_run_group_tests_name("leaves", tests, NULL, NULL);
}
