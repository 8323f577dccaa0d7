/* SPDX-License-Identifier: MIT */
/*
 * The protocol of xenstore, with a xenstored that keeps to it. Without this a reply that comes in
 * two halves, or behind a watch event, could be taken for another; a request that is longer than
 * the ring could wait for ever; or half a message could be left over from before a suspend. What a
 * hostile xenstored can do is in test_xenstore_hostile.c.
 */
#include "xen/xenstore.h"

#include "lib/errno.h"

#include "xen/evtchn.h"

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

/* Before any other: nothing was ever connected. */
static void test_no_store(void **state)
{
    struct xs_reply reply;

    (void)state;
    check_equal("read", xs_read(0, "a", &reply), -ENODEV);
    check_true("not connected", !xenstore_is_connected());
    xenstore_poll();
    check_equal("suspend", xenstore_suspend(), 0);
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
        /* indices that are about to wrap; a kernel that was loaded by another one finds such */
        sg_start((uint32_t)-20);
        fake_store.piece = pieces[i];
        fake_store.events_first = true;
        sg_ask_everything();
    }
}

/* Whose a node is: its path, and who may what, each terminated. */
static void test_permissions(void **state)
{
    (void)state;
    check_equal("write", xs_write(0, "a/b", "x"), 0);
    check_equal("perms", xs_set_perms(0, "a/b", "n5"), 0);
    assert_string_equal(fake_store.perms, "n5");
    check_equal("perms", xs_set_perms(0, "a/b", "r1234"), 0);
    assert_string_equal(fake_store.perms, "r1234");
    check_equal("no such node", xs_set_perms(0, "a/c", "n5"), -ENOENT);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("not ours", xs_set_perms(0, "a/b", "n5"), -EACCES);
    check_equal("in no transaction", fake_store.nr_in_tx, 0);
    check_equal("in one that there is not", xs_set_perms(3, "a/b", "n5"), -ENOENT);
    check_equal("in that one", fake_store.nr_in_tx, 1);
    xenstore_stop();
    check_equal("no store", xs_set_perms(0, "a/b", "n5"), -ENODEV);
}

/* A request that is larger than the ring, and the longest there may be. */
static void test_long_requests(void **state)
{
    static char value[XENSTORE_PAYLOAD_MAX + 2];

    (void)state;
    fake_store.needs_kick = true;
    for (size_t len = 1000; len < 1100; len += 7) {
        memset(value, 'v', len);
        value[len] = '\0';
        check_equal("write", xs_write(0, "a", value), 0);
        sg_check_node("a", value);
    }
    memset(value, 'v', sizeof(value) - 1);
    value[XENSTORE_PAYLOAD_MAX - 2] = '\0';
    check_equal("the longest", xs_write(0, "a", value), 0);
    assert_string_equal(fake_store_get("a"), value);
    value[XENSTORE_PAYLOAD_MAX - 2] = 'v';
    value[XENSTORE_PAYLOAD_MAX - 1] = '\0';
    uint32_t before = sg_ring->req_prod;
    check_equal("one more", xs_write(0, "a", value), -E2BIG);
    check_equal("was not begun", sg_ring->req_prod, before);
    check_equal("a path alone", xs_read(0, value, &(struct xs_reply){0}), -EINVAL);
    check_true("all is well", xenstore_is_connected());
}

/* Events come between any two bytes of what is asked. */
static void test_event_inside_a_request(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("watch", xs_watch(&sg_watch), 0);
    xenstore_poll();
    for (size_t at = 1; at < 2900; at += 97) {
        sg_watch.fired = false;
        fake_store.event_within = at;
        check_equal("write", xs_write(0, "b", value), 0);
        fake_store.event_within = 0;
        sg_check_node("b", value);
        check_true("the event was heard", sg_watch.fired);
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
        check_equal("watch", xs_watch(&many[i]), i < 16 ? 0 : -ENOMEM);
    }
    check_equal("as many as there is room for", xs_count_watches(), 16);
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++) {
        check_true("once at the start", many[i].fired);
        many[i].fired = false;
    }
    fake_store_set("w10/below", "x");
    fake_store_set("w1", "x");
    fake_store_set("w", "x");
    (void)fake_store_turn();
    xenstore_poll();
    for (unsigned int i = 0; i < 16; i++)
        check_equal("those alone", many[i].fired, i == 1 || i == 10);
    check_equal("unwatch", xs_unwatch(&many[3]), 0);
    check_equal("twice", xs_unwatch(&many[3]), -ENOENT);
    check_equal("there is room again", xs_watch(&many[16]), 0);
    /* refused: the place is free again */
    check_equal("unwatch", xs_unwatch(&many[16]), 0);
    fake_store.refuse_at = fake_store.nr_requests + 1;
    fake_store.refuse_with = "EACCES";
    check_equal("refused", xs_watch(&many[16]), -EACCES);
    check_equal("watches", xs_count_watches(), 15);
}

