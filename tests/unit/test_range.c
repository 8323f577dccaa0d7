/* SPDX-License-Identifier: MIT */
/*
 * Lookup in a memory map. Without this test a PFN at the edge of a hole could be taken for RAM, or
 * RAM for a hole: the ranges decide what a ~0 entry of the P2M means. The binary search is compared
 * with a loop over all ranges.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/range.h"

#include <stdlib.h>
#include <string.h>

static struct range entries[] = {
    {0,        0x9f,     RANGE_RAM     },
    {0x9f,     0x100,    RANGE_IDENTITY},
    {0x100,    0xbffe0,  RANGE_RAM     },
    {0xbffe0,  0xfffff,  RANGE_IDENTITY},
    {0xfffff,  0x100000, RANGE_MISSING },
    {0x100000, 0x140000, RANGE_RAM     },
};
static const struct ranges pc = {entries, ARRAY_SIZE(entries), ARRAY_SIZE(entries), RANGE_IDENTITY};

static void check_find(const struct ranges *t, uint64_t pfn)
{
    struct range got = ranges_find(t, pfn), want = {0, UINT64_MAX, t->beyond};

    for (size_t i = 0; i < t->nr; i++) {
        want.start = t->r[i].end;
        if (pfn >= t->r[i].start && pfn < t->r[i].end) {
            want = t->r[i];
            break;
        }
    }
    check_equal("ranges_find: start", got.start, want.start);
    check_equal("ranges_find: end", got.end, want.end);
    check_equal("ranges_find: kind", got.kind, want.kind);
}

static void test_find_at_every_edge(void **state)
{
    (void)state;
    for (size_t i = 0; i < pc.nr; i++)
        for (int step = -1; step <= 1; step++) {
            check_find(&pc, pc.r[i].end + (uint64_t)step);
            check_find(&pc, pc.r[i].start + (uint64_t)(step < 0 && i == 0 ? 0 : step));
        }
    check_find(&pc, UINT64_MAX - 1);
}

static void test_every_length_of_table(void **state)
{
    struct range r[40];
    struct ranges t = {r, 0, ARRAY_SIZE(r), RANGE_MISSING};

    (void)state;
    for (uint64_t n = 0; n < ARRAY_SIZE(r); n++) {
        for (uint64_t pfn = 0; pfn < 3 * n + 4; pfn++)
            check_find(&t, pfn);
        check_equal("ranges_append of the next range",
                    ranges_append(&t, 3 * n, 3 * n + 3, n % NR_RANGE_KINDS), 0);
        check_equal("number of ranges after ranges_append", t.nr, n + 1);
    }
}

static void test_next_ram(void **state)
{
    static const struct {
        uint64_t pfn, start, end;
    } rows[] = {
        {0,          0,          0x9f      },
        {0x9e,       0,          0x9f      },
        {0x9f,       0x100,      0xbffe0   },
        {0xff,       0x100,      0xbffe0   },
        {0xbffdf,    0x100,      0xbffe0   },
        {0xbffe0,    0x100000,   0x140000  },
        {0xfffff,    0x100000,   0x140000  },
        {0x13ffff,   0x100000,   0x140000  },
        {0x140000,   UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct range r = ranges_next_ram(&pc, rows[i].pfn);

        check_equal("ranges_next_ram: start", r.start, rows[i].start);
        check_equal("ranges_next_ram: end", r.end, rows[i].end);
        check_equal("ranges_next_ram: kind", r.kind, RANGE_RAM);
    }
}

static void test_append_joins_and_refuses(void **state)
{
    struct range r[2];
    struct ranges t = {.r = r, .cap = ARRAY_SIZE(r)};

    (void)state;
    check_equal("ranges_append of an empty range", ranges_append(&t, 0, 0, RANGE_RAM), 0);
    check_equal("number of ranges after appending an empty one", t.nr, 0);
    check_equal("ranges_append of the first range", ranges_append(&t, 0, 4, RANGE_RAM), 0);
    check_equal("ranges_append of an adjacent range of the same kind",
                ranges_append(&t, 4, 8, RANGE_RAM), 0);
    check_equal("number of ranges after joining", t.nr, 1);
    check_equal("end of the joined range", r[0].end, 8);
    check_equal("ranges_append of another kind", ranges_append(&t, 8, 9, RANGE_IDENTITY), 0);
    check_equal("ranges_append to a full table", ranges_append(&t, 9, 10, RANGE_RAM), -ENOMEM);
    check_equal("ranges_append to a full table, joined", ranges_append(&t, 9, 10, RANGE_IDENTITY),
                0);
    check_equal("ranges_append to a full table, empty range", ranges_append(&t, 10, 10, RANGE_RAM),
                0);
    check_equal("end of the last range", r[1].end, 10);
}

static void test_count(void **state)
{
    (void)state;
    check_equal("RAM below PFN 0", ranges_count(&pc, RANGE_RAM, 0), 0);
    check_equal("RAM below PFN 1", ranges_count(&pc, RANGE_RAM, 1), 1);
    check_equal("RAM below a PFN inside a range", ranges_count(&pc, RANGE_RAM, 0x200),
                0x9f + 0x100);
    check_equal("RAM below the end of a range", ranges_count(&pc, RANGE_RAM, 0xbffe0),
                0x9f + 0xbfee0);
    check_equal("all RAM", ranges_count(&pc, RANGE_RAM, UINT64_MAX), 0x9f + 0xbfee0 + 0x40000);
    check_equal("all identity PFNs", ranges_count(&pc, RANGE_IDENTITY, UINT64_MAX), 0x61 + 0x4001f);
    check_equal("all missing PFNs", ranges_count(&pc, RANGE_MISSING, UINT64_MAX), 1);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(range_kind_name(RANGE_RAM), "ram");
    assert_string_equal(range_kind_name(RANGE_IDENTITY), "identity");
    assert_string_equal(range_kind_name(RANGE_MISSING), "missing");
}

/* The table of ranges as one kind for each PFN. */
#define MAP_PFNS 64

