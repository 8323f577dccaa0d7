/* SPDX-License-Identifier: MIT */
/*
 * Without this test the set of PFN runs could hold a PFN twice or lose one. In the frame pool a PFN
 * twice is a frame with two owners; in the balloon's set a lost PFN can never get a frame again.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/pfn_runs.h"

#define PFNS 1024

static struct pfn_run runs[PFNS];
static struct pfn_runs set;

static int reset(void **state)
{
    (void)state;
    pfn_runs_init(&set, runs, ARRAY_SIZE(runs));
    return 0;
}

/* The invariants of mm/pfn_runs.h; with @expected, also that the set holds exactly these PFNs. */
static void check_set(const bool *expected)
{
    bool seen[PFNS] = {false};
    uint64_t nr = 0;

    for (size_t i = 0; i < set.nr_runs; i++) {
        check_true("run is not empty", set.runs[i].start < set.runs[i].end);
        check_true("run ends below PFNS", set.runs[i].end <= PFNS);
        check_true("run does not touch the one below",
                   i == 0 || set.runs[i - 1].end < set.runs[i].start);
        for (uint64_t pfn = set.runs[i].start; pfn < set.runs[i].end; pfn++, nr++)
            seen[pfn] = true;
    }
    check_equal("nr_pfns", set.nr_pfns, nr);
    for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
        check_equal("pfn_runs_has", pfn_runs_has(&set, to_pfn(pfn)), seen[pfn]);
        check_true("PFN is in the set as in the bitmap", !expected || seen[pfn] == expected[pfn]);
    }
}

static void test_add(void **state)
{
    static const struct {
        uint64_t start, end;
        int rc;
        size_t nr_runs;
        uint64_t nr_pfns;
    } rows[] = {
        {10, 20, 0,       1, 10},
        {30, 40, 0,       2, 20},
        {50, 60, 0,       3, 30},
        {20, 22, 0,       3, 32}, /* joins the run below                */
        {28, 30, 0,       3, 34}, /* joins the run above                */
        {22, 28, 0,       2, 40}, /* closes the gap between two runs    */
        {10, 11, -EEXIST, 2, 40}, /* the first PFN of a run             */
        {39, 40, -EEXIST, 2, 40}, /* the last PFN of a run              */
        {0,  11, -EEXIST, 2, 40}, /* overlaps from below                */
        {39, 45, -EEXIST, 2, 40}, /* overlaps from above                */
        {40, 51, -EEXIST, 2, 40}, /* joins one run and overlaps another */
        {0,  99, -EEXIST, 2, 40}, /* covers all runs                    */
        {45, 45, 0,       2, 40}, /* no PFN                             */
        {15, 15, 0,       2, 40}, /* no PFN, inside a run               */
        {0,  10, 0,       2, 50},
        {60, 61, 0,       2, 51},
        {40, 50, 0,       1, 61},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_equal("pfn_runs_add", pfn_runs_add(&set, rows[i].start, rows[i].end), rows[i].rc);
        check_equal("nr_runs", set.nr_runs, rows[i].nr_runs);
        check_equal("nr_pfns", set.nr_pfns, rows[i].nr_pfns);
        check_set(NULL);
    }
}

static void test_full_array(void **state)
{
    static struct pfn_run larger[4];

    (void)state;
    set.cap_runs = 2;
    check_equal("add run 1 of 2", pfn_runs_add(&set, 10, 20), 0);
    check_equal("add run 2 of 2", pfn_runs_add(&set, 30, 40), 0);
    check_equal("add a third run", pfn_runs_add(&set, 50, 60), -ENOMEM);
    check_equal("split a run", pfn_runs_remove(&set, 12, 14), -ENOMEM);
    check_equal("nr_pfns after two refusals", set.nr_pfns, 20);
    check_equal("add PFNs that join a run", pfn_runs_add(&set, 40, 41), 0);
    check_equal("remove the end of a run", pfn_runs_remove(&set, 18, 20), 0);
    pfn_runs_set_array(&set, larger, ARRAY_SIZE(larger));
    check_equal("add a third run, larger array", pfn_runs_add(&set, 50, 60), 0);
    check_equal("split a run, larger array", pfn_runs_remove(&set, 12, 14), 0);
    check_equal("nr_runs", set.nr_runs, 4);
    check_equal("nr_pfns", set.nr_pfns, 27);
    check_set(NULL);
}

