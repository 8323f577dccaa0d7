/* SPDX-License-Identifier: MIT */
/*
 * The table grows by frames that Xen gives and never takes back. Without this a growth that fails
 * half way could lose references, hand one out twice, or hand out one for which there is no entry;
 * and a frame number that version 1 cannot hold would be cut, and grant somebody else's page.
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
        {"version 1",            {0},                                       1, 0,       1, 64  },
        {"version 2",            {0},                                       2, 0,       2, 64  },
        {"no version 2",         {.no_version_2 = true},                    2, 0,       1, 64  },
        {"a table of one frame", {.max_frames = 1},                         2, 0,       2, 1   },
        {"more than we take",    {.max_frames = 2000},                      1, 0,       1, 1024},
        {"the same in 2",        {.max_frames = 2000},                      2, 0,       2, 1024},
        {"no table",             {.none = true},                            2, -ENOSYS, 0, 0   },
        {"may not",              {.setup_status = GNTST_permission_denied}, 1, -EPERM,  1, 64  },
        {"no frame",             {.setup_status = GNTST_general_error},     1, -ENOSPC, 1, 64  },
        {"may not know",         {.get_status = GNTST_permission_denied},   2, -EPERM,  2, 64  },
        {"no status frame",      {.get_status = GNTST_general_error},       2, -ENOSPC, 2, 64  },
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
            check_equal("no grant", grant_access(&grants, FAKE_PEER, gg_page(), false, &ref),
                        -ENOSYS);
        check_true(rows[i].what, fake_grants_reserved_untouched());
    }
}

/* To the end, each frame by one that is needed; then there is no more, and nothing is lost. */
static void test_growth(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        uint32_t per = version == 1 ? 512 : 256, nr = 11 * per - 8, ref;
        pfn_t pfn;

        gg_start(FAKE_MFNS_SHUFFLED);
        fake_grants.max_frames = 11; /* more than one status frame */
        check_equal("start", grants_start(&grants, version), 0);
        pfn = gg_page();
        for (uint32_t i = 0; i < nr; i++) {
            ref = gg_access(pfn, i % 2);
            check_equal("in order", ref, 8 + i);
            check_equal("no frame too early", grants.nr_frames, ref / per + 1);
        }
        check_equal("Xen's frames", fake_grants_frames(), 11);
        check_equal("no more", grant_access(&grants, FAKE_PEER, pfn, false, &ref), -ENOSPC);
        check_equal("of each frame of the book", grants.nr_record_frames,
                    11 * DIV_ROUND_UP(per * 16, PAGE_SIZE));
        for (uint32_t i = 8; i < 11 * per; i += 200) {
            check_equal("map", fake_peer_map(FAKE_PEER, i, true), 0);
            check_true("in use", grant_in_use(&grants, i));
            check_true("not the next", !grant_in_use(&grants, i + 1));
            fake_peer_unmap(i);
        }
        for (uint32_t i = 8; i < 11 * per; i++)
            check_equal("end", grant_end(&grants, i), 0);
        gg_free_page(pfn);
        gg_check_all_free("all again");
    }
}

static uint32_t made;
static pfn_t page;

/* Grants until it is refused, or @made are there. */
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

/* What fails in a growth is told; the next attempt goes on where it was. */
static void check_go_on(void)
{
    int rc;

    grant_some(&rc);
    check_equal("then", rc, 0);
    for (uint32_t ref = 8; ref < 608; ref++)
        check_equal("each of them", grant_end(&grants, ref), 0);
    gg_free_page(page);
    gg_check_all_free("at the end");
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
                check_true("some were refused", nr_refused >= 4);
                break;
            }
            if (panic) {
                check_says("reading, undoing", panic, ": cannot ");
                continue;
            }
            nr_refused++;
            check_true("errno", rc == -XEN_EINVAL || rc == -ENOMEM);
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
            before = guest_state(&wg.g);
            wg.g.frame_pool.fail_at = wg.g.frame_pool.nr_requests + n;
            grant_some(&rc);
            if (!rc) {
                check_true("frames were needed", n > version);
                break;
            }
            check_equal("errno", rc, -ENOMEM);
            now = guest_state(&wg.g);
            if (version == 1)
                guest_check_state("nothing taken", &now, &before);
            check_go_on();
        }
}

/* A status that is no hypercall's errno: growth that Xen refuses, and later allows. */
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
        check_equal("denied", rc, -EPERM);
        check_equal("what one frame has", made, 248);
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
        check_equal("start", grants_start(&grants, version), 0);
        pfn = gg_page();
        check_true("wide", gg_mfn(pfn) > UINT32_MAX);
        check_equal("grant", grant_access(&grants, FAKE_PEER, pfn, false, &ref),
                    version == 1 ? -ERANGE : 0);
        if (version == 1) {
            check_equal("no reference", ref, 77);
            check_equal("nothing written", fake_grants_entry(8).flags, 0);
            check_equal("nothing used", grants.nr_used, 0);
            /* the widest that it can name */
            wg.g.p2m.list[pfn.v] = UINT32_MAX;
            check_equal("32 bits", grant_access(&grants, FAKE_PEER, pfn, false, &ref), 0);
            check_equal("all of them", fake_grants_entry(ref).frame, UINT32_MAX);
        } else {
            check_equal("map", fake_peer_map(FAKE_PEER, ref, false), 0);
            check_equal("the page", fake_peer_sees(ref), gg_mfn(pfn));
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

/* Each hypercall of the start: an errno, or version 1 for 2, or a panic of what cannot be undone.
 */
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
                check_says("reading, undoing", panic, ": cannot ");
            else if (begin.rc)
                check_true("errno", begin.rc == -XEN_EPERM || begin.rc == -ENOMEM);
            else
                gg_check_all_free("as if nothing was");
            if (!panic && !begin.rc)
                check_equal("version", grants.version, 1);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_start, wg_teardown),
        cmocka_unit_test_teardown(test_growth, wg_teardown),
        cmocka_unit_test_teardown(test_growth_refused, wg_teardown),
        cmocka_unit_test_teardown(test_growth_without_frames, wg_teardown),
        cmocka_unit_test_teardown(test_growth_denied, wg_teardown),
        cmocka_unit_test_teardown(test_wide_frames, wg_teardown),
        cmocka_unit_test_teardown(test_start_refused, wg_teardown),
    };

    return cmocka_run_group_tests_name("grant tables", tests, NULL, NULL);
}
