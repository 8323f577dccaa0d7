/* SPDX-License-Identifier: MIT */
/*
 * P2M lookups and updates. Without this test the P2M could answer wrongly for one of its four kinds
 * of PFN (with a frame, in a hole, RAM without a frame, past the list); or an entry could be
 * written that Xen's tools misread: an MFN wider than 40 bits, or a frame at the PFN of a hole.
 */
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/p2m.h"

#define WIDEST (((uint64_t)1 << 40) - 1)

static uint64_t list[P2M_PER_PAGE];
static struct range entries[] = {
    {0,   100, RANGE_RAM     },
    {100, 200, RANGE_IDENTITY},
    {200, 300, RANGE_MISSING },
    {300, 512, RANGE_RAM     },
    {512, 600, RANGE_IDENTITY},
    {600, 700, RANGE_RAM     },
};
static struct p2m p2m = {
    .list = list,
    .nr = P2M_PER_PAGE,
    .ranges = {entries, ARRAY_SIZE(entries), ARRAY_SIZE(entries), RANGE_IDENTITY},
};

/* PFNs of RAM below 50 have frames, PFNs of RAM above have none yet. */
static int reset(void **state)
{
    (void)state;
    for (uint64_t pfn = 0; pfn < P2M_PER_PAGE; pfn++)
        list[pfn] = pfn < 50 ? 0x5a00 + pfn * 3 : INVALID_ENTRY;
    p2m.ranges.beyond = RANGE_IDENTITY;
    return 0;
}

/* A list of the builder must have no gap: each one of 512 entries or more is found. */
static void test_find_gap(void **state)
{
    static uint64_t entries_of_list[5 * P2M_PER_PAGE];
    struct p2m builders = {.list = entries_of_list};

    (void)state;
    for (uint64_t pfn = 0; pfn < ARRAY_SIZE(entries_of_list); pfn++)
        entries_of_list[pfn] = 0x5a00 + pfn;
    for (uint64_t nr = 1; nr <= ARRAY_SIZE(entries_of_list); nr += 511) {
        builders.nr = nr;
        check_equal("p2m_find_gap in a list without a gap", p2m_find_gap(&builders), nr);
        entries_of_list[nr - 1] = INVALID_ENTRY;
        check_equal("p2m_find_gap in a list without a last entry", p2m_find_gap(&builders), nr - 1);
        entries_of_list[nr - 1] = 0x5a00 + nr - 1;
    }
    builders.nr = ARRAY_SIZE(entries_of_list);
    for (uint64_t from = 0; from + P2M_PER_PAGE <= builders.nr; from++) {
        for (uint64_t i = 0; i < P2M_PER_PAGE; i++)
            entries_of_list[from + i] = INVALID_ENTRY;
        check_true("p2m_find_gap finds a PFN of a gap of 512",
                   p2m_find_gap(&builders) - from < P2M_PER_PAGE);
        for (uint64_t i = 0; i < P2M_PER_PAGE; i++)
            entries_of_list[from + i] = 0x5a00 + from + i;
    }
}

static void test_get(void **state)
{
    static const struct {
        const char *what;
        uint64_t pfn, get, get_ram;
    } rows[] = {
        {"the first frame",          0,          0x5a00,        0x5a00       },
        {"the last frame",           49,         0x5a00 + 147,  0x5a00 + 147 },
        {"RAM without a frame",      50,         INVALID_ENTRY, INVALID_ENTRY},
        {"last PFN before a hole",   99,         INVALID_ENTRY, INVALID_ENTRY},
        {"first PFN of a hole",      100,        100,           INVALID_ENTRY},
        {"last PFN of a hole",       199,        199,           INVALID_ENTRY},
        {"first missing PFN",        200,        INVALID_ENTRY, INVALID_ENTRY},
        {"last missing PFN",         299,        INVALID_ENTRY, INVALID_ENTRY},
        {"last PFN of the list",     511,        INVALID_ENTRY, INVALID_ENTRY},
        {"past the list, in a hole", 512,        512,           INVALID_ENTRY},
        {"past the list, RAM",       600,        INVALID_ENTRY, INVALID_ENTRY},
        {"past the ranges",          700,        700,           INVALID_ENTRY},
        {"the largest identity PFN", WIDEST,     WIDEST,        INVALID_ENTRY},
        {"a PFN of 41 bits",         WIDEST + 1, INVALID_ENTRY, INVALID_ENTRY},
        {"PFN UINT64_MAX",           UINT64_MAX, INVALID_ENTRY, INVALID_ENTRY},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        check_equal(rows[i].what, p2m_get(&p2m, to_pfn(rows[i].pfn)).v, rows[i].get);
        check_equal(rows[i].what, p2m_get_ram(&p2m, to_pfn(rows[i].pfn)).v, rows[i].get_ram);
    }
}

