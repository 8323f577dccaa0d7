/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client, with a xenstored that follows the protocol. Without this test a reply that
 * arrives in two parts, or after a watch event, could be taken for another reply; a request longer
 * than the ring could block for ever. A slow xenstored and a suspend are tested in
 * test_xenstore_late.c, and a hostile xenstored in test_xenstore_hostile.c.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"

#include "tests/unit/fake_store.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"
#include "tests/unit/store_guest.h"

#include <stdio.h>
#include <string.h>
#include <xen/errno.h>

static int start(void **state)
{
    (void)state;
    sg_start(0);
    return 0;
}

/* Runs first: no store was ever connected. */
static void test_no_store(void **state)
{
    struct xs_reply reply;

    (void)state;
    check_equal("xs_read without a connection", xs_read(0, "a", &reply), -ENODEV);
    check_true("xenstore_is_connected is false without a connection", !xenstore_is_connected());
    xenstore_poll();
}

static void test_everything(void **state)
{
    static const size_t pieces[] = {0, 1, 2, 15, 16, 17, 1023};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        sg_start(0);
        fake_store.piece = pieces[i];
        fake_store.needs_kick = true;
        sg_ask_everything();
        /* indices that are about to wrap, as another kernel that loaded this one may leave them */
        sg_start((uint32_t)-20);
        fake_store.piece = pieces[i];
        fake_store.events_first = true;
        sg_ask_everything();
    }
}

/* XS_SET_PERMS: the path, then the permissions, each with a terminating 0. */
static void test_permissions(void **state)
{
    (void)state;
    check_equal("xs_write of a/b", xs_write(0, "a/b", "x"), 0);
    check_equal("xs_set_perms of n5", xs_set_perms(0, "a/b", "n5"), 0);
    assert_string_equal(fake_store.perms, "n5");
    check_equal("xs_set_perms of r1234", xs_set_perms(0, "a/b", "r1234"), 0);
    assert_string_equal(fake_store.perms, "r1234");
    check_equal("xs_set_perms of a missing node", xs_set_perms(0, "a/c", "n5"), -ENOENT);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("xs_set_perms that is refused", xs_set_perms(0, "a/b", "n5"), -EACCES);
    check_equal("requests in a transaction", fake_store.nr_in_tx, 0);
    check_equal("xs_set_perms in a missing transaction", xs_set_perms(3, "a/b", "n5"), -ENOENT);
    check_equal("requests in a transaction after that", fake_store.nr_in_tx, 1);
    xenstore_stop();
    check_equal("xs_set_perms after xenstore_stop", xs_set_perms(0, "a/b", "n5"), -ENODEV);
}

/* Requests larger than the ring, up to the longest that the protocol allows. */
static void test_long_requests(void **state)
{
    static char value[XENSTORE_PAYLOAD_MAX + 2];

    (void)state;
    fake_store.needs_kick = true;
    for (size_t len = 1000; len < 1100; len += 7) {
        memset(value, 'v', len);
        value[len] = '\0';
        check_equal("xs_write of a long value", xs_write(0, "a", value), 0);
        sg_check_node("a", value);
    }
    memset(value, 'v', sizeof(value) - 1);
    value[XENSTORE_PAYLOAD_MAX - 2] = '\0';
    check_equal("xs_write of the longest value", xs_write(0, "a", value), 0);
    assert_string_equal(fake_store_get("a"), value);
    value[XENSTORE_PAYLOAD_MAX - 2] = 'v';
    value[XENSTORE_PAYLOAD_MAX - 1] = '\0';
    uint32_t before = sg_ring->req_prod;
    check_equal("xs_write of too long a value", xs_write(0, "a", value), -E2BIG);
    check_equal("req_prod after too long a value", sg_ring->req_prod, before);
    check_equal("xs_read of too long a path", xs_read(0, value, &(struct xs_reply){0}), -EINVAL);
    check_true("the connection is alive after too long requests", xenstore_is_connected());
}

/* A watch event that arrives at any byte of a request. */
static void test_event_inside_a_request(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    xenstore_poll();
    for (size_t at = 1; at < 2900; at += 97) {
        sg_watch.fired = false;
        fake_store.event_within = at;
        check_equal("xs_write while a watch event arrives", xs_write(0, "b", value), 0);
        fake_store.event_within = 0;
        sg_check_node("b", value);
        check_true("the watch has fired during the request", sg_watch.fired);
    }
}

