/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client, with a xenstored that is stopped for a while, and across a suspend. Without
 * this test a late reply could be taken for that of another request, half a request could be cut
 * off, a transaction could stay open for ever, or a watch could stay silent after a gap. What the
 * kernel makes of it is tested in test_store_late.c.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"
#include "tests/unit/store_guest.h"

#include <string.h>
#include <xen/errno.h>

#define PATIENCE_NS (XENSTORE_PATIENCE * NS_PER_S)
#define PAUSE_NS    (27 * NS_PER_S)

static int start(void **state)
{
    (void)state;
    sg_start(0);
    return 0;
}

static void watch_a(void)
{
    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    xenstore_poll();
    sg_watch.fired = false;
}

/* The next request finds xenstored stopped: before it reads the request, or before it replies. */
static void pause_next(bool reply)
{
    fake_store.pause_at = fake_store.nr_requests + 1;
    fake_store.pause_reply = reply;
    fake_store.pause_ns = PAUSE_NS;
}

/* xenstored goes on, and the guest takes in what it sends. */
static void let_it_answer(void)
{
    uint64_t until = clock_ns() + 100 * NS_PER_S;

    while (clock_ns() < until) {
        evtchn_wait(clock_ns() + NS_PER_S);
        xenstore_poll();
    }
}

/* A request times out alone, the next ones wait for a second each, and all is well afterwards. */
static void test_pause(void **state)
{
    (void)state;
    for (int reply = 0; reply < 2; reply++) {
        struct xs_reply value;
        uint64_t began;

        sg_start(0);
        fake_store_set("a", "1");
        fake_store_set("b", "2");
        watch_a();
        began = clock_ns();
        pause_next(reply);
        check_equal("xs_read during a pause", xs_read(0, "a", &value), -ETIMEDOUT);
        check_equal("time of a request during a pause", clock_ns() - began, PATIENCE_NS);
        check_says("message on the pause", output(), "xenstored has not answered for 20 seconds");
        check_true("the connection is alive after a time-out", xenstore_is_connected());
        check_true("xenstored is late", xenstore_is_late());
        output_clear();
        check_equal("second xs_read during a pause", xs_read(0, "b", &value), -ETIMEDOUT);
        check_equal("time of the second request", clock_ns() - began,
                    PATIENCE_NS + XENSTORE_LATE_PATIENCE * NS_PER_S);
        check_equal("length of a second message on the pause", strlen(output()), 0);
        check_true("no watch fires during the pause", !sg_watch.fired);
        let_it_answer();
        check_says("message on the end of the pause", output(), "xenstored answers again");
        check_true("the watch fires after the pause", sg_watch.fired);
        check_true("xenstored is late no more", !xenstore_is_late());
        sg_check_node("b", "2");
        sg_check_node("a", "1");
        check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
        sg_ask_everything();
    }
}

/* The next request is made when the late reply is in the ring, or comes before its own reply. */
static void test_late_reply_before_the_next(void **state)
{
    (void)state;
    for (int reply = 0; reply < 2; reply++) {
        struct xs_reply value;

        sg_start(0);
        fake_store_set("a", "1");
        fake_store_set("b", "2");
        pause_next(reply);
        check_equal("xs_read during a pause", xs_read(0, "a", &value), -ETIMEDOUT);
        fake_events_set_time(clock_ns() + PAUSE_NS);
        if (reply)
            (void)fake_store_turn();
        sg_check_node("b", "2");
        check_true("xenstored is late no more", !xenstore_is_late());
    }
}

/* The guest itself was paused: reply and events are in the ring when its time is over. */
static bool sleeps_long(void)
{
    bool worked = fake_store_turn();

    fake_events_set_time(clock_ns() + PAUSE_NS);
    return worked;
}

static void test_guest_paused(void **state)
{
    (void)state;
    fake_store_set("a", "1");
    watch_a();
    for (int i = 0; i < 10; i++)
        fake_store_set("a", "2");
    fake_events.idle = sleeps_long;
    sg_check_node("a", "2");
}

/* Every pause of every request, byte by byte: each fails alone or succeeds, and all is well then.
 */
