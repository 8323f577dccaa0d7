/* SPDX-License-Identifier: MIT */
/*
 * The plan: which frames get new PFNs, and how long the P2M list becomes. Without this test two
 * frames could get one PFN, or a frame the PFN of a hole: the P2M would disagree with Xen's M2P,
 * and the domain could not be saved. For random memory maps an oracle follows each frame to its new
 * PFN, and the length of the list is compared with the amount of RAM in the map.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/plan.h"

#include <stdio.h>
#include <string.h>

static struct range entries[64];
static struct ranges map = {.r = entries, .cap = ARRAY_SIZE(entries), .beyond = RANGE_IDENTITY};
static struct move moves[PLAN_MAX_MOVES(ARRAY_SIZE(entries))];
static struct plan plan;

/* Sets the memory map to RAM and holes in turn, from PFN 0; @sizes end with 0. */
static void set_map(const uint64_t *sizes)
{
    uint64_t at = 0;

    map.nr = 0;
    for (size_t i = 0; sizes[i]; at += sizes[i++])
        check_equal("ranges_append of the test's memory map",
                    ranges_append(&map, at, at + sizes[i], i % 2 ? RANGE_IDENTITY : RANGE_RAM), 0);
}

/* Makes the plan of a dom0 on a host whose RAM ends at MFN @ram_end. */
static int make_on(uint64_t ram_end, uint64_t nr_pages, uint64_t nr_max)
{
    plan = (struct plan){.moves = moves, .cap_moves = PLAN_MAX_MOVES(map.nr)};
    return plan_make(&plan, &map, nr_pages, plan_dom0_max(&map, nr_pages, nr_max, ram_end));
}

static int make(uint64_t nr_pages, uint64_t nr_max)
{
    return make_on(UINT64_MAX, nr_pages, nr_max);
}

/* Checks that every frame has a PFN in RAM, no PFN is used twice, and the plan's counts are right.
 */
static void check_plan(const char *what)
{
    static bool taken[1 << 16];
    uint64_t moved = 0;

    memset(taken, 0, sizeof(taken));
    for (uint64_t pfn = 0; pfn < plan.nr_pages; pfn++) {
        uint64_t to = plan_renumbered(&plan, to_pfn(pfn)).v;

        check_equal(what, ranges_find(&map, to).kind, RANGE_RAM);
        check_true(what, to < plan.list_end && to < ARRAY_SIZE(taken));
        check_true(what, !taken[to]);
        taken[to] = true;
        moved += to != pfn;
        if (ranges_find(&map, pfn).kind == RANGE_RAM)
            check_equal(what, to, pfn);
    }
    check_equal(what, plan.nr_moved, moved);
    check_equal(what, plan.list_end % P2M_PER_PAGE, 0);
    for (size_t i = 0; i < plan.nr_moves; i++) {
        const struct move *m = &plan.moves[i];

        check_true(what, m->nr > 0);
        check_true(what, i == 0 || m->from >= m[-1].from + m[-1].nr);
        check_true(what, i == 0 || m->to >= m[-1].to + m[-1].nr);
        if (m->leaves)
            check_equal(what, m->from % 512 + m->to % 512 + m->nr % 512, 0);
    }
}

static uint64_t pages_moved_by_leaf(void)
{
    uint64_t n = 0;

    for (size_t i = 0; i < plan.nr_moves; i++)
        n += plan.moves[i].leaves ? plan.moves[i].nr : 0;
    return n;
}