static void test_watches(void **state)
{
    static struct xs_watch many[17];
    char names[17][8];

    (void)state;
    for (unsigned int i = 0; i < 17; i++) {
        snprintf(names[i], sizeof(names[i]), "w%u", i);
        many[i] = (struct xs_watch){.path = names[i]};
        check_equal("xs_watch of one of 17 nodes", xs_watch(&many[i]), i < 16 ? 0 : -ENOMEM);
    }
    check_equal("watches in a full table", xs_count_watches(), 16);
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++) {
        check_true("each watch fires when it is set", many[i].fired);
        many[i].fired = false;
    }
    fake_store_set("w10/below", "x");
    fake_store_set("w1", "x");
    fake_store_set("w", "x");
    (void)fake_store_turn();
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++)
        check_equal("only the watches of w1 and w10 fire", many[i].fired, i == 1 || i == 10);
    check_equal("xs_unwatch of w3", xs_unwatch(&many[3]), 0);
    check_equal("second xs_unwatch of w3", xs_unwatch(&many[3]), -ENOENT);
    check_equal("xs_watch of w16 with a free place", xs_watch(&many[16]), 0);
    /* a refused watch leaves its place free */
    check_equal("xs_unwatch of w16", xs_unwatch(&many[16]), 0);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("xs_watch that is refused", xs_watch(&many[16]), -EACCES);
    check_equal("watches after a refused xs_watch", xs_count_watches(), 15);
}

/* xenstored may send the first event of a watch before the reply to the watch request. */
static void test_first_event_first(void **state)
{
    (void)state;
    fake_store.events_first = true;
    check_equal("xs_watch with the event before the reply", xs_watch(&sg_watch), 0);
    check_true("the watch has fired before the reply", sg_watch.fired);
}

static void test_errors(void **state)
{
    static const struct {
        const char *word;
        int rc;
    } rows[] = {
        {"EINVAL",  -EINVAL},
        {"EACCES",  -EACCES},
        {"EEXIST",  -EEXIST},
        {"ENOENT",  -ENOENT},
        {"ENOMEM",  -ENOMEM},
        {"ENOSPC",  -ENOSPC},
        {"EIO",     -ENOMEM},
        {"ENOSYS",  -ENOSYS},
        {"EBUSY",   -EBUSY },
        {"EAGAIN",  -EAGAIN},
        {"E2BIG",   -E2BIG },
        {"EPERM",   -EPERM },
        {"EROFS",   -EINVAL},
        {"enoent",  -EINVAL},
        {"ENOENTS", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_store.refuse_at = fake_store.nr_requests + 1;
        fake_store.refuse_with = rows[i].word;
        check_equal(rows[i].word, xs_write(0, "a", "b"), rows[i].rc);
        check_true("the connection is alive after an error reply", xenstore_is_connected());
    }
}

static void test_conflict(void **state)
{
    xs_tx_t tx;

    (void)state;
    fake_store.nr_conflicts = 1;
    for (int round = 0; round < 2; round++) {
        check_equal("xs_begin", xs_begin(&tx), 0);
        check_equal("xs_write in the transaction", xs_write(tx, "a", "x"), 0);
        check_equal("xs_end with commit", xs_end(tx, true), round ? 0 : -EAGAIN);
        check_equal("the node exists after xs_end", fake_store_get("a") != NULL, round);
    }
}

/* An event channel notification that Xen refuses is lost; nothing else is. */
static void test_every_hypercall_failing(void **state)
{
    unsigned int n;

    (void)state;
    for (n = 1;; n++) {
        sg_start(0);
        fake.nr_hypercalls = 0;
        fake.fail_at = n;
        fake.fail_with = -XEN_EINVAL;
        sg_ask_everything();
        if (fake.nr_hypercalls < n)
            break;
    }
    fake.fail_at = 0;
    check_true("the requests make more than 20 hypercalls", n > 20);
}

/* xenstored may read no more of a request while watch events wait to be read by the guest. */
static void test_both_wait(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("xs_watch of a", xs_watch(&sg_watch), 0);
    xenstore_poll();
    fake_store.one_by_one = true;
    for (int i = 0; i < 200; i++)
        fake_store_set("a", "x");
    check_equal("xs_write while 200 watch events are queued", xs_write(0, "b", value), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_store),
        cmocka_unit_test(test_everything),
        cmocka_unit_test_setup(test_permissions, start),
        cmocka_unit_test_setup(test_long_requests, start),
        cmocka_unit_test_setup(test_event_inside_a_request, start),
        cmocka_unit_test_setup(test_watches, start),
        cmocka_unit_test_setup(test_first_event_first, start),
        cmocka_unit_test_setup(test_errors, start),
        cmocka_unit_test_setup(test_conflict, start),
        cmocka_unit_test(test_every_hypercall_failing),
        cmocka_unit_test_setup(test_both_wait, start),
    };

    return cmocka_run_group_tests_name("xenstore", tests, NULL, NULL);
}