static void test_pause_anywhere(void **state)
{
    unsigned int n;

    (void)state;
    for (int reply = 0; reply < 2; reply++) {
        for (n = 1; n < 12; n++) {
            struct xs_reply value;
            int rc = 0;
            xs_tx_t tx;

            sg_start((uint32_t)-20);
            fake_store.piece = 1 + n % 3;
            fake_store.pause_at = n;
            fake_store.pause_reply = reply;
            fake_store.pause_ns = PAUSE_NS;
            for (unsigned int i = 0; i < n && !rc; i++) {
                rc = xs_begin(&tx);
                if (!rc)
                    rc = xs_write(tx, "a", "x");
                if (!rc)
                    rc = xs_read(tx, "a", &value);
                if (!rc)
                    rc = xs_end(tx, true);
            }
            check_equal("the request that meets the pause", rc, -ETIMEDOUT);
            let_it_answer();
            check_equal("transactions in xenstored after the pause", fake_store_transactions(), 0);
            sg_ask_everything();
        }
    }
}

/* Half of a request is in the ring: its rest must follow before the next request. */
static void test_half_a_request(void **state)
{
    static char value[3000];
    struct xs_reply reply;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    for (size_t stop = 1; stop < 2000; stop += 97) {
        sg_start(0);
        fake_store_set("b", "2");
        fake_store.stop_within = stop;
        check_equal("xs_write of which a part is read", xs_write(0, "a", value), -ETIMEDOUT);
        check_equal("xs_read behind half a request", xs_read(0, "b", &reply), -ETIMEDOUT);
        fake_store.stop_within = 0;
        sg_check_node("b", "2");
        sg_check_node("a", value);
        sg_ask_everything();
    }
}

/* xenstored drops the events that it could not write for 20 seconds: the watch must fire anyway. */
static void test_dropped_events(void **state)
{
    static struct xs_watch other = {.path = "c"};

    (void)state;
    check_equal("xs_watch of c", xs_watch(&other), 0);
    watch_a();
    xenstore_poll();
    other.fired = false;
    for (int i = 0; i < 100; i++)
        fake_store_set("a", "x");
    fake_store_set("c", "x");
    while (fake_store_turn())
        ;
    fake_events_set_time(clock_ns() + PAUSE_NS);
    (void)fake_store_turn();
    check_true("xenstored has dropped events", fake_store.nr_dropped > 0);
    xenstore_poll();
    check_true("the watch whose event was dropped fires", other.fired);
    other.fired = sg_watch.fired = false;
    while (fake_store_turn())
        xenstore_poll();
    check_true("no watch fires without a reason", !other.fired);
    sg_check_node("c", "x");
}

/* xenstored is stopped when a watch is set: it is set when xenstored answers. */
static void test_late_watch(void **state)
{
    (void)state;
    for (int reply = 0; reply < 2; reply++) {
        sg_start(0);
        pause_next(reply);
        check_equal("xs_watch during a pause", xs_watch(&sg_watch), -ETIMEDOUT);
        check_equal("watches of the client", xs_count_watches(), 1);
        let_it_answer();
        xenstore_poll();
        sg_watch.fired = false;
        fake_store_set("a", "x");
        (void)fake_store_turn();
        xenstore_poll();
        check_true("the watch works after the pause", sg_watch.fired);
        check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
    }
}

/* The result of a commit that is late: done, conflicting, or unknown on a new connection. */
static void test_late_commit(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        xs_tx_t tx;

        sg_start(0);
        fake_store.nr_conflicts = what == 1;
        check_equal("xs_begin", xs_begin(&tx), 0);
        check_equal("xs_write in the transaction", xs_write(tx, "a", "x"), 0);
        pause_next(false);
        check_equal("xs_end during a pause", xs_end(tx, true), -ETIMEDOUT);
        check_equal("xs_end_result during the pause", xs_end_result(), -ETIMEDOUT);
        if (what == 2) {
            sg_forget_events();
            check_equal("xenstore_start", xenstore_start(sg_page, fake_store.port, false), 0);
            check_equal("xs_end_result on a new connection", xs_end_result(), -EIO);
            continue;
        }
        let_it_answer();
        check_equal("xs_end_result after the pause", xs_end_result(), what ? -EAGAIN : 0);
        check_equal("the node exists", fake_store_get("a") != NULL, !what);
    }
}