static void test_beyond_is_missing_in_a_domu(void **state)
{
    (void)state;
    p2m.ranges.beyond = RANGE_MISSING;
    check_equal("p2m_get past the ranges of a domU", p2m_get(&p2m, to_pfn(700)).v, INVALID_ENTRY);
    check_equal("p2m_get in a hole of a domU", p2m_get(&p2m, to_pfn(150)).v, 150);
}

static void test_set(void **state)
{
    static const struct {
        const char *what;
        uint64_t pfn, mfn;
        int rc;
    } rows[] = {
        {"a frame",                  50,         1,              0      },
        {"MFN 2^34",                 51,         1ull << 34,     0      },
        {"MFN 2^40 - 1",             52,         WIDEST,         0      },
        {"the frame is removed",     0,          INVALID_ENTRY,  0      },
        {"last PFN of the list",     511,        0x77,           0      },
        {"MFN 2^40",                 53,         WIDEST + 1,     -EINVAL},
        {"Linux's identity flag",    53,         1ull << 62,     -EINVAL},
        {"almost ~0",                53,         UINT64_MAX - 1, -EINVAL},
        {"a frame in a hole",        100,        1,              -EINVAL},
        {"~0 in a hole",             199,        INVALID_ENTRY,  -EINVAL},
        {"a frame at a missing PFN", 250,        1,              -EINVAL},
        {"past the list",            512,        1,              -ERANGE},
        {"past the list, RAM",       600,        1,              -ERANGE},
        {"PFN UINT64_MAX",           UINT64_MAX, 1,              -ERANGE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        pfn_t pfn = to_pfn(rows[i].pfn);
        uint64_t before = p2m_get(&p2m, pfn).v;

        check_equal(rows[i].what, p2m_set(&p2m, pfn, to_mfn(rows[i].mfn)), rows[i].rc);
        check_equal(rows[i].what, p2m_get(&p2m, pfn).v, rows[i].rc ? before : rows[i].mfn);
    }
}

static void test_frame_with_the_number_of_its_pfn(void **state)
{
    (void)state;
    /* the frame must count as a frame of the domain, not as identity */
    check_equal("p2m_set of an MFN that equals its PFN", p2m_set(&p2m, to_pfn(60), to_mfn(60)), 0);
    check_equal("p2m_get of an MFN that equals its PFN", p2m_get(&p2m, to_pfn(60)).v, 60);
    check_equal("p2m_get_ram of an MFN that equals its PFN", p2m_get_ram(&p2m, to_pfn(60)).v, 60);
}

static void test_m2p(void **state)
{
    static const uint64_t table[] = {7, 5, INVALID_ENTRY};
    const struct m2p m2p = {table, ARRAY_SIZE(table)};

    (void)state;
    check_equal("m2p_get of the first MFN", m2p_get(&m2p, to_mfn(0)).v, 7);
    check_equal("m2p_get of an MFN without a PFN", m2p_get(&m2p, to_mfn(2)).v, INVALID_ENTRY);
    check_equal("m2p_get past the M2P", m2p_get(&m2p, to_mfn(3)).v, INVALID_ENTRY);
    check_equal("m2p_get of INVALID_MFN", m2p_get(&m2p, INVALID_MFN).v, INVALID_ENTRY);
}

/* Xen's M2P has gaps: a read there faults, and m2p_get returns INVALID_ENTRY. */
static void test_m2p_fault(void **state)
{
    (void)state;
    fake_machine_start(0x40000, 0x1000);
    fake_set_m2p(0x40000, 5);
    fake_set_m2p(0x40fff, 6);
    check_equal("m2p_get of the first MFN", m2p_get(&fake.m2p, to_mfn(0x40000)).v, 5);
    check_equal("m2p_get of the last MFN", m2p_get(&fake.m2p, to_mfn(0x40fff)).v, 6);
    check_equal("m2p_get in a gap of the M2P", m2p_get(&fake.m2p, to_mfn(0x3ffff)).v,
                INVALID_ENTRY);
    check_equal("m2p_get of MFN 0, in a gap of the M2P", m2p_get(&fake.m2p, to_mfn(0)).v,
                INVALID_ENTRY);
    check_equal("m2p_get past the M2P", m2p_get(&fake.m2p, to_mfn(0x41000)).v, INVALID_ENTRY);
    fake_machine_stop();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_gap),
        cmocka_unit_test_setup(test_get, reset),
        cmocka_unit_test_setup(test_beyond_is_missing_in_a_domu, reset),
        cmocka_unit_test_setup(test_set, reset),
        cmocka_unit_test_setup(test_frame_with_the_number_of_its_pfn, reset),
        cmocka_unit_test(test_m2p),
        cmocka_unit_test(test_m2p_fault),
    };

    return cmocka_run_group_tests_name("P2M", tests, NULL, NULL);
}