static void check_map(const struct ranges *t, const enum range_kind *map)
{
    for (uint64_t pfn = 0; pfn < MAP_PFNS; pfn++)
        check_equal("kind of a PFN against the model", ranges_find(t, pfn).kind, map[pfn]);
    for (size_t i = 0; i < t->nr; i++) {
        check_equal("ranges are adjacent", t->r[i].start, i ? t->r[i - 1].end : 0);
        check_true("no range is empty", t->r[i].start < t->r[i].end);
        check_true("adjacent ranges have different kinds",
                   i == 0 || t->r[i].kind != t->r[i - 1].kind);
    }
}

/* Sets random pieces to random kinds, and trims the end. */
static void test_set_and_trim(void **state)
{
    struct rng rng = {.state = 0x52414e47};
    struct range r[MAP_PFNS + 2];
    enum range_kind map[MAP_PFNS];

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (int round = 0; round < 2000; round++) {
        struct ranges t = {r, 0, ARRAY_SIZE(r), (enum range_kind)rng_below(&rng, NR_RANGE_KINDS)};

        for (int i = 0; i < MAP_PFNS; i++)
            map[i] = t.beyond;
        for (int step = 0; step < 12; step++) {
            uint64_t start = rng_below(&rng, MAP_PFNS + 1), end = rng_below(&rng, MAP_PFNS + 1);
            enum range_kind kind = (enum range_kind)rng_below(&rng, NR_RANGE_KINDS);
            uint64_t reach = ranges_end(&t);

            check_equal("ranges_set of a random piece", ranges_set(&t, start, end, kind), 0);
            for (uint64_t pfn = start; pfn < end; pfn++)
                map[pfn] = kind;
            check_map(&t, map);
            check_equal("ranges_end after ranges_set", ranges_end(&t),
                        start < end ? max_u64(reach, end) : reach);
            if (rng_below(&rng, 3))
                continue;
            reach = ranges_end(&t);
            start = rng_below(&rng, MAP_PFNS + 1);
            for (end = reach; end > start && map[end - 1] == t.beyond;)
                end--;
            ranges_trim(&t, start);
            check_map(&t, map);
            check_equal("ranges_end after ranges_trim", ranges_end(&t),
                        reach > start ? end : reach);
        }
    }
}

/* ranges_set needs room for two more ranges; without it, ranges_set fails and changes nothing. */
static void test_set_without_room(void **state)
{
    struct range r[4] = {
        {0, 10, RANGE_RAM}
    };
    struct ranges t = {r, 1, 2, RANGE_MISSING};

    (void)state;
    check_equal("ranges_end of an empty table", ranges_end(&(struct ranges){.r = r}), 0);
    check_equal("ranges_set with room for one more range", ranges_set(&t, 3, 5, RANGE_UNPOPULATED),
                -ENOMEM);
    check_equal("number of ranges after a failed ranges_set", t.nr, 1);
    check_equal("end of the first range after a failed ranges_set", r[0].end, 10);
    check_equal("ranges_set of an empty piece", ranges_set(&t, 5, 5, RANGE_UNPOPULATED), 0);
    t.cap = 3;
    check_equal("ranges_set with room for two more ranges", ranges_set(&t, 3, 5, RANGE_UNPOPULATED),
                0);
    check_equal("number of ranges after ranges_set", t.nr, 3);
    check_equal("ranges_set in a full table", ranges_set(&t, 3, 5, RANGE_RAM), -ENOMEM);
    t = (struct ranges){calloc(3, sizeof(r[0])), 1, 3, RANGE_MISSING};
    t.r[0] = (struct range){0, 10, RANGE_RAM};
    check_equal("ranges_set after a gap", ranges_set(&t, 20, 30, RANGE_UNPOPULATED), 0);
    check_equal("number of ranges after ranges_set after a gap", t.nr, 3);
    free(t.r);
    ranges_trim(&(struct ranges){.r = r}, 0);
    assert_string_equal(range_kind_name(RANGE_UNPOPULATED), "unpopulated");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_at_every_edge),
        cmocka_unit_test(test_every_length_of_table),
        cmocka_unit_test(test_next_ram),
        cmocka_unit_test(test_append_joins_and_refuses),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_set_and_trim),
        cmocka_unit_test(test_set_without_room),
    };

    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
