/* SPDX-License-Identifier: MIT */
/*
 * Without this the toolstack could wait a minute for an answer to control/shutdown, or take one for
 * a word that was not meant; a target that is no number could shrink the guest to nothing; and a
 * toolstack that is not quite Xen's own could keep the guest from starting.
 */
#include "kernel/boot/events.h"
#include "kernel/boot/store.h"

#include "lib/errno.h"

#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include "kernel/boot/balloon.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>
#include <xen/errno.h>

static int start(void **state)
{
    (void)state;
    live_start();
    return 0;
}

/* The toolstack writes, and the guest hears of it. */
static void toolstack_writes(const char *path, const char *value)
{
    fake_store_set(path, value);
    while (fake_store_turn())
        xenstore_poll();
    fake_store.nr_requests = 0;
    output_clear();
}

static void test_greeting(void **state)
{
    static const char *const features[] = {"control/feature-poweroff", "control/feature-reboot",
                                           "control/feature-halt", "control/feature-suspend"};

    (void)state;
    start(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(features); i++)
        assert_string_equal(fake_store_get(features[i]), "1");
    assert_string_equal(fake_store_get("data/command"), "");
    check_equal("watches", fake_store_watches(), 3);
}

/* The store is started anew, with its request number @n refused. */
static void greet_again(unsigned int n, const char *word)
{
    live_stop();
    start(NULL);
    evtchn_start(live.shared);
    fake_store_reconnect(live.boot.store_port);
    fake_store.nr_requests = 0;
    fake_store.refuse_at = n;
    fake_store.refuse_with = word;
    output_clear();
    check_equal("no reason to stop", store_after_resume(&live, true), 0);
}

static void test_greeting_refused(void **state)
{
    (void)state;
    start(NULL);
    for (unsigned int n = 1; n <= 8; n++) {
        greet_again(n, "EACCES");
        if (n <= 4) { /* a feature that this toolstack does not know */
            check_equal("watches", fake_store_watches(), 3);
            check_equal("silence", strlen(output()), 0);
        } else {
            check_says("said", output(), "could not be written to xenstore: -13 (EACCES)");
        }
        greet_again(n, "ENOSPC");
        check_says("said", output(), "could not be written to xenstore: -12 (ENOMEM");
        check_true("and used for what it can do", xenstore_is_connected());
    }
}

static void test_no_store(void **state)
{
    (void)state;
    start(NULL);
    live.boot.store_port = 0;
    check_equal("no port", store_stage(&live), 0);
    check_says("said", output(), "store: start_info names no xenstore ring");
    live.boot.store_port = 5;
    live.boot.store = to_mfn(0);
    check_equal("no page", store_stage(&live), 0);
    live.boot.store = INVALID_MFN;
    check_equal("a dom0's", store_stage(&live), 0);
    live.boot.store = to_mfn(7);
    check_equal("no frame of ours", store_ring_stage(&live), -XEN_EINVAL);
}

static void test_shutdown_requests(void **state)
{
    static const struct {
        const char *word;
        enum shutdown_request wish;
    } rows[] = {
        {"poweroff", REQUEST_POWEROFF},
        {"reboot",   REQUEST_REBOOT  },
        {"halt",     REQUEST_HALT    },
        {"suspend",  REQUEST_SUSPEND },
    };

    (void)state;
    start(NULL);
    check_equal("nobody wrote", store_take_shutdown_request(), REQUEST_NONE);
    check_equal("nobody was asked", fake_store.nr_requests, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        toolstack_writes("control/shutdown", rows[i].word);
        check_true("news", store_has_news());
        fake_store.nr_in_tx = 0;
        check_equal(rows[i].word, store_take_shutdown_request(), rows[i].wish);
        assert_string_equal(fake_store_get("control/shutdown"), "");
        check_equal("no transaction is left", fake_store_transactions(), 0);
        check_equal("read, answer and end in one", fake_store.nr_in_tx, 3);
        check_equal("silence", strlen(output()), 0);
        /* our own answer fires the watch as well */
        while (fake_store_turn())
            xenstore_poll();
        check_equal("once", store_take_shutdown_request(), REQUEST_NONE);
        check_equal("silence", strlen(output()), 0);
    }
    toolstack_writes("control/shutdown", NULL);
    check_equal("gone", store_take_shutdown_request(), REQUEST_NONE);
    check_equal("silence", strlen(output()), 0);
}