/* Holes of about the size of a leaf: 512 pages move as a leaf only if they are one leaf. */
static void test_holes_around_a_leaf(void **state)
{
    static const struct {
        const char *what;
        uint64_t at, nr, by_leaf;
    } rows[] = {
        {"hole of 511 at a leaf's start", 1024, 511,  0   },
        {"hole of 512 at a leaf's start", 1024, 512,  512 },
        {"hole of 513 at a leaf's start", 1024, 513,  512 },
        {"hole of 511, off by one",       1025, 511,  0   },
        {"hole of 512, off by one",       1025, 512,  0   },
        {"hole of 513, off by one",       1025, 513,  0   },
        {"hole of 513 to a leaf's end",   1023, 513,  512 },
        {"hole of 512 from the middle",   1280, 512,  0   },
        {"hole of 1023 from the middle",  1280, 1023, 512 },
        {"hole of 1024, off by one",      1025, 1024, 512 },
        {"hole of 1535, off by one",      1025, 1535, 1024},
        {"hole of one page",              1024, 1,    0   },
        {"hole up to the end",            3072, 1024, 1024},
        {"hole from PFN 1 on",            1,    1024, 512 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t sizes[] = {rows[i].at, rows[i].nr, 20000, 0};

        set_map(sizes);
        check_equal(rows[i].what, make(4096, 4096), 0);
        check_plan(rows[i].what);
        check_equal(rows[i].what, plan.nr_moved, min_u64(rows[i].nr, 4096 - rows[i].at));
        check_equal(rows[i].what, pages_moved_by_leaf(), rows[i].by_leaf);
    }
}

static void test_nothing_to_move(void **state)
{
    static const uint64_t sizes[] = {5000, 512, 5000, 0};

    (void)state;
    set_map(sizes);
    check_equal("plan_make with a hole past nr_pages", make(5000, 5000), 0);
    check_plan("plan with a hole past nr_pages");
    check_equal("moves with a hole past nr_pages", plan.nr_moves, 0);
    check_equal("list_end with a hole past nr_pages", plan.list_end, ROUND_UP(5000, 512));
}

/* Moving by whole leaves needs more PFNs. If the memory map has too few, single pages are moved. */
static void test_no_room_to_waste(void **state)
{
    static const uint64_t exact[] = {1024, 512, 1024 - 100, 0};
    static const uint64_t scattered[] = {1024, 512, 600, 5000, 100, 3, 200, 7, 300, 0};

    (void)state;
    set_map(exact);
    check_equal("plan_make with exactly enough RAM", make(1024 + 512 + 412, 0), 0);
    check_plan("plan with exactly enough RAM");
    check_equal("pages moved by leaf with exactly enough RAM", pages_moved_by_leaf(), 0);

    set_map(scattered);
    check_equal("plan_make with scattered RAM", make(1024 + 512 + 600 + 88, 0), 0);
    check_plan("plan with scattered RAM");
}

static void test_no_room(void **state)
{
    static const uint64_t full[] = {1024, 512, 1024, 0};
    static const uint64_t lacks_one[] = {1024, 512, 1023, 0};

    (void)state;
    set_map(full);
    check_equal("plan_make with as many pages as RAM", make(2048, 2048), 0);
    check_plan("plan with as many pages as RAM");
    check_equal("plan_make with one page more than RAM", make(2049, 2049), -ENOMEM);
    set_map(lacks_one);
    check_equal("plan_make with one PFN of RAM less", make(2048, 2048), -ENOMEM);
    check_equal("plan_make of a domain larger than its memory map", make(1 << 20, 0), -ENOMEM);
}

/* The list's length follows from RAM, the domain's limit and the ratio, not from the map's end. */
static void test_length_of_the_list(void **state)
{
    static const struct {
        const char *what;
        uint64_t sizes[6], nr_pages, nr_max, list_end;
    } rows[] = {
        {"no room to grow",                {100000, 0},              1000, 1000,       1024 },
        {"a limit below nr_pages",         {100000, 0},              1000, 1,          1024 },
        {"whole leaves only",              {100000, 0},              1024, 1024,       1024 },
        {"room up to the limit",           {100000, 0},              1000, 3000,       3072 },
        {"no limit: ten times nr_pages",   {100000, 0},              1000, UINT32_MAX, 10240},
        {"a limit past the ratio",         {100000, 0},              1000, 10001,      10240},
        {"a limit past the RAM",           {4000, 0},                1000, 8000,       4096 },
        {"room after a hole",              {2000, 2096, 9000, 0},    1000, 3000,       5120 },
        {"a hole at the end is not RAM",   {2000, 1000000, 0},       1000, 9000,       2048 },
        {"a hole up to 16 TiB is not RAM", {2000, 1ull << 32, 1, 0}, 1000, 1900,       2048 },
        {"moved frames, then growth",      {512, 512, 9000, 0},      1024, 2000,       2560 },
        {"moved frames, no growth",        {512, 512, 9000, 0},      1024, 1024,       1536 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_map(rows[i].sizes);
        check_equal(rows[i].what, make(rows[i].nr_pages, rows[i].nr_max), 0);
        check_equal(rows[i].what, plan.list_end, rows[i].list_end);
    }
}

/* The limit of a domU comes from its toolstack and is not bounded by a ratio. */
static void test_no_ratio_in_a_domu(void **state)
{
    static const uint64_t sizes[] = {100000, 0};

    (void)state;
    set_map(sizes);
    plan = (struct plan){.moves = moves, .cap_moves = PLAN_MAX_MOVES(map.nr)};
    check_equal("plan_make of a domU", plan_make(&plan, &map, 1000, 50000), 0);
    check_equal("list_end of a domU", plan.list_end, ROUND_UP(50000, 512));
}

/* AMD's hole below 1 TiB, in a dom0 of 1100 GiB: PFNs that do not fit in 32 bits. */
static void test_one_tib(void **state)
{
    static const uint64_t sizes[] = {0xfd00000, 0x300000, 0x20000000, 0};
    uint64_t nr_pages = 1100ull << 18;

    (void)state;
    set_map(sizes);
    check_equal("plan_make of 1100 GiB", make(nr_pages, nr_pages), 0);
    check_equal("moves of 1100 GiB", plan.nr_moves, 1);
    check_equal("the move is by leaf", plan.moves[0].leaves, true);
    check_equal("start of the moved PFNs", plan.moves[0].from, 0xfd00000);
    check_equal("new start of the moved PFNs", plan.moves[0].to, nr_pages);
    check_equal("list_end of 1100 GiB", plan.list_end, nr_pages + 0x300000);
    check_equal("new PFN of the last page in the hole", plan_renumbered(&plan, to_pfn(0xfffffff)).v,
                nr_pages + 0x2fffff);
}

static void test_random_maps(void **state)
{
    struct rng r = {512};
    char what[40];

    (void)state;
    for (unsigned int n = 0; n < 3000; n++) {
        uint64_t sizes[20], nr_ram = 0, nr_pages;
        size_t nr = 1 + rng_below(&r, ARRAY_SIZE(sizes) - 1);

        for (size_t i = 0; i < nr; i++) {
            sizes[i] = 1 + rng_below(&r, i % 3 ? 1400 : 40);
            nr_ram += i % 2 ? 0 : sizes[i];
        }
        sizes[nr] = 0;
        set_map(sizes);
        nr_pages = 1 + rng_below(&r, nr_ram + 3);
        snprintf(what, sizeof(what), "random map %u", n);
        check_equal(what, make(nr_pages, 0), nr_pages > nr_ram ? -ENOMEM : 0);
        if (nr_pages <= nr_ram)
            check_plan(what);
    }
}

/* RAM of the memory map that Xen does not have gives no room to grow (docs/scaling.md). */
static void test_ram_that_xen_ignores(void **state)
{
    static const uint64_t far = (uint64_t)1 << 35; /* 2^47 bytes */
    static const struct {
        const char *what;
        uint64_t sizes[6], ram_end, nr_pages, list_end;
    } rows[] = {
        {"RAM at 2^47, ignored",          {4000, far, 9000, 0},           4000,        1000, 4096       },
        {"RAM at 2^47, used",             {4000, far, 9000, 0},           far + 13000, 1000, 0x800002800},
        {"RAM at 2^47, used in part",     {4000, far, 9000, 0},           far + 4100,  1000, 0x800001200},
        {"RAM ends inside the map's RAM", {9000, 0},                      5000,        1000, 5120       },
        {"RAM ends in a hole",            {4000, 96, 9000, 0},            4050,        1000, 4096       },
        {"less RAM than nr_pages",        {4000, 96, 9000, 0},            500,         1000, 1024       },
        {"frames in a hole keep a PFN",   {512, 512, 9000, far, 9000, 0}, 2000,        1024, 2048       },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        set_map(rows[i].sizes);
        check_equal(rows[i].what, make_on(rows[i].ram_end, rows[i].nr_pages, UINT32_MAX), 0);
        check_equal(rows[i].what, plan.list_end, rows[i].list_end);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holes_around_a_leaf), cmocka_unit_test(test_nothing_to_move),
        cmocka_unit_test(test_no_room_to_waste),    cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_length_of_the_list),  cmocka_unit_test(test_ram_that_xen_ignores),
        cmocka_unit_test(test_no_ratio_in_a_domu),  cmocka_unit_test(test_one_tib),
        cmocka_unit_test(test_random_maps),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
