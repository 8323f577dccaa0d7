/* SPDX-License-Identifier: MIT */
/*
 * The xenstore stage: control/shutdown, memory/target, data/command. Without this test the
 * toolstack could wait a minute for the acknowledgement of control/shutdown, or have a request
 * acknowledged that the kernel does not know; a memory/target that is no number could shrink the
 * guest to nothing; and a toolstack that differs from Xen's own could keep the guest from starting.
 */
#include "kernel/boot/store.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

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

/* The toolstack writes a node, and the guest receives the watch event. */
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
    check_equal("watches set at start", fake_store_watches(), 3);
}

/* Starts the xenstore stage again, where request number @n is refused with @word. */
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
    check_equal("store_after_resume with a refused request", store_after_resume(&live, true), 0);
}

/*
 * The order of setup: three watches, four feature nodes, data/command. A refused request is one
 * warning, and the others do not depend on it.
 */
static void test_greeting_refused(void **state)
{
    static const char *const paths[] = {"control/shutdown",
                                        "memory/target",
                                        "data/command",
                                        "control/feature-poweroff",
                                        "control/feature-reboot",
                                        "control/feature-halt",
                                        "control/feature-suspend",
                                        "data/command"};

    (void)state;
    start(NULL);
    for (unsigned int n = 1; n <= 8; n++) {
        bool is_feature = n >= 4 && n <= 7;

        greet_again(n, "EACCES");
        check_equal("watches after a refused request", fake_store_watches(), n <= 3 ? 2 : 3);
        check_equal("warnings of a refused request: none for a feature node", strlen(output()) > 0,
                    !is_feature);
        greet_again(n, "ENOSPC");
        check_says("message on a refused request", output(), paths[n - 1]);
        check_says("message on a request refused with ENOSPC", output(),
                   " in xenstore: -28 (ENOSPC: quota of this domain in xenstored)");
        check_equal("watches after a refused request", fake_store_watches(), n <= 3 ? 2 : 3);
        check_equal("requests after a refused request", fake_store.nr_requests, 8);
    }
}

/*
 * A quota of xenstored refuses watch number @n. Without the watch no event comes, and the node is
 * read every five seconds.
 */
static void test_polling(void **state)
{
    static const char *const words[] = {"E2BIG", "ENOSPC"};
    char command[STORE_COMMAND_BYTES];

    (void)state;
    start(NULL);
    check_equal("time of a look at the nodes when all are watched", store_wake_at(), UINT64_MAX);
    for (unsigned int n = 1; n <= 3; n++) {
        uint64_t at;

        greet_again(n, words[n % 2]);
        fake_store.refuse_at = 0;
        check_says("message on a refused watch", output(), "the node is read every 5 seconds");
        check_true("the nodes are read at the start", store_has_news());
        at = store_wake_at();
        check_equal("time until the next look", at - clock_ns(), 5 * NS_PER_S);
        (void)store_take_shutdown_request();
        (void)store_take_target();
        (void)!store_take_command(command);
        check_true("no news until then", !store_has_news());
        toolstack_writes("control/shutdown", "poweroff");
        toolstack_writes("memory/target", "4096");
        toolstack_writes("data/command", "test");
        fake_events_set_time(at);
        check_true("the nodes are read after 5 seconds", store_has_news());
        check_equal("shutdown request", store_take_shutdown_request(), REQUEST_POWEROFF);
        check_equal("memory target", store_take_target(), 1024);
        check_true("command", store_take_command(command));
    }
    greet_again(1, "EACCES");
    greet_again(99, "EACCES");
    check_equal("time of a look after a resume with all watches", store_wake_at(), UINT64_MAX);
}

/* A command that waits in the node when the guest starts is kept. */
static void test_waiting_command(void **state)
{
    char command[STORE_COMMAND_BYTES];

    (void)state;
    start(NULL);
    evtchn_start(live.shared);
    fake_store_reconnect(live.boot.store_port);
    fake_store_set("data/command", "test");
    check_equal("store_after_resume", store_after_resume(&live, true), 0);
    xenstore_poll();
    check_true("the waiting command is taken", store_take_command(command));
    assert_string_equal(command, "test");
}

