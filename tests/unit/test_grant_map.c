/* SPDX-License-Identifier: MIT */
/*
 * What others grant, mapped: without this a mapping that failed could be taken for one that is
 * there, one that is there be forgotten (and the owner's page never be free again), or a handle be
 * given back twice. The fake Xen also fails a test that writes an entry which holds a grant.
 */
#include "xen/grant_map.h"

#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

#define MAX_PAGES 1030

static uint32_t refs[MAX_PAGES];
static int16_t status[MAX_PAGES];
static struct foreign_range *range;
static struct grant_map_counts before;

static void start(uint64_t nr)
{
    range = wg_start_range(FOREIGN_GRANT, FAKE_PEER, nr);
    fake_grants.privileged = false;
    for (uint64_t i = 0; i < nr; i++) {
        refs[i] = fake_peer_grant(FAKE_DOMID, false);
        *fake_ram(fake_peer_mfn(refs[i])) = 0xabc000 + i;
    }
    before = grant_map_counts;
}

/* All that is known of the range is so, and nothing more is mapped than it knows. */
static void check_books(const char *what, uint64_t nr)
{
    wg_check(what);
    check_equal(what, range->nr_mapped, nr);
    check_equal(what, fake_grants_handles(), nr);
    check_equal(what,
                (grant_map_counts.nr_mapped - before.nr_mapped) -
                    (grant_map_counts.nr_unmapped - before.nr_unmapped),
                nr);
    for (uint64_t i = 0; i < range->nr; i++)
        if (foreign_is_mapped(range, i))
            check_equal(what, fake_walk(foreign_va(range, i)).mfn,
                        fake_peer_mfn(range->page[i].grant.ref));
}

static void check_gone(void)
{
    check_equal("unmap", grant_unmap(range, 0, range->nr), 0);
    check_books("nothing is left", 0);
    wg_release(range);
    wg_check_empty("all is given back");
}

static void test_use(void **state)
{
    volatile uint64_t *p;

    (void)state;
    start(4);
    check_equal("map", grant_map(range, 1, refs + 1, status, 2, false), 0);
    check_books("two", 2);
    p = (volatile uint64_t *)foreign_va(range, 2);
    check_equal("read", *p, 0xabc002);
    *p = 5;
    check_equal("written", *fake_ram(fake_peer_mfn(refs[2])), 5);
    check_true("the peer cannot end it", !fake_peer_end(refs[2]));
    check_equal("reference", range->page[2].grant.ref, refs[2]);
    check_equal("read only", grant_map(range, 0, refs + 3, status, 1, true), 0);
    check_equal("read", *(volatile uint64_t *)foreign_va(range, 0), 0xabc003);
    check_true("not written", !fake_tlb_writable(foreign_va(range, 0)));
    check_equal("over it", grant_map(range, 0, refs, status, 1, true), -EEXIST);
    check_equal("nor over the last", grant_map(range, 3, refs, status, 1, true), 0);
    check_equal("unmap some", grant_unmap(range, 1, 2), 0);
    check_books("two are left", 2);
    check_true("flushed", !fake_tlb_writable((uintptr_t)p));
    check_true("and can be ended", fake_peer_end(refs[2]));
    check_equal("what is ended", grant_map(range, 2, refs + 2, status, 1, true), -EIO);
    check_equal("status", status[0], GNTST_general_error);
    check_gone();
}

static void test_bad_ranges(void **state)
{
    static const struct {
        uint64_t first, nr;
        int map_rc, unmap_rc;
    } rows[] = {
        {0,          5, -ERANGE, -ERANGE},
        {4,          1, -ERANGE, -ERANGE},
        {5,          0, -ERANGE, -ERANGE},
        {4,          0, 0,       0      },
        {1,          4, -ERANGE, -ERANGE},
        {UINT64_MAX, 2, -ERANGE, -ERANGE},
        {2,          1, -EEXIST, 0      },
        {0,          4, -EEXIST, 0      },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned int calls;

        start(6);
        wg_release(range);
        range = wg_reserve(FOREIGN_GRANT, FAKE_PEER, 4);
        check_equal("one is mapped", grant_map(range, 2, refs, status, 1, false), 0);
        memset(status, 0, sizeof(status));
        calls = fake_grants.nr_ops;
        check_equal("map", grant_map(range, rows[i].first, refs, status, rows[i].nr, false),
                    rows[i].map_rc);
        for (uint64_t k = 0; k < rows[i].nr && rows[i].map_rc; k++)
            check_equal("status", status[k], GNTST_general_error);
        check_equal("Xen was not asked", fake_grants.nr_ops, calls);
        check_equal("unmap", grant_unmap(range, rows[i].first, rows[i].nr), rows[i].unmap_rc);
        check_gone();
    }
}