static void test_unknown_words(void **state)
{
    static const char *const words[] = {"crash", "s3", "suspend ", "Suspend", "suspendx", "sus"};

    (void)state;
    start(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        toolstack_writes("control/shutdown", words[i]);
        check_equal(words[i], store_take_shutdown_request(), REQUEST_NONE);
        check_says("said", output(), "expected poweroff, reboot, halt, suspend");
        check_says("named", output(), words[i]);
        assert_string_equal(fake_store_get("control/shutdown"), words[i]);
        check_equal("no transaction is left", fake_store_transactions(), 0);
    }
    toolstack_writes("control/shutdown", "a word that would fill the console");
    check_equal("long", store_take_shutdown_request(), REQUEST_NONE);
    check_says("cut", output(), "\"a word that would fi\" and");
}

static void change_mind(void)
{
    fake_store_set("control/shutdown", fake_store.nr_conflicts ? "halt" : "reboot");
}

/* Somebody writes between our read and our answer: what counts is what is there in the end. */
static void test_conflicts(void **state)
{
    (void)state;
    start(NULL);
    toolstack_writes("control/shutdown", "suspend");
    fake_store.nr_conflicts = 3;
    fake_store.on_conflict = change_mind;
    check_equal("the last word", store_take_shutdown_request(), REQUEST_REBOOT);
    assert_string_equal(fake_store_get("control/shutdown"), "");
    check_equal("four times", fake_store.nr_requests, 4 * 4);
    check_equal("no transaction is left", fake_store_transactions(), 0);
}

static void test_shutdown_request_failing(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 4; n++) {
        for (int silent = 0; silent < 2; silent++) {
            start(NULL);
            toolstack_writes("control/shutdown", "suspend");
            if (silent) {
                fake_store.fault = STORE_SILENCE;
                fake_store.fault_at = n;
            } else {
                fake_store.refuse_at = n;
                fake_store.refuse_with = "EPERM";
            }
            check_equal("no wish", store_take_shutdown_request(), REQUEST_NONE);
            check_says("said", output(), "control/shutdown could not be read and emptied: ");
            check_says("why", output(), silent ? "-5 (EIO" : "-1 (EPERM");
            if (!silent) {
                if (n < 4) /* of an end that is refused, the transaction is xenstored's to forget */
                    check_equal("no transaction is left", fake_store_transactions(), 0);
                assert_string_equal(fake_store_get("control/shutdown"), "suspend");
                check_true("connected", xenstore_is_connected());
            }
            check_equal("not tried for ever", store_take_shutdown_request(), REQUEST_NONE);
            live_stop();
        }
    }
    start(NULL);
}

static void test_targets(void **state)
{
    static const struct {
        const char *value;
        uint64_t pages;
        bool says;
    } rows[] = {
        {"8000",                     2000,              false},
        {"4",                        1,                 false},
        {"3",                        0,                 false},
        {"",                         0,                 false},
        {"0",                        0,                 false},
        {"4398046511104",            (uint64_t)1 << 40, false},
        {"800-",                     0,                 true },
        {"80.",                      0,                 true },
        {"800x",                     0,                 true },
        {"-8000",                    0,                 true },
        {" 8000",                    0,                 true },
        {"0x1000",                   0,                 true },
        {"18446744073709551616",     0,                 true },
        {"99999999999999999999999",  0,                 true },
        {"many and many more pages", 0,                 true },
    };

    (void)state;
    start(NULL);
    check_equal("nobody wrote", store_take_target(), 0);
    check_equal("nobody was asked", fake_store.nr_requests, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        toolstack_writes("memory/target", rows[i].value);
        check_true("news", store_has_news());
        check_equal(rows[i].value, store_take_target(), rows[i].pages);
        if (rows[i].says)
            check_says("said", output(), "expected KiB in decimal");
        else
            check_equal("silence", strlen(output()), 0);
        check_equal("once", store_take_target(), 0);
        check_true("no news", !store_has_news());
    }
    toolstack_writes("memory/target", NULL);
    check_equal("gone", store_take_target(), 0);
}

static void test_commands(void **state)
{
    char order[8];

    (void)state;
    start(NULL);
    check_true("none", !store_take_command(order, sizeof(order)));
    check_true("no news", !store_has_news());
    toolstack_writes("data/command", "test");
    check_true("news", store_has_news());
    check_true("one", store_take_command(order, sizeof(order)));
    assert_string_equal(order, "test");
    check_true("once", !store_take_command(order, sizeof(order)));
    check_true("no news", !store_has_news());
    store_end_command();
    assert_string_equal(fake_store_get("data/command"), "");
    while (fake_store_turn())
        xenstore_poll();
    check_true("its end is none", !store_take_command(order, sizeof(order)));
    toolstack_writes("data/command", "0123456789");
    check_true("too long", store_take_command(order, sizeof(order)));
    assert_string_equal(order, "0123456");
    toolstack_writes("data/command", NULL);
    check_true("gone", !store_take_command(order, sizeof(order)));
}

