/* SPDX-License-Identifier: MIT */
/*
 * memory/target: the balloon pursues it until it is reached. Without this test a domain could stay
 * small for ever that was told to grow while Xen had no memory; it could keep memory that became
 * free later; or it could try without a pause, write a line at each try, or undo what a person has
 * asked for since.
 */
#include "kernel/boot/balloon.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>

/* balloon_follow: the toolstack's target, and the result in data/balloon. */
static void test_balloon_follows(void **state)
{
    (void)state;
    live_start();
    balloon_follow(&live, 2100);
    check_says("message on a target that was reached", output(),
               "balloon: memory/target: this domain has 2100 of 2100 pages\n");
    assert_string_equal(fake_store_get("data/balloon"), "2100 of 2100 pages");
    fake_store.nr_requests = 0;
    output_clear();
    balloon_follow(&live, 2100);
    check_equal("requests for a target that is reached already", fake_store.nr_requests, 1);
    assert_string_equal(fake_store_get("data/balloon"), "2100 of 2100 pages");
    check_true("no message for a target that is reached already", !strstr(output(), "balloon:"));
    fake.is_full = true;
    fake.nr_free = 10;
    balloon_follow(&live, 2300);
    assert_string_equal(fake_store_get("data/balloon"),
                        "2100 of 2300 pages: Xen allocates no more pages");
    check_equal("pages that are left to Xen of few pages", fake.nr_free, 10);
    fake.is_full = false;
    balloon_follow(&live, 0);
    check_says("data/balloon for a target of 0", fake_store_get("data/balloon"),
               " of 0 pages: the other pages are in use");
    fake.max_pages = (uint64_t)1 << 30;
    balloon_follow(&live, UINT64_MAX);
    check_says("data/balloon for the largest target", fake_store_get("data/balloon"),
               "pages: the P2M list has no more RAM PFNs");
    balloon_follow(&live, 2000);
    live_check("guest after balloon_follow");
}

/* Xen has @nr frames for this domain. */
static void xen_has(uint64_t nr)
{
    fake.is_full = true;
    fake.nr_free = nr;
}

/*
 * Sleeps as live() does until the next try, which must be @seconds away, and lets it happen. There
 * is no try before, and the domain sleeps once.
 */
static void sleep_and_try(unsigned int seconds)
{
    uint64_t began = clock_ns();

    check_true("no try before its time", !balloon_poll(&live));
    fake_events.nr_sleeps = 0;
    evtchn_wait(balloon_wake_at(&live));
    check_equal("sleeps until the next try", fake_events.nr_sleeps, 1);
    check_equal("nanoseconds until the next try", clock_ns() - began, seconds * NS_PER_S);
    check_true("a try at its time", balloon_poll(&live));
}

static void test_xen_has_memory_later(void **state)
{
    static const unsigned int waits[] = {1, 2, 4, 8, 16, 32, 32};

    (void)state;
    live_start();
    xen_has(0);
    balloon_follow(&live, 7000);
    check_says("message on the first try", output(),
               "has 2000 of 7000 pages: Xen allocates no more pages\n");
    output_clear();
    fake_store.nr_requests = 0;
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        sleep_and_try(waits[i]);
    check_equal("output of tries that change nothing", strlen(output()), 0);
    check_equal("requests to xenstored for tries that change nothing", fake_store.nr_requests, 0);

    xen_has(BALLOON_XEN_PAGES + 100);
    sleep_and_try(32);
    assert_string_equal(fake_store_get("data/balloon"),
                        "2100 of 7000 pages: Xen allocates no more pages");
    check_equal("pages that are left to Xen", fake.nr_free, BALLOON_XEN_PAGES);
    check_equal("output of a try that comes closer", strlen(output()), 0);
    fake.is_full = false;
    sleep_and_try(1);
    check_says("message when the target is reached", output(),
               "this domain has 7000 of 7000 pages\n");
    assert_string_equal(fake_store_get("data/balloon"), "7000 of 7000 pages");
    check_equal("time of the next try", balloon_wake_at(&live), UINT64_MAX);
    check_true("no try after the target was reached", !balloon_poll(&live));
    balloon_follow(&live, 2000);
    live_check("guest after its target was reached");
}

static void test_pages_are_free_later(void **state)
{
    mfn_t frames[400];
    uint64_t target;

    (void)state;
    live_start();
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
        check_equal("frame_pool_alloc", frame_pool_alloc(&live.frame_pool, &frames[i]), 0);
    target = live.balloon.nr_pages - live.frame_pool.free.nr_pfns;
    balloon_follow(&live, target);
    check_says("data/balloon with pages in use", fake_store_get("data/balloon"),
               "pages: the other pages are in use");
    sleep_and_try(1);
    for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
        check_equal("frame_pool_free", frame_pool_free(&live.frame_pool, frames[i]), 0);
    sleep_and_try(2);
    check_equal("pages after pages in use were freed", live.balloon.nr_pages, target);
    check_equal("time of the next try", balloon_wake_at(&live), UINT64_MAX);
    balloon_follow(&live, 2000);
    live_check("guest after its pages were freed");
}

/* What ends or interrupts the pursuit: a new target, a command, churn, no PFN to fill. */
static void test_ends(void **state)
{
    (void)state;
    live_start();
    xen_has(0);
    balloon_follow(&live, 2300);
    sleep_and_try(1);
    live.selftest.churn_pages = 2000;
    check_equal("time of the next try during churn", balloon_wake_at(&live), UINT64_MAX);
    live.selftest.churn_pages = 0;
    sleep_and_try(2);
    balloon_follow(&live, 2200);
    sleep_and_try(1);
    balloon_end_pursuit(&live);
    check_equal("time of the next try after balloon_end_pursuit", balloon_wake_at(&live),
                UINT64_MAX);
    fake.is_full = false;
    fake.max_pages = (uint64_t)1 << 30;
    balloon_follow(&live, UINT64_MAX);
    check_equal("time of the next try without a PFN to fill", balloon_wake_at(&live), UINT64_MAX);
    balloon_follow(&live, 2000);
    live_check("guest after its targets");
}

/* In a new domain the clock starts again, and the last target still counts. */
static void test_resume(void **state)
{
    (void)state;
    live_start_suspending(live_restored);
    xen_has(0);
    balloon_follow(&live, 2300);
    for (unsigned int seconds = 1; seconds <= 32; seconds *= 2)
        sleep_and_try(seconds);
    check_equal("suspend", suspend(&live), 0);
    check_true("time of the next try in the new domain is at most 1 s away",
               balloon_wake_at(&live) <= clock_ns() + NS_PER_S);
    sleep_and_try(1);
    fake.is_full = false;
    sleep_and_try(2);
    check_equal("pages in the new domain", live.balloon.nr_pages, 2300);
    balloon_follow(&live, 2000);
    live_check("guest in the new domain, its target reached");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_balloon_follows, live_teardown),
        cmocka_unit_test_teardown(test_xen_has_memory_later, live_teardown),
        cmocka_unit_test_teardown(test_pages_are_free_later, live_teardown),
        cmocka_unit_test_teardown(test_ends, live_teardown),
        cmocka_unit_test_teardown(test_resume, live_teardown),
    };

    return cmocka_run_group_tests_name("memory_target", tests, NULL, NULL);
}