/* Each reason by which Xen refuses, beside one that it accepts. */
static void test_statuses(void **state)
{
    uint32_t batch[5];

    (void)state;
    start(6);
    batch[0] = refs[0];
    batch[1] = fake_peer_grant(FAKE_DOMID, true);
    batch[2] = fake_peer_grant(9, false);
    batch[3] = 4000;
    batch[4] = refs[1];
    check_equal("map", grant_map(range, 1, batch, status, 5, false), -EIO);
    check_equal("good", status[0], GNTST_okay);
    check_equal("read only", status[1], GNTST_general_error);
    check_equal("another's", status[2], GNTST_general_error);
    check_equal("none", status[3], GNTST_bad_gntref);
    check_equal("good", status[4], GNTST_okay);
    check_books("two", 2);
    fake_peer_die();
    check_equal("nobody is there", grant_map(range, 2, refs + 2, status, 2, true), -EIO);
    check_equal("nobody", status[1], GNTST_bad_domain);
    check_books("the two stay", 2);
    check_equal("it is still there", *(volatile uint64_t *)foreign_va(range, 5), 0xabc001);
    check_gone();
}

static void test_maptrack_full(void **state)
{
    (void)state;
    start(6);
    fake_grants.max_maptrack = 4;
    check_equal("map", grant_map(range, 0, refs, status, 6, false), -EIO);
    for (int i = 0; i < 6; i++)
        check_equal("status", status[i], i < 4 ? GNTST_okay : GNTST_no_space);
    check_books("four", 4);
    check_equal("unmap", grant_unmap(range, 1, 1), 0);
    check_equal("another", grant_map(range, 5, refs + 5, status, 1, false), 0);
    check_books("four again", 4);
    check_gone();
}

static uint64_t pattern;

static int16_t by_pattern(unsigned int op)
{
    return pattern >> op & 1 ? GNTST_eagain : GNTST_okay;
}

static void fail_pattern(unsigned int nr, unsigned int bad, bool unmap)
{
    unsigned int good = nr - (unsigned int)__builtin_popcount(bad);

    fake_grants.verdict = unmap ? NULL : by_pattern;
    fake_grants.nr_ops = 0;
    pattern = bad;
    check_equal("map", grant_map(range, 1, refs, status, nr, false), bad && !unmap ? -EIO : 0);
    for (unsigned int i = 0; i < nr; i++) {
        bool failed = !unmap && bad >> i & 1;

        check_equal("status", status[i], failed ? GNTST_eagain : GNTST_okay);
        check_equal("known", foreign_is_mapped(range, 1 + i), !failed);
    }
    check_books("what is mapped", unmap ? nr : good);
    fake_grants.verdict = unmap ? by_pattern : NULL;
    fake_grants.nr_ops = 0;
    check_equal("unmap", grant_unmap(range, 0, 8), bad && unmap ? -EIO : 0);
    check_books("what is left", unmap ? nr - good : 0);
    for (unsigned int i = 0; i < nr; i++)
        check_equal("known", foreign_is_mapped(range, 1 + i), unmap && bad >> i & 1);
    fake_grants.verdict = NULL;
    check_equal("unmap the rest", grant_unmap(range, 0, 8), 0);
    check_books("none", 0);
}

static void fail_map_and_unmap(unsigned int nr, unsigned int bad)
{
    fail_pattern(nr, bad, false);
    fail_pattern(nr, bad, true);
}

/* Every pattern of failures, mapping, and unmapping what was mapped. */
static void test_every_pattern(void **state)
{
    (void)state;
    start(8);
    wg_each_pattern(fail_map_and_unmap);
    check_gone();
}

static unsigned int bad_op;

static int16_t one_bad(unsigned int op)
{
    return op == bad_op ? GNTST_no_device_space : GNTST_okay;
}

static void fail_one(unsigned int nr, unsigned int bad)
{
    uint64_t calls = grant_map_counts.nr_hypercalls;

    bad_op = bad;
    fake_grants.nr_ops = 0;
    fake_grants.verdict = one_bad;
    check_equal("map", grant_map(range, 3, refs, status, nr, false), -EIO);
    check_equal("by 512", grant_map_counts.nr_hypercalls - calls, (nr + 511) / 512);
    for (unsigned int i = 0; i < nr; i++)
        check_equal("status", status[i], i == bad_op ? GNTST_no_device_space : 0);
    check_books("all but one", nr - 1);
    check_true("that one", !foreign_is_mapped(range, 3 + bad_op));
    fake_grants.verdict = NULL;
    check_equal("and that", grant_map(range, 3 + bad_op, refs, status, 1, false), 0);
    fake_grants.nr_ops = 0;
    fake_grants.verdict = one_bad;
    check_equal("unmap", grant_unmap(range, 0, MAX_PAGES), -EIO);
    check_books("that one", 1);
    check_true("that one", foreign_is_mapped(range, 3 + bad_op));
    fake_grants.verdict = NULL;
    check_equal("unmap", grant_unmap(range, 0, MAX_PAGES), 0);
    check_books("none", 0);
}

