/* SPDX-License-Identifier: MIT */
/*
 * The xenstore client (xen/xenstore.h) with the real xenstored.
 *
 * Without these tests this kernel could misread what the toolstack writes (shutdown requests,
 * memory targets), and its own reports could be lost. The answers that a correct xenstored never
 * gives are in the unit tests.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "xen/xenstore.h"

#include "kernel/selftest/test.h"

/* A path below which a domain may write, relative to /local/domain/N. */
#define NODE "data/test"

/*
 * Did xenstored, which a tool may have stopped, not answer a request of this test in time, or did a
 * quota of this domain refuse it?
 */
static bool is_over;

/* Looks at a request's result. True as soon as one was late or refused: the test is skipped. */
static bool look_for_end(struct test *t, int rc)
{
    if (!is_over && rc == -ETIMEDOUT)
        test_skip(t, "xenstored does not answer in time");
    else if (!is_over && xs_is_quota(rc))
        test_skip(t, "xenstored refuses a request: %s", xs_error_name(rc));
    is_over |= rc == -ETIMEDOUT || xs_is_quota(rc);
    return is_over;
}

/* CHECK_RC of a request. What follows a request without effect is not checked. */
#define CHECK_XS(request, expected, ...)             \
    do {                                             \
        int result = request;                        \
        if (!look_for_end(t, result))                \
            CHECK_RC(result, expected, __VA_ARGS__); \
    } while (0)

static bool is_connected(struct test *t)
{
    struct xs_reply reply;

    is_over = false;
    if (xenstore_is_connected())
        return !look_for_end(t, xs_read(0, "domid", &reply));
    test_skip(t, boot_info_is_initdomain(&t->d->boot) ? "a dom0 starts before xenstored"
                                                      : "this domain is not connected to xenstore");
    return false;
}

/* The toolstack makes data/ and gives it to this domain. A node that dom0 makes is dom0's. */
static bool is_writable(struct test *t)
{
    int rc;

    if (!is_connected(t))
        return false;
    rc = xs_write(0, NODE, "");
    if (rc == -EACCES)
        test_skip(t, "xenstore refuses writes to " NODE " (EACCES)");
    return rc != -EACCES && !look_for_end(t, rc);
}

static void write_node(struct test *t, xs_tx_t tx, const char *path, const char *value)
{
    CHECK_XS(xs_write(tx, path, value), 0, "XS_WRITE of %lu bytes to %s (transaction %u)",
             strlen(value), path, tx);
}

static void check_value(struct test *t, xs_tx_t tx, const char *path, const char *expected)
{
    struct xs_reply reply = {.data = ""};

    CHECK_XS(xs_read(tx, path, &reply), 0, "XS_READ of %s (transaction %u)", path, tx);
    CHECK(is_over || !strcmp(reply.data, expected),
          "XS_READ of %s (transaction %u): value is \"%.20s\", %lu bytes, expected \"%.20s\", %lu "
          "bytes",
          path, tx, reply.data, strlen(reply.data), expected, strlen(expected));
}

static void remove_node(struct test *t)
{
    CHECK_XS(xs_remove(0, NODE), 0, "XS_RM of " NODE);
}

static void begin(struct test *t, xs_tx_t *tx)
{
    *tx = 0;
    CHECK_XS(xs_begin(tx), 0, "XS_TRANSACTION_START");
}

TEST(store, "a xenstore node has the value that was written, until the node is removed")
{
    static char long_value[1900]; /* more than the ring holds, less than the quota of a node */
    struct xs_reply reply;

    if (!is_writable(t))
        return;
    write_node(t, 0, NODE, "1");
    check_value(t, 0, NODE, "1");
    write_node(t, 0, NODE "/a", "");
    check_value(t, 0, NODE "/a", "");

    memset(long_value, 'x', sizeof(long_value) - 1);
    write_node(t, 0, NODE "/a", long_value);
    check_value(t, 0, NODE "/a", long_value);

    remove_node(t);
    CHECK_XS(xs_read(0, NODE "/a", &reply), -ENOENT,
             "XS_READ of " NODE "/a, whose parent is removed");
}