/* xenstored may say so before it says that it will. */
static void test_first_event_first(void **state)
{
    (void)state;
    fake_store.events_first = true;
    check_equal("watch", xs_watch(&sg_watch), 0);
    check_true("fired", sg_watch.fired);
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
        {"ENOSPC",  -ENOMEM},
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
        check_true("no reason to part", xenstore_is_connected());
    }
}

static void test_conflict(void **state)
{
    xs_tx_t tx;

    (void)state;
    fake_store.nr_conflicts = 1;
    for (int round = 0; round < 2; round++) {
        check_equal("begin", xs_begin(&tx), 0);
        check_equal("write", xs_write(tx, "a", "x"), 0);
        check_equal("end", xs_end(tx, true), round ? 0 : -EAGAIN);
        check_equal("done", fake_store_get("a") != NULL, round);
    }
}

/* Half a message has come when the domain is to be suspended. */
static void test_suspend(void **state)
{
    (void)state;
    check_equal("nothing half said", xenstore_suspend(), 0);
    check_equal("watch", xs_watch(&sg_watch), 0);
    xenstore_poll();
    sg_watch.fired = false;
    fake_store_set("a", "b");
    fake_store.piece = 5;
    (void)fake_store_turn();
    check_equal("waits for the rest", xenstore_suspend(), 0);
    check_true("and takes it", sg_watch.fired);
    check_equal("all of it", sg_ring->rsp_cons, sg_ring->rsp_prod);

    fake_store_set("a", "c");
    (void)fake_store_turn();
    fake_store.is_silent = true;
    check_equal("which does not come", xenstore_suspend(), -EIO);
    check_says("the reason", output(), "did not reply in time");
    sg_check_dead("suspend");
    check_equal("no connection is no obstacle", xenstore_suspend(), 0);
}

/* In a new domain: what was broken is forgotten, and half a message too. */
static void test_reconnect(void **state)
{
    (void)state;
    check_equal("watch", xs_watch(&sg_watch), 0);
    fake_store_set("a", "b");
    fake_store.piece = 5;
    (void)fake_store_turn();
    xenstore_poll();
    fake_store.is_silent = true;
    check_equal("broken", xs_write(0, "a", "b"), -EIO);
    evtchn_start(&sg_shared);
    fake_store_start(sg_page, fake_store.port);
    fake.fail_at = 1;
    fake.nr_hypercalls = 0;
    fake.fail_with = -XEN_EPERM;
    check_equal("refused", xenstore_start(sg_page, fake_store.port), -XEN_EPERM);
    fake.fail_at = 0;
    check_equal("connect", xenstore_start(sg_page, fake_store.port), 0);
    check_equal("no watch is left", xs_count_watches(), 0);
    sg_ask_everything();
}

/* A notification that Xen refuses is lost, and no more than that. */
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
    check_true("all of them", n > 20);
}

/* xenstored may take no more of a request while events wait to be read. */
static void test_both_wait(void **state)
{
    static char value[3000];

    (void)state;
    memset(value, 'v', sizeof(value) - 1);
    check_equal("watch", xs_watch(&sg_watch), 0);
    xenstore_poll();
    fake_store.one_by_one = true;
    for (int i = 0; i < 200; i++)
        fake_store_set("a", "x");
    check_equal("write", xs_write(0, "b", value), 0);
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
        cmocka_unit_test_setup(test_suspend, start),
        cmocka_unit_test_setup(test_reconnect, start),
        cmocka_unit_test(test_every_hypercall_failing),
        cmocka_unit_test_setup(test_both_wait, start),
    };

    return cmocka_run_group_tests_name("xenstore", tests, NULL, NULL);
}
