/* SPDX-License-Identifier: MIT */
/*
 * Growth of the grant table, by frames that Xen provides and never takes back. Without this test a
 * growth that fails half way could lose references, allocate one reference twice, or allocate one
 * that has no entry; and an MFN wider than the 32 bits of a version 1 entry would be truncated and
 * grant another domain's page.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include <xen/errno.h>

static void test_start(void **state)
{
    static const struct {
        const char *what;
        struct fake_grants xen;
        unsigned int version;
        int rc;
        unsigned int got;
        uint32_t max_frames;
    } rows[] = {
        {"version 1",                            {0},                                   1, 0,       1, 64  },
        {"version 2",                            {0},                                   2, 0,       2, 64  },
        {"no version 2",                         {.no_version_2 = true},                2, 0,       1, 64  },
        {"a table of one frame",                 {.max_frames = 1},                     2, 0,       2, 1   },
        {"max_frames of 2000, version 1",        {.max_frames = 2000},                  1, 0,       1, 1024},
        {"max_frames of 2000, version 2",        {.max_frames = 2000},                  2, 0,       2, 1024},
        {"no grant tables",                      {.none = true},                        2, -ENOSYS, 0, 0   },
        {"setup_table: permission denied",
         {.setup_status = GNTST_permission_denied},
         1,                                                                                -EPERM,
         1,                                                                                            64  },
        {"setup_table: general error",           {.setup_status = GNTST_general_error}, 1, -ENOSPC, 1, 64  },
        {"get_status_frames: permission denied",
         {.get_status = GNTST_permission_denied},
         2,                                                                                -EPERM,
         2,                                                                                            64  },
        {"get_status_frames: general error",
         {.get_status = GNTST_general_error},
         2,                                                                                -ENOSPC,
         2,                                                                                            64  },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t ref;

        gg_start(FAKE_MFNS_SHUFFLED);
        fake_grants = rows[i].xen;
        check_equal(rows[i].what, grants_start(&grants, rows[i].version), rows[i].rc);
        check_equal(rows[i].what, grants.version, rows[i].got);
        check_equal(rows[i].what, grants.max_frames, rows[i].max_frames);
        if (!rows[i].rc)
            gg_check_all_free(rows[i].what);
        else if (rows[i].xen.none)
            check_equal("grant_access without grant tables",
                        grant_access(&grants, FAKE_PEER, gg_page(), false, &ref), -ENOSYS);
        check_true(rows[i].what, fake_grants_reserved_untouched());
    }
}

/* Fills the table to its limit: each growth comes only when needed, then grants fail, none is lost.
 */
static void test_growth(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        uint32_t per = version == 1 ? 512 : 256, nr = 11 * per - 8, ref;
        pfn_t pfn;

        gg_start(FAKE_MFNS_SHUFFLED);
        fake_grants.max_frames = 11; /* more than one status frame */
        check_equal("grants_start", grants_start(&grants, version), 0);
        pfn = gg_page();
        for (uint32_t i = 0; i < nr; i++) {
            ref = gg_access(pfn, i % 2);
            check_equal("references are allocated in order", ref, 8 + i);
            check_equal("grant table frames while filling the table", grants.nr_frames,
                        ref / per + 1);
        }
        check_equal("Xen's grant table frames of a full table", fake_grants_frames(), 11);
        check_equal("grant_access with a full table",
                    grant_access(&grants, FAKE_PEER, pfn, false, &ref), -ENOSPC);
        check_equal("frames of the side table", grants.nr_record_frames,
                    11 * DIV_ROUND_UP(per * 16, PAGE_SIZE));
        for (uint32_t i = 8; i < 11 * per; i += 200) {
            check_equal("the peer maps a grant", fake_peer_map(FAKE_PEER, i, true), 0);
            check_true("the mapped grant is in use", grant_in_use(&grants, i));
            check_true("the next grant is not in use", !grant_in_use(&grants, i + 1));
            fake_peer_unmap(i);
        }
        for (uint32_t i = 8; i < 11 * per; i++)
            check_equal("grant_end of each grant", grant_end(&grants, i), 0);
        gg_free_page(pfn);
        gg_check_all_free("grant table after ending all grants");
    }
}

static uint32_t made;
static pfn_t page;

/* Grants @page until grant_access fails, or @made grants exist. */
static void grant_some(void *arg)
{
    uint32_t ref;
    int rc = 0;

    while (made < 600 && !rc) {
        rc = grant_access(&grants, FAKE_PEER, page, false, &ref);
        made += rc == 0;
    }
    *(int *)arg = rc;
}

/* After a failed growth the next grant_access succeeds. */
static void check_go_on(void)
{
    int rc;

    grant_some(&rc);
    check_equal("grant_access after a failed growth", rc, 0);
    for (uint32_t ref = 8; ref < 608; ref++)
        check_equal("grant_end of each grant", grant_end(&grants, ref), 0);
    gg_free_page(page);
    gg_check_all_free("grant table after ending all grants");
}