static void test_no_store(void **state)
{
    (void)state;
    start(NULL);
    live.boot.store_port = 0;
    check_equal("store_stage without a port", store_stage(&live), 0);
    check_says("message without a port", output(), "store: start_info names no xenstore ring");
    live.boot.store_port = 5;
    live.boot.store = to_mfn(0);
    check_equal("store_stage with a port and MFN 0", store_stage(&live), 0);
    live.boot.store = INVALID_MFN;
    check_equal("store_stage of a dom0", store_stage(&live), 0);
    live.boot.store = to_mfn(7);
    check_equal("store_ring_stage of a frame of another owner", store_ring_stage(&live),
                -XEN_EINVAL);
}

static void test_shutdown_requests(void **state)
{
    static const struct {
        const char *word;
        enum shutdown_request request;
    } rows[] = {
        {"poweroff", REQUEST_POWEROFF},
        {"reboot",   REQUEST_REBOOT  },
        {"halt",     REQUEST_HALT    },
        {"suspend",  REQUEST_SUSPEND },
    };

    (void)state;
    start(NULL);
    check_equal("shutdown request before a write", store_take_shutdown_request(), REQUEST_NONE);
    check_equal("requests to xenstored before a write", fake_store.nr_requests, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        toolstack_writes("control/shutdown", rows[i].word);
        check_true("store_has_news after a write of control/shutdown", store_has_news());
        fake_store.nr_in_tx = 0;
        check_equal(rows[i].word, store_take_shutdown_request(), rows[i].request);
        assert_string_equal(fake_store_get("control/shutdown"), "");
        check_equal("open transactions after a shutdown request", fake_store_transactions(), 0);
        check_equal("requests in the transaction: read, write, end", fake_store.nr_in_tx, 3);
        check_equal("output of a shutdown request", strlen(output()), 0);
        /* the guest's own acknowledgement fires the watch as well */
        while (fake_store_turn())
            xenstore_poll();
        check_equal("second store_take_shutdown_request", store_take_shutdown_request(),
                    REQUEST_NONE);
        check_equal("output of the second store_take_shutdown_request", strlen(output()), 0);
    }
    toolstack_writes("control/shutdown", NULL);
    check_equal("shutdown request after control/shutdown was removed",
                store_take_shutdown_request(), REQUEST_NONE);
    check_equal("output after control/shutdown was removed", strlen(output()), 0);
}

static void test_unknown_words(void **state)
{
    static const char *const words[] = {"crash", "s3", "suspend ", "Suspend", "suspendx", "sus"};

    (void)state;
    start(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        toolstack_writes("control/shutdown", words[i]);
        check_equal(words[i], store_take_shutdown_request(), REQUEST_NONE);
        check_says("message on an unknown request", output(),
                   "expected poweroff, reboot, halt, suspend");
        check_says("message on an unknown request names it", output(), words[i]);
        assert_string_equal(fake_store_get("control/shutdown"), words[i]);
        check_equal("open transactions after an unknown request", fake_store_transactions(), 0);
    }
    toolstack_writes("control/shutdown", "a word that would fill the console");
    check_equal("shutdown request for a long word", store_take_shutdown_request(), REQUEST_NONE);
    check_says("message on a long word truncates it", output(), "\"a word that would fi\" and");
}

static void change_mind(void)
{
    fake_store_set("control/shutdown", fake_store.nr_conflicts ? "halt" : "reboot");
}