/* One failure at either side of where one hypercall ends and another begins. */
static void test_across_hypercalls(void **state)
{
    (void)state;
    start(MAX_PAGES);
    wg_around_hypercalls(fail_one);
    check_gone();
}

/* A hypercall that fails, at once or after some: what was done is known, and can be undone. */
static void test_every_hypercall(void **state)
{
    static const unsigned int afters[] = {0, 1, 100, 511, 512};

    (void)state;
    start(MAX_PAGES);
    for (size_t a = 0; a < ARRAY_SIZE(afters); a++)
        for (unsigned int n = 1; n <= 3; n++) {
            uint64_t done = (n - 1) * 512 + min_u64(afters[a], n == 3 ? 6 : 512);

            fake.fail_after = afters[a];
            fake.fail_with = -XEN_EFAULT;
            fake.fail_at = fake.nr_hypercalls + n;
            memset(status, 0x11, sizeof(status));
            check_equal("map", grant_map(range, 0, refs, status, MAX_PAGES, false), -EFAULT);
            check_books("what was done", done);
            for (uint64_t i = 0; i < MAX_PAGES; i++)
                check_equal("status", status[i], i < done ? 0 : GNTST_general_error);
            check_equal("the rest",
                        grant_map(range, done, refs + done, status, MAX_PAGES - done, false), 0);
            fake.fail_at = fake.nr_hypercalls + n;
            check_equal("unmap", grant_unmap(range, 0, MAX_PAGES), -EFAULT);
            check_books("all others", (n == 3 ? 6 : 512) - min_u64(afters[a], n == 3 ? 6 : 512));
            check_equal("then", grant_unmap(range, 0, MAX_PAGES), 0);
            check_books("none", 0);
        }
    check_gone();
}

/* A mapping that Xen does not know stays in the books: somebody else has ended it. */
static void test_unknown_handle(void **state)
{
    uint32_t handle;

    (void)state;
    start(3);
    check_equal("map", grant_map(range, 0, refs, status, 3, false), 0);
    handle = range->page[1].grant.handle;
    range->page[1].grant.handle = 99;
    check_equal("unmap", grant_unmap(range, 0, 3), -EIO);
    check_equal("it stays", range->nr_mapped, 1);
    range->page[1].grant.handle = handle;
    check_gone();
}

/* Holes between what is mapped: requests are as many as there are mappings. */
static void test_sparse(void **state)
{
    struct rng rng = {.state = 0x53504152};
    uint64_t nr = 0;

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    start(MAX_PAGES);
    for (int i = 0; i < 3000; i++) {
        uint64_t first = rng_below(&rng, MAX_PAGES);

        if (rng_below(&rng, 3)) {
            bool had = foreign_is_mapped(range, first);

            check_equal("map", grant_map(range, first, refs + first, status, 1, i & 1),
                        had ? -EEXIST : 0);
            nr += !had;
        } else if (rng_below(&rng, 20) == 0) {
            uint64_t n = rng_below(&rng, MAX_PAGES - first + 1), had = 0;

            for (uint64_t k = first; k < first + n; k++)
                had += foreign_is_mapped(range, k);
            check_equal("unmap", grant_unmap(range, first, n), 0);
            nr -= had;
        }
        check_equal("mapped", range->nr_mapped, nr);
        check_equal("handles", fake_grants_handles(), nr);
    }
    check_books("in the end", nr);
    check_gone();
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(grant_status_name(GNTST_okay), "GNTST_okay");
    assert_string_equal(grant_status_name(GNTST_permission_denied), "GNTST_permission_denied");
    assert_string_equal(grant_status_name(GNTST_no_space), "GNTST_no_space");
    assert_string_equal(grant_status_name(GNTST_no_space - 1), "unknown grant status");
    assert_string_equal(grant_status_name(1), "unknown grant status");
    assert_string_equal(grant_status_name(INT16_MIN), "unknown grant status");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_use, wg_teardown),
        cmocka_unit_test_teardown(test_bad_ranges, wg_teardown),
        cmocka_unit_test_teardown(test_statuses, wg_teardown),
        cmocka_unit_test_teardown(test_maptrack_full, wg_teardown),
        cmocka_unit_test_teardown(test_every_pattern, wg_teardown),
        cmocka_unit_test_teardown(test_across_hypercalls, wg_teardown),
        cmocka_unit_test_teardown(test_every_hypercall, wg_teardown),
        cmocka_unit_test_teardown(test_unknown_handle, wg_teardown),
        cmocka_unit_test_teardown(test_sparse, wg_teardown),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("grant mappings", tests, NULL, NULL);
}
