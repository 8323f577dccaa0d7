/* SPDX-License-Identifier: MIT */
/*
 * Without this a PFN at the very edge of a hole could be taken for RAM, or RAM for a hole: a ~0
 * in the P2M means what this table says. The bisection is held against a loop over all entries.
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
    check_equal("start", got.start, want.start);
    check_equal("end", got.end, want.end);
    check_equal("kind", got.kind, want.kind);
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
        check_equal("append", ranges_append(&t, 3 * n, 3 * n + 3, n % NR_RANGE_KINDS), 0);
        check_equal("entries", t.nr, n + 1);
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

        check_equal("start", r.start, rows[i].start);
        check_equal("end", r.end, rows[i].end);
        check_equal("kind", r.kind, RANGE_RAM);
    }
}

static void test_append_joins_and_refuses(void **state)
{
    struct range r[2];
    struct ranges t = {.r = r, .cap = ARRAY_SIZE(r)};

    (void)state;
    check_equal("empty", ranges_append(&t, 0, 0, RANGE_RAM), 0);
    check_equal("nothing kept", t.nr, 0);
    check_equal("first", ranges_append(&t, 0, 4, RANGE_RAM), 0);
    check_equal("of a kind", ranges_append(&t, 4, 8, RANGE_RAM), 0);
    check_equal("joined", t.nr, 1);
    check_equal("joined end", r[0].end, 8);
    check_equal("other kind", ranges_append(&t, 8, 9, RANGE_IDENTITY), 0);
    check_equal("full", ranges_append(&t, 9, 10, RANGE_RAM), -ENOMEM);
    check_equal("full, but joins", ranges_append(&t, 9, 10, RANGE_IDENTITY), 0);
    check_equal("full, but empty", ranges_append(&t, 10, 10, RANGE_RAM), 0);
    check_equal("end", r[1].end, 10);
}

static void test_count(void **state)
{
    (void)state;
    check_equal("none", ranges_count(&pc, RANGE_RAM, 0), 0);
    check_equal("one", ranges_count(&pc, RANGE_RAM, 1), 1);
    check_equal("cut in a range", ranges_count(&pc, RANGE_RAM, 0x200), 0x9f + 0x100);
    check_equal("cut at an edge", ranges_count(&pc, RANGE_RAM, 0xbffe0), 0x9f + 0xbfee0);
    check_equal("all", ranges_count(&pc, RANGE_RAM, UINT64_MAX), 0x9f + 0xbfee0 + 0x40000);
    check_equal("identity", ranges_count(&pc, RANGE_IDENTITY, UINT64_MAX), 0x61 + 0x4001f);
    check_equal("missing", ranges_count(&pc, RANGE_MISSING, UINT64_MAX), 1);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(range_kind_name(RANGE_RAM), "ram");
    assert_string_equal(range_kind_name(RANGE_IDENTITY), "identity");
    assert_string_equal(range_kind_name(RANGE_MISSING), "missing");
}

/* The table as one kind for each PFN. */
#define MAP_PFNS 64

static void check_map(const struct ranges *t, const enum range_kind *map)
{
    for (uint64_t pfn = 0; pfn < MAP_PFNS; pfn++)
        check_equal("kind", ranges_find(t, pfn).kind, map[pfn]);
    for (size_t i = 0; i < t->nr; i++) {
        check_equal("no gap", t->r[i].start, i ? t->r[i - 1].end : 0);
        check_true("none empty", t->r[i].start < t->r[i].end);
        check_true("neighbours differ", i == 0 || t->r[i].kind != t->r[i - 1].kind);
    }
}

/* Any piece of any kind, and the end cut off again. */
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

            check_equal("set", ranges_set(&t, start, end, kind), 0);
            for (uint64_t pfn = start; pfn < end; pfn++)
                map[pfn] = kind;
            check_map(&t, map);
            check_equal("its end", ranges_end(&t), start < end ? max_u64(reach, end) : reach);
            if (rng_below(&rng, 3))
                continue;
            reach = ranges_end(&t);
            start = rng_below(&rng, MAP_PFNS + 1);
            for (end = reach; end > start && map[end - 1] == t.beyond;)
                end--;
            ranges_trim(&t, start);
            check_map(&t, map);
            check_equal("trimmed, or not", ranges_end(&t), reach > start ? end : reach);
        }
    }
}

/* It needs room for two more, and says so before it changes anything. */
static void test_set_without_room(void **state)
{
    struct range r[4] = {
        {0, 10, RANGE_RAM}
    };
    struct ranges t = {r, 1, 2, RANGE_MISSING};

    (void)state;
    check_equal("end of nothing", ranges_end(&(struct ranges){.r = r}), 0);
    check_equal("room for one", ranges_set(&t, 3, 5, RANGE_UNPOPULATED), -ENOMEM);
    check_equal("as before", t.nr, 1);
    check_equal("as before", r[0].end, 10);
    check_equal("nothing to do", ranges_set(&t, 5, 5, RANGE_UNPOPULATED), 0);
    t.cap = 3;
    check_equal("room for two", ranges_set(&t, 3, 5, RANGE_UNPOPULATED), 0);
    check_equal("three", t.nr, 3);
    check_equal("full", ranges_set(&t, 3, 5, RANGE_RAM), -ENOMEM);
    t = (struct ranges){calloc(3, sizeof(r[0])), 1, 3, RANGE_MISSING};
    t.r[0] = (struct range){0, 10, RANGE_RAM};
    check_equal("behind a gap", ranges_set(&t, 20, 30, RANGE_UNPOPULATED), 0);
    check_equal("no more than two", t.nr, 3);
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