/* A commit that could not even be sent, since the ring is full of a long request. */
static void test_commit_without_room(void **state)
{
    static char value[3000];
    xs_tx_t tx;

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("xs_begin", xs_begin(&tx), 0);
    check_equal("xs_write in the transaction", xs_write(tx, "a", "x"), 0);
    fake_store.stop_within = 5;
    check_equal("xs_write of which a part is read", xs_write(0, "b", value), -ETIMEDOUT);
    check_equal("xs_end without room", xs_end(tx, true), -ETIMEDOUT);
    check_equal("xs_end_result of a commit that was not sent", xs_end_result(), -EAGAIN);
    fake_store.stop_within = 0;
    let_it_answer();
    check_equal("transactions in xenstored", fake_store_transactions(), 0);
    check_true("nothing was committed", !fake_store_get("a"));
}

/* More transactions are abandoned than xenstored allows at a time: the rest is not remembered. */
static void test_many_late_transactions(void **state)
{
    xs_tx_t tx;

    (void)state;
    pause_next(true);
    fake_store.pause_ns = 60 * NS_PER_S;
    for (int i = 0; i < 30; i++)
        check_equal("xs_begin during a pause", xs_begin(&tx), -ETIMEDOUT);
    let_it_answer();
    check_equal("transactions in xenstored", fake_store_transactions(), 0);
    sg_ask_everything();
}

/* Suspends with half an event received, and the ring filled with further ones after that. */
static void storm_at_suspend(void)
{
    sg_start(0);
    watch_a();
    fake_store.piece = 5;
    for (int i = 0; i < 100; i++)
        fake_store_set("a", "x");
    (void)fake_store_turn();
    xenstore_poll();
    fake_store.piece = 0;
    while (fake_store_turn())
        ;
    check_equal("bytes in the ring", sg_ring->rsp_prod - sg_ring->rsp_cons, XENSTORE_RING_SIZE);
}

/* In a really new domain nothing of the old ring is believed. */
static void test_new_domain(void **state)
{
    (void)state;
    for (int half_sent = 0; half_sent < 2; half_sent++) {
        storm_at_suspend();
        if (half_sent) {
            fake_store.is_silent = true;
            check_equal("xs_write before the suspend", xs_write(0, "b", "x"), -ETIMEDOUT);
            fake_store.is_silent = false;
            check_true("a request is in the ring", sg_ring->req_prod != sg_ring->req_cons);
            storm_at_suspend();
        }
        sg_forget_events();
        fake_store_reconnect(fake_store.port); /* oxenstored keeps the indices */
        fake.fail_at = 1;
        fake.nr_hypercalls = 0;
        fake.fail_with = -XEN_EPERM;
        check_equal("xenstore_start whose hypercall fails",
                    xenstore_start(sg_page, fake_store.port, true), -XEN_EPERM);
        fake.fail_at = 0;
        check_equal("xenstore_start in the new domain",
                    xenstore_start(sg_page, fake_store.port, true), 0);
        check_equal("rsp_cons in the new domain", sg_ring->rsp_cons, sg_ring->rsp_prod);
        check_equal("req_prod in the new domain", sg_ring->req_prod, sg_ring->req_cons);
        check_equal("watches in the new domain", xs_count_watches(), 0);
        sg_ask_everything();
    }
}

/* After a cancelled suspend all of the ring is believed, and the watches fire. */
static void test_same_domain(void **state)
{
    (void)state;
    for (int as_new = 0; as_new < 2; as_new++) {
        storm_at_suspend();
        sg_watch.fired = false;
        if (as_new) {
            sg_forget_events();
            check_equal("xenstore_resume_at", xenstore_resume_at(fake_store.port), 0);
        } else {
            xenstore_resume();
        }
        check_true("the watch fires after the suspend", sg_watch.fired);
        sg_check_node("a", "x");
        check_equal("watches in xenstored", fake_store_watches(), 1);
        check_equal("xs_unwatch of a", xs_unwatch(&sg_watch), 0);
        while (fake_store_turn())
            xenstore_poll();
        sg_ask_everything();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_late_reply_before_the_next),
        cmocka_unit_test_setup(test_guest_paused, start),
        cmocka_unit_test(test_pause_anywhere),
        cmocka_unit_test(test_half_a_request),
        cmocka_unit_test_setup(test_dropped_events, start),
        cmocka_unit_test(test_late_watch),
        cmocka_unit_test(test_late_commit),
        cmocka_unit_test_setup(test_commit_without_room, start),
        cmocka_unit_test_setup(test_many_late_transactions, start),
        cmocka_unit_test(test_new_domain),
        cmocka_unit_test(test_same_domain),
    };

    return cmocka_run_group_tests_name("xenstore, a late xenstored", tests, NULL, NULL);
}
