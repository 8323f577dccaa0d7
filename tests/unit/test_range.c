/* SPDX-License-Identifier: MIT */
/*
 * Without this a PFN at the very edge of a hole could be taken for RAM, or RAM for a hole: a ~0
 * in the P2M means what this table says. The bisection is held against a loop over all entries.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/range.h"

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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_at_every_edge),
        cmocka_unit_test(test_every_length_of_table),
        cmocka_unit_test(test_next_ram),
        cmocka_unit_test(test_append_joins_and_refuses),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