/* Somebody writes between the guest's read and its write: the last value counts. */
static void test_conflicts(void **state)
{
    (void)state;
    start(NULL);
    toolstack_writes("control/shutdown", "suspend");
    fake_store.nr_conflicts = 3;
    fake_store.on_conflict = change_mind;
    check_equal("shutdown request after conflicts", store_take_shutdown_request(), REQUEST_REBOOT);
    assert_string_equal(fake_store_get("control/shutdown"), "");
    check_equal("requests of four transactions", fake_store.nr_requests, 4 * 4);
    check_equal("open transactions after conflicts", fake_store_transactions(), 0);
}

static void test_shutdown_request_failing(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 4; n++) {
        start(NULL);
        toolstack_writes("control/shutdown", "suspend");
        fake_store.refuse_at = n;
        fake_store.refuse_with = "EPERM";
        check_equal("shutdown request with a failing xenstore request",
                    store_take_shutdown_request(), REQUEST_NONE);
        check_says(
            "message on control/shutdown", output(),
            "control/shutdown could not be read and emptied: -1 (EPERM); the node is ignored");
        if (n < 4) /* if its end is refused, xenstored keeps the transaction */
            check_equal("open transactions after a failing request", fake_store_transactions(), 0);
        assert_string_equal(fake_store_get("control/shutdown"), "suspend");
        check_true("the connection is alive after a refused request", xenstore_is_connected());
        check_equal("second store_take_shutdown_request after a failure",
                    store_take_shutdown_request(), REQUEST_NONE);
        live_stop();
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
        {"3",                        0,                 true },
        {"",                         0,                 false},
        {"0",                        0,                 true },
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
    check_equal("memory target before a write", store_take_target(), 0);
    check_equal("requests to xenstored before a write", fake_store.nr_requests, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        toolstack_writes("memory/target", rows[i].value);
        check_true("store_has_news after a write of memory/target", store_has_news());
        check_equal(rows[i].value, store_take_target(), rows[i].pages);
        if (rows[i].says)
            check_says("message on a target that is ignored", output(), "ignored: expected ");
        else
            check_equal("output for a valid or empty target", strlen(output()), 0);
        check_equal("second store_take_target", store_take_target(), 0);
        check_true("store_has_news is false after store_take_target", !store_has_news());
    }
    toolstack_writes("memory/target", NULL);
    check_equal("memory target after memory/target was removed", store_take_target(), 0);
}

static void test_commands(void **state)
{
    char command[STORE_COMMAND_BYTES], longest[STORE_COMMAND_BYTES + 1];

    (void)state;
    start(NULL);
    check_true("no command before a write", !store_take_command(command));
    check_true("store_has_news is false before a write", !store_has_news());
    toolstack_writes("data/command", "test");
    check_true("store_has_news after a write of data/command", store_has_news());
    check_true("a command after a write of data/command", store_take_command(command));
    assert_string_equal(command, "test");
    check_true("no command on the second call", !store_take_command(command));
    check_true("store_has_news is false after store_take_command", !store_has_news());
    store_end_command();
    assert_string_equal(fake_store_get("data/command"), "");
    while (fake_store_turn())
        xenstore_poll();
    check_true("no command after store_end_command", !store_take_command(command));

    memset(longest, 'x', sizeof(longest));
    longest[STORE_COMMAND_BYTES] = '\0';
    toolstack_writes("data/command", longest);
    check_true("no command of 128 bytes", !store_take_command(command));
    check_says("message on a command of 128 bytes", output(),
               "data/command has 128 bytes and is ignored: expected at most 127");
    longest[STORE_COMMAND_BYTES - 1] = '\0';
    toolstack_writes("data/command", longest);
    check_true("a command of 127 bytes", store_take_command(command));
    assert_string_equal(command, longest);
    toolstack_writes("data/command", NULL);
    check_true("no command after data/command was removed", !store_take_command(command));
    check_equal("output after data/command was removed", strlen(output()), 0);
}

