/* SPDX-License-Identifier: MIT */
/*
 * Mapping pages that another domain granted (GNTTABOP_map_grant_ref). Without this test a mapping
 * that failed could be recorded as present, a present mapping could be forgotten (its owner could
 * never free the page), or a handle could be unmapped twice. The fake Xen also fails a test that
 * writes a PTE which holds a grant mapping.
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
    range = fg_start_range(FOREIGN_GRANT, FAKE_PEER, nr);
    fake_grants.privileged = false;
    for (uint64_t i = 0; i < nr; i++) {
        refs[i] = fake_peer_grant(FAKE_DOMID, false);
        *fake_ram(fake_peer_mfn(refs[i])) = 0xabc000 + i;
    }
    before = grant_map_counts;
}

/* Checks that the range, Xen's handles and the counters record the same @nr mappings. */
static void check_mappings(const char *what, uint64_t nr)
{
    fg_check(what);
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
    check_equal("grant_unmap of the whole range", grant_unmap(range, 0, range->nr), 0);
    check_mappings("grant mappings after unmapping the range", 0);
    fg_release(range);
    fg_check_empty("foreign window after releasing the range");
}

static void test_use(void **state)
{
    volatile uint64_t *p;

    (void)state;
    start(4);
    check_equal("grant_map of pages 1 and 2, read-write",
                grant_map(range, 1, refs + 1, status, 2, false), 0);
    check_mappings("grant mappings after mapping 2 pages", 2);
    p = (volatile uint64_t *)foreign_va(range, 2);
    check_equal("word read from page 2", *p, 0xabc002);
    *p = 5;
    check_equal("word written to page 2", *fake_ram(fake_peer_mfn(refs[2])), 5);
    check_true("the peer cannot end a grant that is mapped", !fake_peer_end(refs[2]));
    check_equal("reference recorded for page 2", range->page[2].grant.ref, refs[2]);
    check_equal("grant_map of page 0, read-only", grant_map(range, 0, refs + 3, status, 1, true),
                0);
    check_equal("word read from page 0", *(volatile uint64_t *)foreign_va(range, 0), 0xabc003);
    check_true("a page mapped read-only is not writable", !fake_tlb_writable(foreign_va(range, 0)));
    check_equal("grant_map over a mapped page", grant_map(range, 0, refs, status, 1, true),
                -EEXIST);
    check_equal("grant_map of page 3", grant_map(range, 3, refs, status, 1, true), 0);
    check_equal("grant_unmap of pages 1 and 2", grant_unmap(range, 1, 2), 0);
    check_mappings("grant mappings after unmapping 2 of 4 pages", 2);
    check_true("grant_unmap flushed the TLB entry of page 2", !fake_tlb_writable((uintptr_t)p));
    check_true("the peer can end a grant that is unmapped", fake_peer_end(refs[2]));
    check_equal("grant_map of a grant that the peer ended",
                grant_map(range, 2, refs + 2, status, 1, true), -EIO);
    check_equal("status of a grant that the peer ended", status[0], GNTST_general_error);
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
        fg_release(range);
        range = fg_reserve(FOREIGN_GRANT, FAKE_PEER, 4);
        check_equal("grant_map of page 2", grant_map(range, 2, refs, status, 1, false), 0);
        memset(status, 0, sizeof(status));
        calls = fake_grants.nr_ops;
        check_equal("grant_map of a bad range",
                    grant_map(range, rows[i].first, refs, status, rows[i].nr, false),
                    rows[i].map_rc);
        for (uint64_t k = 0; k < rows[i].nr && rows[i].map_rc; k++)
            check_equal("status after grant_map of a bad range", status[k], GNTST_general_error);
        check_equal("grant operations of a bad range", fake_grants.nr_ops, calls);
        check_equal("grant_unmap of a bad range", grant_unmap(range, rows[i].first, rows[i].nr),
                    rows[i].unmap_rc);
        check_gone();
    }
}