TEST(store_list, "XS_DIRECTORY lists the children of a xenstore node")
{
    struct xs_reply reply = {.data = ""};

    if (!is_writable(t))
        return;
    write_node(t, 0, NODE "/a", "");
    CHECK_XS(xs_list(0, NODE, &reply), 0, "XS_DIRECTORY of " NODE);
    CHECK(is_over || (reply.len_bytes == 2 && !strcmp(reply.data, "a")),
          "XS_DIRECTORY of " NODE " is \"%.40s\" and has %lu bytes, expected \"a\", 2 bytes",
          reply.data, reply.len_bytes);
    remove_node(t);
}

TEST(store_errors, "a xenstore request that xenstored refuses returns xenstored's errno")
{
    struct xs_reply reply;

    if (!is_connected(t))
        return;
    CHECK_XS(xs_read(0, NODE "/none", &reply), -ENOENT,
             "XS_READ of " NODE "/none, which does not exist");
    CHECK_XS(xs_write(0, "/local/domain/0/name", "us"), -EACCES,
             "XS_WRITE to /local/domain/0/name, a node of dom0");
    CHECK_XS(xs_read(0, "a b", &reply), -EINVAL, "XS_READ of \"a b\", a path with a blank");
}

static struct xs_watch watch = {.path = NODE};

/*
 * xenstored handles one request after the other, and queues the events of a request before the next
 * one (process_message of Xen tools/xenstore/xenstored_core.c). So after the answer to one more
 * request the event must be here.
 */
static void check_fired(struct test *t, const char *step)
{
    struct xs_reply reply;

    CHECK_XS(xs_read(0, "domid", &reply), 0, "XS_READ of domid after %s", step);
    xenstore_poll();
    CHECK(is_over || watch.fired,
          "number of watch events of " NODE " after %s and one more request is 0, expected 1",
          step);
    watch.fired = false;
}

TEST(store_watch, "a xenstore watch fires when a child node of its path changes")
{
    if (!is_writable(t))
        return;
    watch.fired = false;
    CHECK_XS(xs_watch(&watch), 0, "XS_WATCH of " NODE);
    check_fired(t, "XS_WATCH"); /* the first event, which every watch gets */
    write_node(t, 0, NODE "/a", "2");
    check_fired(t, "XS_WRITE");
    CHECK_XS(xs_unwatch(&watch), 0, "XS_UNWATCH of " NODE);
    remove_node(t);
}

TEST(store_transaction,
     "a write in a xenstore transaction is visible outside only after its commit")
{
    xs_tx_t tx;

    if (!is_writable(t))
        return;
    write_node(t, 0, NODE, "before");
    begin(t, &tx);
    write_node(t, tx, NODE, "inside");
    check_value(t, tx, NODE, "inside");
    check_value(t, 0, NODE, "before");
    CHECK_XS(xs_end(tx, false), 0, "XS_TRANSACTION_END, abort");
    check_value(t, 0, NODE, "before");

    begin(t, &tx);
    write_node(t, tx, NODE, "after");
    CHECK_XS(xs_end(tx, true), 0, "XS_TRANSACTION_END, commit");
    check_value(t, 0, NODE, "after");
    remove_node(t);
}

TEST(store_conflict,
     "a xenstore commit fails with EAGAIN if a node that the transaction read has changed")
{
    xs_tx_t tx;

    if (!is_writable(t))
        return;
    write_node(t, 0, NODE, "before");
    begin(t, &tx);
    check_value(t, tx, NODE, "before");
    write_node(t, 0, NODE, "meanwhile");
    write_node(t, tx, NODE, "after");
    CHECK_XS(xs_end(tx, true), -EAGAIN,
             "XS_TRANSACTION_END, commit, after " NODE " changed outside");
    check_value(t, 0, NODE, "meanwhile");
    remove_node(t);
}