static void test_growth_refused(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++)
        for (unsigned int n = 1, nr_refused = 0;; n++) {
            const char *panic;
            int rc;

            gg_start_version(version);
            page = gg_page();
            made = 0;
            panic = guest_fail_nth(n, -XEN_EINVAL, grant_some, &rc);
            if (fake.nr_hypercalls < n) {
                check_true("at least 4 hypercalls of a growth fail with an error", nr_refused >= 4);
                break;
            }
            if (panic) {
                check_says("panic of a growth", panic, ": cannot ");
                continue;
            }
            nr_refused++;
            check_true("a refused growth returns -EINVAL or -ENOMEM",
                       rc == -XEN_EINVAL || rc == -ENOMEM);
            check_go_on();
        }
}

static void test_growth_without_frames(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++)
        for (unsigned int n = 1;; n++) {
            struct guest_state before, now;
            int rc;

            gg_start_version(version);
            page = gg_page();
            made = 0;
            before = guest_state(&fg.g);
            fg.g.frame_pool.fail_at = fg.g.frame_pool.nr_requests + n;
            grant_some(&rc);
            if (!rc) {
                check_true("a growth allocates frames", n > version);
                break;
            }
            check_equal("grant_access without a free frame", rc, -ENOMEM);
            now = guest_state(&fg.g);
            if (version == 1)
                guest_check_state("guest state after a growth without a free frame", &now, &before);
            check_go_on();
        }
}

/* A GNTST status instead of a failed hypercall: Xen refuses the growth, and later allows it. */
static void test_growth_denied(void **state)
{
    int rc;

    (void)state;
    for (int which = 0; which < 2; which++) {
        gg_start_version(2);
        page = gg_page();
        made = 0;
        *(which ? &fake_grants.get_status : &fake_grants.setup_status) = GNTST_permission_denied;
        grant_some(&rc);
        check_equal("grant_access with a denied growth", rc, -EPERM);
        check_equal("grants made in the first frame", made, 248);
        *(which ? &fake_grants.get_status : &fake_grants.setup_status) = GNTST_okay;
        check_go_on();
    }
}

static void test_wide_frames(void **state)
{
    uint32_t ref = 77;
    pfn_t pfn;

    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        gg_start(FAKE_MFNS_HIGHEST);
        check_equal("grants_start", grants_start(&grants, version), 0);
        pfn = gg_page();
        check_true("the MFN of the page is wider than 32 bits", gg_mfn(pfn) > UINT32_MAX);
        check_equal("grant_access of an MFN wider than 32 bits",
                    grant_access(&grants, FAKE_PEER, pfn, false, &ref), version == 1 ? -ERANGE : 0);
        if (version == 1) {
            check_equal("reference after a refused grant_access", ref, 77);
            check_equal("flags of entry 8 after a refused grant_access", fake_grants_entry(8).flags,
                        0);
            check_equal("references in use after a refused grant_access", grants.nr_used, 0);
            /* the widest MFN that an entry of version 1 can hold */
            fg.g.p2m.list[pfn.v] = UINT32_MAX;
            check_equal("grant_access of an MFN of 32 bits",
                        grant_access(&grants, FAKE_PEER, pfn, false, &ref), 0);
            check_equal("MFN in the version 1 entry", fake_grants_entry(ref).frame, UINT32_MAX);
        } else {
            check_equal("the peer maps the wide MFN", fake_peer_map(FAKE_PEER, ref, false), 0);
            check_equal("MFN that the peer has mapped", fake_peer_sees(ref), gg_mfn(pfn));
        }
    }
}

static struct {
    unsigned int version;
    int rc;
} begin;

static void start_once(void *arg)
{
    (void)arg;
    begin.rc = grants_start(&grants, begin.version);
}

/* Each hypercall of grants_start fails once: an error, or version 1 instead of 2, or a panic. */
static void test_start_refused(void **state)
{
    (void)state;
    for (begin.version = 1; begin.version <= 2; begin.version++)
        for (unsigned int n = 1;; n++) {
            const char *panic;

            gg_start(FAKE_MFNS_SHUFFLED);
            panic = guest_fail_nth(n, -XEN_EPERM, start_once, NULL);
            if (fake.nr_hypercalls < n)
                break;
            if (panic)
                check_says("panic of grants_start", panic, ": cannot ");
            else if (begin.rc)
                check_true("a refused grants_start returns -EPERM or -ENOMEM",
                           begin.rc == -XEN_EPERM || begin.rc == -ENOMEM);
            else
                gg_check_all_free("grant table after grants_start with a failing hypercall");
            if (!panic && !begin.rc)
                check_equal("version after grants_start with a failing hypercall", grants.version,
                            1);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_start, fg_teardown),
        cmocka_unit_test_teardown(test_growth, fg_teardown),
        cmocka_unit_test_teardown(test_growth_refused, fg_teardown),
        cmocka_unit_test_teardown(test_growth_without_frames, fg_teardown),
        cmocka_unit_test_teardown(test_growth_denied, fg_teardown),
        cmocka_unit_test_teardown(test_wide_frames, fg_teardown),
        cmocka_unit_test_teardown(test_start_refused, fg_teardown),
    };

    return cmocka_run_group_tests_name("grant tables", tests, NULL, NULL);
}
