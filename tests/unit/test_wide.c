/* SPDX-License-Identifier: MIT */
/*
 * Frame numbers of more than 32 bits: machine addresses from 2^44, 2^46 and 2^51 on. Without this
 * test a number that is kept in 32 or 34 bits somewhere would name another frame, on a host that no
 * test machine resembles: another domain's memory in a grant, a wrong page after a restore. A whole
 * guest runs on machines whose frames lie there, or on both sides of such an edge.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include "kernel/boot/balloon.h"
#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/live_guest.h"

#include <string.h>

/* The frames of the guest are shuffled over 4096 MFNs. */
#define HALF 2048

static const struct place {
    const char *what;
    uint64_t first_mfn;
} places[] = {
    {"MFNs around 2^32", ((uint64_t)1 << 32) - HALF},
    {"MFNs from 2^34",   (uint64_t)1 << 34         },
    {"MFNs around 2^35", ((uint64_t)1 << 35) - HALF},
    {"MFNs around 2^39", ((uint64_t)1 << 39) - HALF},
};

static bool is_wide(uint64_t pfn)
{
    return p2m_get_ram(&live.p2m, to_pfn(pfn)).v > UINT32_MAX;
}

/* The whole life of a domU: boot, balloon, suspends. live_check compares all numbers with Xen's. */
static void test_life(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        live_first_mfn = places[i].first_mfn;
        live_start_suspending(live_restored);
        live_check(places[i].what);
        check_equal(places[i].what, live.grants.version, 2);
        for (unsigned int n = 0; n < 2; n++) {
            balloon_follow(&live, 2400 - 100 * n);
            check_equal(places[i].what, suspend(&live), 0);
            balloon_follow(&live, 2000);
            live_check(places[i].what);
        }
        fake_events.suspend = live_cancelled;
        check_equal(places[i].what, suspend(&live), 1);
        live_check(places[i].what);
        live_stop();
    }
}

/* Grants each free page of the domain, and checks its entry. Returns the number of pages refused.
 */
static uint64_t grant_all(const char *what)
{
    const struct pfn_runs *f = &live.frame_pool.free;
    uint64_t nr_refused = 0;

    for (size_t i = 0; i < f->nr_runs; i++)
        for (uint64_t pfn = f->runs[i].start; pfn < f->runs[i].end; pfn++) {
            bool refused = live.grants.version == 1 && is_wide(pfn);
            uint32_t ref = 77, next = live.grants.free;
            uint64_t used = live.grants.nr_used;

            output_clear();
            check_equal(what, grant_access(&live.grants, FAKE_PEER, to_pfn(pfn), false, &ref),
                        refused ? -ERANGE : 0);
            if (refused) {
                check_says(what, output(), "does not fit the 32 bits of a version 1 entry");
                check_equal(what, ref, 77);
                check_equal(what, live.grants.free, next);
                check_equal(what, live.grants.nr_used, used);
                check_equal(what, next ? fake_grants_entry(next).flags : 0, 0);
                nr_refused++;
                continue;
            }
            check_equal(what, fake_grants_entry(ref).frame, p2m_get_ram(&live.p2m, to_pfn(pfn)).v);
            check_equal(what, fake_peer_map(FAKE_PEER, ref, false), 0);
            check_equal(what, fake_peer_sees(ref), p2m_get_ram(&live.p2m, to_pfn(pfn)).v);
            fake_peer_unmap(ref);
            check_equal(what, grant_end(&live.grants, ref), 0);
        }
    return nr_refused;
}

static void test_grants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        for (live_grants = 1; live_grants <= 2; live_grants++) {
            uint64_t nr_refused;

            live_first_mfn = places[i].first_mfn;
            live_start();
            check_equal(places[i].what, live.grants.version, live_grants);
            nr_refused = grant_all(places[i].what);
            check_true(places[i].what, live_grants == 2 ? !nr_refused : nr_refused > 0);
            live_stop();
        }
    live_grants = GRANTS_DEFAULT;
}

static uint64_t count_wide(void)
{
    uint64_t nr = 0;

    for (uint64_t pfn = 0; pfn < live.p2m.nr; pfn++)
        nr += is_wide(pfn) && !mfn_eq(p2m_get_ram(&live.p2m, to_pfn(pfn)), INVALID_MFN);
    return nr;
}

/* Frames that the balloon got after the version was chosen, as on a host that memory is added to.
 */
static void test_ballooned_in(void **state)
{
    uint64_t nr_wide, nr_refused;

    (void)state;
    live_grants = 1;
    live_first_mfn = ((uint64_t)1 << 32) - HALF;
    live_start();
    nr_wide = count_wide();
    nr_refused = grant_all("version 1 before ballooning wide frames in");
    balloon_follow(&live, 2400);
    check_true("the balloon got wide frames", count_wide() > nr_wide);
    check_equal("refused pages after ballooning wide frames in",
                grant_all("version 1 after ballooning wide frames in"),
                nr_refused + count_wide() - nr_wide);
    live_grants = GRANTS_DEFAULT;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_grants),
        cmocka_unit_test_teardown(test_ballooned_in, live_teardown),
    };

    return cmocka_run_group_tests_name("wide frame numbers", tests, NULL, NULL);
}