static void test_remove(void **state)
{
    static const struct {
        uint64_t start, end;
        size_t nr_runs;
        uint64_t nr_pfns;
    } rows[] = {
        {0,  10, 2, 40}, /* no PFN of the set               */
        {30, 50, 2, 40}, /* the gap                         */
        {0,  12, 2, 38}, /* the start of a run              */
        {28, 50, 2, 36}, /* the end of a run and the gap    */
        {60, 61, 3, 35}, /* a PFN inside a run: a split     */
        {20, 55, 3, 22}, /* ends and starts of two runs     */
        {59, 61, 3, 21},
        {0,  99, 0, 0 },
        {0,  99, 0, 0 }, /* from the empty set              */
    };

    (void)state;
    check_equal("pfn_runs_add", pfn_runs_add(&set, 10, 30), 0);
    check_equal("pfn_runs_add", pfn_runs_add(&set, 50, 70), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_equal("pfn_runs_remove", pfn_runs_remove(&set, rows[i].start, rows[i].end), 0);
        check_equal("nr_runs", set.nr_runs, rows[i].nr_runs);
        check_equal("nr_pfns", set.nr_pfns, rows[i].nr_pfns);
        check_set(NULL);
    }
}

static void test_find(void **state)
{
    static const struct {
        uint64_t start, end;
        struct pfn_run found;
    } rows[] = {
        {0,  10, {0, 0}  },
        {0,  11, {10, 11}},
        {0,  99, {10, 20}}, /* the lower of two runs */
        {15, 18, {15, 18}},
        {20, 30, {0, 0}  },
        {19, 99, {19, 20}},
        {20, 99, {30, 40}},
        {40, 99, {0, 0}  },
    };

    (void)state;
    check_equal("pfn_runs_add", pfn_runs_add(&set, 10, 20), 0);
    check_equal("pfn_runs_add", pfn_runs_add(&set, 30, 40), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct pfn_run found = pfn_runs_find(&set, rows[i].start, rows[i].end);

        check_equal("pfn_runs_find: start", found.start, rows[i].found.start);
        check_equal("pfn_runs_find: end", found.end, rows[i].found.end);
    }
}

static void test_pop(void **state)
{
    static const struct {
        uint64_t max;
        struct pfn_run popped;
    } rows[] = {
        {0,   {40, 40}},
        {4,   {36, 40}},
        {100, {30, 36}}, /* not more than one run */
        {9,   {11, 20}},
        {1,   {10, 11}},
        {1,   {0, 0}  },
    };

    (void)state;
    check_equal("pfn_runs_add", pfn_runs_add(&set, 10, 20), 0);
    check_equal("pfn_runs_add", pfn_runs_add(&set, 30, 40), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct pfn_run popped = pfn_runs_pop(&set, rows[i].max);

        check_equal("pfn_runs_pop: start", popped.start, rows[i].popped.start);
        check_equal("pfn_runs_pop: end", popped.end, rows[i].popped.end);
        check_set(NULL);
    }
}

/* INVALID_ENTRY + 1 is 0, which is in the set. */
static void test_invalid_entry(void **state)
{
    (void)state;
    check_equal("pfn_runs_add", pfn_runs_add(&set, 0, 4), 0);
    check_equal("pfn_runs_has(~0)", pfn_runs_has(&set, to_pfn(INVALID_ENTRY)), false);
    pfn_runs_clear(&set);
    check_equal("pfn_runs_has(0) after clear", pfn_runs_has(&set, to_pfn(0)), false);
    check_set(NULL);
}

/* One random operation, on the set and on the bitmap. */
static void random_step(struct rng *r, bool *bitmap)
{
    uint64_t start = rng_below(r, PFNS), end = min_u64(start + rng_below(r, 40), PFNS);
    struct pfn_run popped;
    bool overlaps = false;

    switch (rng_below(r, 4)) {
    case 0:
    case 1:
        for (uint64_t pfn = start; pfn < end; pfn++)
            overlaps = overlaps || bitmap[pfn];
        check_equal("pfn_runs_add", pfn_runs_add(&set, start, end), overlaps ? -EEXIST : 0);
        for (uint64_t pfn = start; !overlaps && pfn < end; pfn++)
            bitmap[pfn] = true;
        return;
    case 2:
        check_equal("pfn_runs_remove", pfn_runs_remove(&set, start, end), 0);
        for (uint64_t pfn = start; pfn < end; pfn++)
            bitmap[pfn] = false;
        return;
    default:
        popped = pfn_runs_pop(&set, rng_below(r, 20));
        for (uint64_t pfn = popped.start; pfn < popped.end; pfn++) {
            check_true("popped PFN was in the set", bitmap[pfn]);
            bitmap[pfn] = false;
        }
    }
}

static void test_random_use(void **state)
{
    bool bitmap[PFNS] = {false};
    struct rng r = {2024};

    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        random_step(&r, bitmap);
        if (i % 16 == 0)
            check_set(bitmap);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_add, reset),
        cmocka_unit_test_setup(test_full_array, reset),
        cmocka_unit_test_setup(test_remove, reset),
        cmocka_unit_test_setup(test_find, reset),
        cmocka_unit_test_setup(test_pop, reset),
        cmocka_unit_test_setup(test_invalid_entry, reset),
        cmocka_unit_test_setup(test_random_use, reset),
    };

    return cmocka_run_group_tests_name("pfn_runs", tests, NULL, NULL);
}