static void test_say(void **state)
{
    (void)state;
    start(NULL);
    store_say("data/x", "hello");
    assert_string_equal(fake_store_get("data/x"), "hello");
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    store_say("data/x", "bye");
    check_says("said", output(), "store: xenstore node data/x could not be written: -13 (EACCES");
    fake_store.is_silent = true;
    store_say("data/x", "bye");
    output_clear();
    store_say("data/x", "bye");
    check_equal("no store, no complaint", strlen(output()), 0);
}

/* What the toolstack asks for, and what it is told. */
static void test_balloon_follows(void **state)
{
    (void)state;
    start(NULL);
    balloon_follow(&live, 2100);
    check_says("said", output(), "balloon: 2100 of 2100 pages\n");
    assert_string_equal(fake_store_get("data/balloon"), "2100 of 2100 pages");
    fake_store.nr_requests = 0;
    output_clear();
    balloon_follow(&live, 2100);
    check_equal("there already", fake_store.nr_requests, 1);
    assert_string_equal(fake_store_get("data/balloon"), "2100 of 2100 pages");
    check_true("and not worth a line", !strstr(output(), "balloon:"));
    fake.limited = true;
    fake.nr_extents_left = 10;
    balloon_follow(&live, 2300);
    assert_string_equal(fake_store_get("data/balloon"),
                        "2110 of 2300 pages: Xen allocates no more pages");
    fake.limited = false;
    balloon_follow(&live, 0);
    check_says("said", fake_store_get("data/balloon"), " of 0 pages: the other pages are in use");
    fake.max_pages = (uint64_t)1 << 30;
    balloon_follow(&live, UINT64_MAX);
    check_says("said", fake_store_get("data/balloon"), "pages: the P2M list has no more RAM PFNs");
    balloon_follow(&live, 2000);
    live_check("after that");
}

static void test_events(void **state)
{
    evtchn_port_t console;

    (void)state;
    start(NULL);
    console = live.boot.console_port;
    fake_events_raise(console);
    check_equal("the console wakes", evtchn_dispatch(), 1);
    fake_events_raise_virq(VIRQ_TIMER);
    check_equal("the timer wakes", evtchn_dispatch(), 1);
    check_equal("in the old domain all is as it was", events_after_resume(&live, false), 0);
    check_equal("listeners", evtchn_count(), 3);

    evtchn_start(live.shared); /* the result was 0, and yet it is the old domain */
    check_equal("all is bound still", events_after_resume(&live, true), 0);
    check_equal("and listened to", evtchn_count(), 2);
    fake_events_raise_virq(VIRQ_TIMER);
    check_equal("the timer wakes", evtchn_dispatch(), 1);

    fake_events_start(live_shared());
    evtchn_start(live.shared);
    live.boot.flags = SIF_INITDOMAIN;
    check_equal("a dom0's", events_stage(&live), 0);
    fake_events_raise_virq(VIRQ_CONSOLE);
    check_equal("the console wakes", evtchn_dispatch(), 1);
}

/* A transaction that somebody else is always faster than is given up. */
static void test_endless_conflict(void **state)
{
    (void)state;
    start(NULL);
    toolstack_writes("control/shutdown", "suspend");
    fake_store.nr_conflicts = UINT32_MAX;
    check_equal("no wish", store_take_shutdown_request(), REQUEST_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_greeting, live_teardown),
        cmocka_unit_test_teardown(test_greeting_refused, live_teardown),
        cmocka_unit_test_teardown(test_no_store, live_teardown),
        cmocka_unit_test_teardown(test_shutdown_requests, live_teardown),
        cmocka_unit_test_teardown(test_unknown_words, live_teardown),
        cmocka_unit_test_teardown(test_conflicts, live_teardown),
        cmocka_unit_test_teardown(test_shutdown_request_failing, live_teardown),
        cmocka_unit_test_teardown(test_targets, live_teardown),
        cmocka_unit_test_teardown(test_commands, live_teardown),
        cmocka_unit_test_teardown(test_say, live_teardown),
        cmocka_unit_test_teardown(test_balloon_follows, live_teardown),
        cmocka_unit_test_teardown(test_events, live_teardown),
        cmocka_unit_test_teardown(test_endless_conflict, live_teardown),
    };

    return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
