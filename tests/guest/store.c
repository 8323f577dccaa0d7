/* SPDX-License-Identifier: MIT */
/*
 * Without these the toolstack's wishes could be misread, and ours not be heard. The real xenstored
 * answers; the answers that it never gives are in the unit tests.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include "kernel/selftest/test.h"

/* A node that the toolstack lets us write below. */
#define OURS "data/test"

static bool is_there(struct test *t)
{
    if (xenstore_is_connected())
        return true;
    test_skip(t, boot_info_is_initdomain(&t->d->boot) ? "a dom0 begins without a xenstore"
                                                      : "there is no xenstore");
    return false;
}

static void check_value(struct test *t, xs_tx_t tx, const char *path, const char *expected)
{
    struct xs_reply reply = {.data = ""};
    int rc = xs_read(tx, path, &reply);

    CHECK(!rc && !strcmp(reply.data, expected), "%s is \"%.40s\" (%d), expected \"%s\"", path,
          reply.data, rc, expected);
}

TEST(store, "xenstore: what is written is read, listed, watched and removed; errors are told")
{
    static struct xs_watch watch = {.path = OURS};
    static char long_value[1900]; /* more than the ring holds, less than the quota of a node */
    struct xs_reply reply;
    uint64_t until;

    if (!is_there(t))
        return;
    CHECK(!xs_write(0, OURS, "1"), OURS " cannot be written");
    check_value(t, 0, OURS, "1");
    CHECK(!xs_write(0, OURS "/a", ""), OURS "/a cannot be written");
    check_value(t, 0, OURS "/a", "");
    CHECK(!xs_list(0, OURS, &reply) && reply.len_bytes == 2 && !strcmp(reply.data, "a"),
          OURS " has not just the one name \"a\"");
    CHECK(xs_read(0, OURS "/none", &reply) == -ENOENT, "a node that is not there can be read");
    CHECK(xs_write(0, "/local/domain/0/name", "us") == -EACCES, "dom0's name can be written");
    CHECK(xs_read(0, "a b", &reply) == -EINVAL, "a path with a blank is taken");

    memset(long_value, 'x', sizeof(long_value) - 1);
    CHECK(!xs_write(0, OURS "/a", long_value), "a value longer than the ring cannot be written");
    check_value(t, 0, OURS "/a", long_value);

    CHECK(!xs_watch(&watch), OURS " cannot be watched");
    until = clock_ns() + 10 * NS_PER_S;
    for (watch.fired = false; !xs_write(0, OURS "/a", "2") && !watch.fired && clock_ns() < until;)
        xenstore_poll();
    CHECK(watch.fired, "a change below a watched node is not seen");
    CHECK(!xs_unwatch(&watch), "the watch cannot be ended");
    CHECK(!xs_remove(0, OURS), OURS " cannot be removed");
    CHECK(xs_read(0, OURS "/a", &reply) == -ENOENT, OURS "/a is there although " OURS " is not");
}

TEST(store_transaction, "xenstore: a transaction is all or nothing, and loses to who was faster")
{
    xs_tx_t tx;

    if (!is_there(t))
        return;
    CHECK(!xs_write(0, OURS, "before"), OURS " cannot be written");
    CHECK(!xs_begin(&tx), "no transaction can be begun");
    CHECK(!xs_write(tx, OURS, "inside"), "nothing can be written in it");
    check_value(t, tx, OURS, "inside");
    check_value(t, 0, OURS, "before");
    CHECK(!xs_end(tx, false), "it cannot be given up");
    check_value(t, 0, OURS, "before");

    CHECK(!xs_begin(&tx), "no second transaction can be begun");
    check_value(t, tx, OURS, "before");
    CHECK(!xs_write(0, OURS, "meanwhile"), "nothing can be written beside it");
    CHECK(!xs_write(tx, OURS, "after"), "nothing can be written in it");
    CHECK(xs_end(tx, true) == -EAGAIN, "it is carried out although it is late");
    check_value(t, 0, OURS, "meanwhile");

    CHECK(!xs_begin(&tx), "no third transaction can be begun");
    CHECK(!xs_write(tx, OURS, "after"), "nothing can be written in it");
    CHECK(!xs_end(tx, true), "it is not carried out");
    check_value(t, 0, OURS, "after");
    CHECK(!xs_remove(0, OURS), OURS " cannot be removed");
}