/* A command that is written while another one runs stays, and is the next. */
static void test_command_during_another(void **state)
{
    char command[STORE_COMMAND_BYTES];

    (void)state;
    start(NULL);
    toolstack_writes("data/command", "first");
    check_true("the first command", store_take_command(command));
    toolstack_writes("data/command", "second");
    store_end_command();
    assert_string_equal(fake_store_get("data/command"), "second");
    check_true("the second command", store_take_command(command));
    assert_string_equal(command, "second");
    fake_store.nr_conflicts = 2;
    store_end_command();
    assert_string_equal(fake_store_get("data/command"), "");
    check_equal("output of two commands", strlen(output()), 0);
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
    check_says("message on a node that cannot be written", output(),
               "store: xenstore node data/x could not be written: -13 (EACCES");
    fake_store.fault = STORE_TOO_LONG;
    fake_store.fault_at = fake_store.nr_requests + 1;
    store_say("data/x", "bye");
    output_clear();
    store_say("data/x", "bye");
    check_equal("output of store_say without a connection", strlen(output()), 0);
}

/* Takes the request @word while request number @n of doing so is refused with ENOSPC. */
static enum shutdown_request take_refused(const char *word, unsigned int n)
{
    toolstack_writes("control/shutdown", word);
    fake_store.refuse_at = n;
    fake_store.refuse_with = "ENOSPC";
    return store_take_shutdown_request();
}

/* Begin, read, write, end. A quota takes the toolstack no control that is left without it. */
static void test_quota_and_shutdown(void **state)
{
    (void)state;
    start(NULL);
    check_equal("request without a transaction", take_refused("suspend", 1), REQUEST_SUSPEND);
    check_says("message without a transaction", output(),
               "store: control/shutdown is read without a transaction: XS_TRANSACTION_START: "
               "result is -28 (ENOSPC: quota");
    assert_string_equal(fake_store_get("control/shutdown"), "");
    check_equal("requests without a transaction: begin, read, write", fake_store.nr_requests, 3);
    check_equal("request that cannot be read", take_refused("poweroff", 2), REQUEST_NONE);
    check_equal("poweroff that cannot be emptied", take_refused("poweroff", 3), REQUEST_POWEROFF);
    check_says("message on poweroff that cannot be emptied", output(), "the request is obeyed");
    check_equal("suspend that cannot be emptied", take_refused("suspend", 3), REQUEST_NONE);
    check_says("message on suspend that cannot be emptied", output(), "the node is ignored");
    check_equal("open transactions", fake_store_transactions(), 0);
    check_equal("reboot that cannot be committed", take_refused("reboot", 4), REQUEST_REBOOT);
}

/* A transaction that always fails with EAGAIN is given up after some retries. */
static void test_endless_conflict(void **state)
{
    (void)state;
    start(NULL);
    toolstack_writes("control/shutdown", "suspend");
    fake_store.nr_conflicts = UINT32_MAX;
    check_equal("shutdown request with endless conflicts", store_take_shutdown_request(),
                REQUEST_NONE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_greeting, live_teardown),
        cmocka_unit_test_teardown(test_greeting_refused, live_teardown),
        cmocka_unit_test_teardown(test_waiting_command, live_teardown),
        cmocka_unit_test_teardown(test_no_store, live_teardown),
        cmocka_unit_test_teardown(test_shutdown_requests, live_teardown),
        cmocka_unit_test_teardown(test_unknown_words, live_teardown),
        cmocka_unit_test_teardown(test_conflicts, live_teardown),
        cmocka_unit_test_teardown(test_shutdown_request_failing, live_teardown),
        cmocka_unit_test_teardown(test_targets, live_teardown),
        cmocka_unit_test_teardown(test_commands, live_teardown),
        cmocka_unit_test_teardown(test_command_during_another, live_teardown),
        cmocka_unit_test_teardown(test_say, live_teardown),
        cmocka_unit_test_teardown(test_polling, live_teardown),
        cmocka_unit_test_teardown(test_quota_and_shutdown, live_teardown),
        cmocka_unit_test_teardown(test_endless_conflict, live_teardown),
    };

    return cmocka_run_group_tests_name("store stage", tests, NULL, NULL);
}