/* Each reason for which Xen refuses a mapping, in a batch with mappings that it accepts. */
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
    check_equal("grant_map of a batch with bad references",
                grant_map(range, 1, batch, status, 5, false), -EIO);
    check_equal("status of the first good reference", status[0], GNTST_okay);
    check_equal("status of a read-only grant mapped read-write", status[1], GNTST_general_error);
    check_equal("status of a grant to another domain", status[2], GNTST_general_error);
    check_equal("status of a missing reference", status[3], GNTST_bad_gntref);
    check_equal("status of the second good reference", status[4], GNTST_okay);
    check_mappings("grant mappings after a batch with two good references", 2);
    fake_peer_die();
    check_equal("grant_map after the peer died", grant_map(range, 2, refs + 2, status, 2, true),
                -EIO);
    check_equal("status after the peer died", status[1], GNTST_bad_domain);
    check_mappings("grant mappings after the peer died", 2);
    check_equal("word of a page that was mapped before the peer died",
                *(volatile uint64_t *)foreign_va(range, 5), 0xabc001);
    check_gone();
}

static void test_maptrack_full(void **state)
{
    (void)state;
    start(6);
    fake_grants.max_maptrack = 4;
    check_equal("grant_map of 6 pages with 4 free maptrack entries",
                grant_map(range, 0, refs, status, 6, false), -EIO);
    for (int i = 0; i < 6; i++)
        check_equal("status with 4 free maptrack entries", status[i],
                    i < 4 ? GNTST_okay : GNTST_no_space);
    check_mappings("grant mappings with 4 maptrack entries", 4);
    check_equal("grant_unmap of one page", grant_unmap(range, 1, 1), 0);
    check_equal("grant_map of one page after an unmap",
                grant_map(range, 5, refs + 5, status, 1, false), 0);
    check_mappings("grant mappings after mapping another page", 4);
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
    check_equal("grant_map with a pattern of failing pages",
                grant_map(range, 1, refs, status, nr, false), bad && !unmap ? -EIO : 0);
    for (unsigned int i = 0; i < nr; i++) {
        bool failed = !unmap && bad >> i & 1;

        check_equal("status of a page in the pattern", status[i],
                    failed ? GNTST_eagain : GNTST_okay);
        check_equal("page is recorded as mapped after grant_map", foreign_is_mapped(range, 1 + i),
                    !failed);
    }
    check_mappings("grant mappings after grant_map with a pattern", unmap ? nr : good);
    fake_grants.verdict = unmap ? by_pattern : NULL;
    fake_grants.nr_ops = 0;
    check_equal("grant_unmap with a pattern of failing pages", grant_unmap(range, 0, 8),
                bad && unmap ? -EIO : 0);
    check_mappings("grant mappings after grant_unmap with a pattern", unmap ? nr - good : 0);
    for (unsigned int i = 0; i < nr; i++)
        check_equal("page is recorded as mapped after grant_unmap", foreign_is_mapped(range, 1 + i),
                    unmap && bad >> i & 1);
    fake_grants.verdict = NULL;
    check_equal("grant_unmap of the remaining pages", grant_unmap(range, 0, 8), 0);
    check_mappings("grant mappings after the second grant_unmap", 0);
}

static void fail_map_and_unmap(unsigned int nr, unsigned int bad)
{
    fail_pattern(nr, bad, false);
    fail_pattern(nr, bad, true);
}

/* Every pattern of failing pages, at grant_map and at grant_unmap. */
static void test_every_pattern(void **state)
{
    (void)state;
    start(8);
    fg_each_pattern(fail_map_and_unmap);
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
    check_equal("grant_map with one failing page", grant_map(range, 3, refs, status, nr, false),
                -EIO);
    check_equal("hypercalls of grant_map, of up to 512 pages each",
                grant_map_counts.nr_hypercalls - calls, (nr + 511) / 512);
    for (unsigned int i = 0; i < nr; i++)
        check_equal("status with one failing page", status[i],
                    i == bad_op ? GNTST_no_device_space : 0);
    check_mappings("grant mappings with one failing page", nr - 1);
    check_true("the failing page is not recorded as mapped", !foreign_is_mapped(range, 3 + bad_op));
    fake_grants.verdict = NULL;
    check_equal("grant_map of the page that failed",
                grant_map(range, 3 + bad_op, refs, status, 1, false), 0);
    fake_grants.nr_ops = 0;
    fake_grants.verdict = one_bad;
    check_equal("grant_unmap with one failing page", grant_unmap(range, 0, MAX_PAGES), -EIO);
    check_mappings("grant mappings after grant_unmap with one failing page", 1);
    check_true("the page that failed to unmap is recorded as mapped",
               foreign_is_mapped(range, 3 + bad_op));
    fake_grants.verdict = NULL;
    check_equal("second grant_unmap", grant_unmap(range, 0, MAX_PAGES), 0);
    check_mappings("grant mappings after the second grant_unmap", 0);
}

