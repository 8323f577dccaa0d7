/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's requests (kernel/boot/store.c), with a xenstored that is stopped for 27 seconds:
 * at each request of the kernel, before and after it is carried out. Without this test a shutdown
 * request, a memory target or a command could be lost, or be carried out twice.
 */
#include "kernel/boot/store.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>

/* As the loop of kernel/live.c, for 100 seconds. Counts what the toolstack gets. */
static struct {
    unsigned int nr_requests, nr_targets, nr_commands;
    enum shutdown_request request;
    uint64_t target;
    char command[STORE_COMMAND_BYTES];
} got;

static void live_on(void)
{
    uint64_t until = clock_ns() + 100 * NS_PER_S;

    while (clock_ns() < until) {
        enum shutdown_request request;
        uint64_t target;

        evtchn_wait(clock_ns() + NS_PER_S);
        xenstore_poll();
        target = store_take_target();
        if (target)
            got.target = target;
        got.nr_targets += target != 0;
        request = store_take_shutdown_request();
        if (request)
            got.request = request;
        got.nr_requests += request != REQUEST_NONE;
        if (store_take_command(got.command)) {
            got.nr_commands++;
            store_end_command();
        }
    }
}

/* Starts; request @n from now, or its reply, meets a stopped xenstored. */
static void start(unsigned int n, bool reply)
{
    live_start_suspending(live_cancelled);
    memset(&got, 0, sizeof(got));
    fake_store.nr_requests = 0;
    fake_store.pause_at = n;
    fake_store.pause_reply = reply;
    fake_store.pause_ns = 27 * NS_PER_S;
    output_clear();
}

/* The toolstack writes a node before xenstored is stopped. */
static void write_first(const char *path, const char *value)
{
    fake_store_set(path, value);
    (void)fake_store_turn();
}

static void test_shutdown(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 4; n++) {
        for (int reply = 0; reply < 2; reply++) {
            start(n, reply);
            write_first("control/shutdown", "suspend");
            live_on();
            check_says("message on the pause", output(),
                       "the node is read again when xenstored answers");
            check_equal("shutdown requests that were taken", got.nr_requests, 1);
            check_equal("the shutdown request", got.request, REQUEST_SUSPEND);
            assert_string_equal(fake_store_get("control/shutdown"), "");
            live_check("guest after the pause");
            live_stop();
        }
    }
    start(0, false);
}

static void takes_back(void)
{
    fake_store_set("control/shutdown", "");
}

static void changes_to_reboot(void)
{
    fake_store_set("control/shutdown", "reboot");
}

/* The request is changed during the pause, so that the late acknowledgement conflicts. */
static void test_changed_shutdown(void **state)
{
    (void)state;
    start(4, false);
    fake_store.nr_conflicts = 1;
    fake_store.on_conflict = changes_to_reboot;
    write_first("control/shutdown", "suspend");
    live_on();
    check_equal("shutdown requests that were taken", got.nr_requests, 1);
    check_equal("the shutdown request", got.request, REQUEST_REBOOT);
    live_stop();

    start(4, false);
    fake_store.nr_conflicts = 1;
    fake_store.on_conflict = takes_back;
    write_first("control/shutdown", "suspend");
    live_on();
    check_equal("shutdown requests that were taken back, and taken", got.nr_requests, 0);
}

static void test_target(void **state)
{
    (void)state;
    for (int reply = 0; reply < 2; reply++) {
        start(1, reply);
        write_first("memory/target", "8000");
        live_on();
        check_true("the target is taken", got.nr_targets > 0);
        check_equal("the target", got.target, 2000);
        live_check("guest after the pause");
        live_stop();
    }
    start(0, false);
}

/* The requests of one command: read; then begin, read, write, end to empty the node. */
static void test_command(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 5; n++) {
        for (int reply = 0; reply < 2; reply++) {
            start(n, reply);
            write_first("data/command", "test");
            live_on();
            check_equal("runs of the command", got.nr_commands, 1);
            assert_string_equal(got.command, "test");
            assert_string_equal(fake_store_get("data/command"), "");
            live_check("guest after the pause");
            live_stop();
        }
    }
    start(0, false);
}

static unsigned int pause_at;
static bool pause_reply;

static long restored(uint64_t mfn)
{
    long rc = live_restored(mfn);

    fake_store_set("data/command", NULL);
    fake_store.nr_requests = 0;
    fake_store.pause_at = pause_at;
    fake_store.pause_reply = pause_reply;
    fake_store.pause_ns = 27 * NS_PER_S;
    return rc;
}

/* xenstored is stopped while the kernel sets its watches and writes its nodes in a new domain. */
static void test_start(void **state)
{
    (void)state;
    for (pause_at = 1; pause_at <= 10; pause_at++) {
        for (int reply = 0; reply < 2; reply++) {
            pause_reply = reply;
            start(0, false);
            fake_events.suspend = restored;
            check_equal("suspend", suspend(&live), 0);
            live_on();
            check_equal("watches in xenstored", fake_store_watches(), 3);
            assert_string_equal(fake_store_get("control/feature-poweroff"), "1");
            assert_string_equal(fake_store_get("data/suspend"), "back in a new domain");
            write_first("control/shutdown", "halt");
            live_on();
            check_equal("the shutdown request", got.request, REQUEST_HALT);
            live_check("guest after the pause");
            live_stop();
        }
    }
    start(0, false);
}

/* More events than the ring holds come while the kernel is busy: xenstored drops the last ones. */
static void test_busy_kernel(void **state)
{
    (void)state;
    start(0, false);
    for (int i = 0; i < 100; i++)
        fake_store_set("memory/target", "8000");
    fake_store_set("control/shutdown", "poweroff");
    fake_store_set("data/command", "test");
    while (fake_store_turn())
        ;
    fake_events_set_time(clock_ns() + 25 * NS_PER_S);
    (void)fake_store_turn();
    check_true("xenstored has dropped events", fake_store.nr_dropped > 0);
    live_on();
    check_equal("the shutdown request", got.request, REQUEST_POWEROFF);
    check_equal("the target", got.target, 2000);
    check_equal("runs of the command", got.nr_commands, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shutdown, live_teardown),
        cmocka_unit_test_teardown(test_changed_shutdown, live_teardown),
        cmocka_unit_test_teardown(test_target, live_teardown),
        cmocka_unit_test_teardown(test_command, live_teardown),
        cmocka_unit_test_teardown(test_start, live_teardown),
        cmocka_unit_test_teardown(test_busy_kernel, live_teardown),
    };

    return cmocka_run_group_tests_name("requests of the toolstack, late", tests, NULL, NULL);
}