/* One failing page, on either side of the end of each hypercall. */
static void test_across_hypercalls(void **state)
{
    (void)state;
    start(MAX_PAGES);
    fg_around_hypercalls(fail_one);
    check_gone();
}

/* A hypercall fails at once or after some operations: the range records those, and can be unmapped.
 */
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
            check_equal("grant_map with a failing hypercall",
                        grant_map(range, 0, refs, status, MAX_PAGES, false), -EFAULT);
            check_mappings("grant mappings after a failing hypercall", done);
            for (uint64_t i = 0; i < MAX_PAGES; i++)
                check_equal("status after a failing hypercall", status[i],
                            i < done ? 0 : GNTST_general_error);
            check_equal("grant_map of the remaining pages",
                        grant_map(range, done, refs + done, status, MAX_PAGES - done, false), 0);
            fake.fail_at = fake.nr_hypercalls + n;
            check_equal("grant_unmap with a failing hypercall", grant_unmap(range, 0, MAX_PAGES),
                        -EFAULT);
            check_mappings("grant mappings after grant_unmap with a failing hypercall",
                           (n == 3 ? 6 : 512) - min_u64(afters[a], n == 3 ? 6 : 512));
            check_equal("second grant_unmap", grant_unmap(range, 0, MAX_PAGES), 0);
            check_mappings("grant mappings after the second grant_unmap", 0);
        }
    check_gone();
}

/* A mapping with a handle that Xen does not know stays recorded: it was not unmapped through it. */
static void test_unknown_handle(void **state)
{
    uint32_t handle;

    (void)state;
    start(3);
    check_equal("grant_map of 3 pages", grant_map(range, 0, refs, status, 3, false), 0);
    handle = range->page[1].grant.handle;
    range->page[1].grant.handle = 99;
    check_equal("grant_unmap with a wrong handle", grant_unmap(range, 0, 3), -EIO);
    check_equal("mapped pages after grant_unmap with a wrong handle", range->nr_mapped, 1);
    range->page[1].grant.handle = handle;
    check_gone();
}

/* Gaps between mapped pages: a hypercall holds requests for mapped pages only. */
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

            check_equal("grant_map of a random page",
                        grant_map(range, first, refs + first, status, 1, i & 1), had ? -EEXIST : 0);
            nr += !had;
        } else if (rng_below(&rng, 20) == 0) {
            uint64_t n = rng_below(&rng, MAX_PAGES - first + 1), had = 0;

            for (uint64_t k = first; k < first + n; k++)
                had += foreign_is_mapped(range, k);
            check_equal("grant_unmap of random pages", grant_unmap(range, first, n), 0);
            nr -= had;
        }
        check_equal("mapped pages of the range against the model", range->nr_mapped, nr);
        check_equal("Xen's handles against the model", fake_grants_handles(), nr);
    }
    check_mappings("grant mappings after all random steps", nr);
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
        cmocka_unit_test_teardown(test_use, fg_teardown),
        cmocka_unit_test_teardown(test_bad_ranges, fg_teardown),
        cmocka_unit_test_teardown(test_statuses, fg_teardown),
        cmocka_unit_test_teardown(test_maptrack_full, fg_teardown),
        cmocka_unit_test_teardown(test_every_pattern, fg_teardown),
        cmocka_unit_test_teardown(test_across_hypercalls, fg_teardown),
        cmocka_unit_test_teardown(test_every_hypercall, fg_teardown),
        cmocka_unit_test_teardown(test_unknown_handle, fg_teardown),
        cmocka_unit_test_teardown(test_sparse, fg_teardown),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("grant mappings", tests, NULL, NULL);
}
