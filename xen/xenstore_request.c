/* SPDX-License-Identifier: MIT */
#include "xen/xenstore_request.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/clock.h"
#include "xen/xenstore_wire.h"

/* The maximum number of messages that are received without a look at the time. */
#define MAX_RECEIVED 256
/* xenstored allows a domain ten transactions at a time (its domain.c). */
#define MAX_ABANDONED 10

static struct xenstore_wire wire;

static uint32_t last_id; /* the req_id of the last request */

/* After a request that timed out: no request up to given_up has had a reply since. */
static bool is_late;
static uint32_t given_up;

/* What is known of the last xs_end that timed out. */
static struct {
    uint32_t id;
    int rc;
} late_end = {.rc = -EIO};

/* Transactions that are open in xenstored, and that nobody here uses. */
static xs_tx_t abandoned[MAX_ABANDONED];
static unsigned int nr_abandoned;

/* Forgets all that is under way on the connection before this one. */
static void forget_connection(void)
{
    xenstore_wire_reset(&wire);
    is_late = false;
    nr_abandoned = 0;
    if (late_end.rc == -ETIMEDOUT)
        late_end.rc = -EIO;
}

/* 0; -EAGAIN while xenstored makes a new connection; -EIO if there will be none; or -ENODEV. */
static int check_connection(void)
{
    if (!wire.ring.page)
        return -ENODEV;
    if (xenstore_ring_reconnected(&wire.ring)) {
        printk(LOG_INFO,
               "xenstore: xenstored has made a new connection; all watches are set again\n");
        forget_connection();
        xenstore_take_gap(true);
    }
    if (wire.ring.state == RING_RECONNECTING)
        return -EAGAIN;
    return wire.ring.state == RING_CONNECTED ? 0 : -EIO;
}

/*
 * The negative errno for an error name of XS_ERROR (xsd_errors of <xen/io/xs_wire.h>). EIO: the
 * node could not be stored. xenstored 4.17 says so where the memory quota forbids it
 * (write_node_raw() of Xen tools/xenstore/xenstored_core.c). Here -EIO is a broken connection,
 * which this is not.
 */
static int error_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {
        {"EINVAL", EINVAL},
        {"EACCES", EACCES},
        {"EEXIST", EEXIST},
        {"ENOENT", ENOENT},
        {"ENOMEM", ENOMEM},
        {"ENOSPC", ENOSPC},
        {"EIO",    ENOMEM},
        {"ENOSYS", ENOSYS},
        {"EBUSY",  EBUSY },
        {"EAGAIN", EAGAIN},
        {"E2BIG",  E2BIG },
        {"EPERM",  EPERM },
    };

    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (!strcmp(name, errors[i].name))
            return -errors[i].number;
    return -EINVAL;
}

/* The result of the message in wire.in as reply to a request of @type. */
static int result_of(uint32_t type)
{
    if (wire.in.header.type == XS_ERROR)
        return error_of(wire.in.payload);
    if (wire.in.header.type == type)
        return 0;
    printk(LOG_WARN,
           "xenstore: the type of xenstored's reply is %u, expected %u, the type of the request\n",
           wire.in.header.type, type);
    return -EIO;
}

/* Notes that xenstored has answered request @id. */
static void note_reply(uint32_t id)
{
    if (!is_late || id - given_up > last_id - given_up)
        return;
    is_late = false;
    printk(LOG_INFO, "xenstore: xenstored answers again; all watched nodes are read again\n");
    xenstore_take_gap(false);
}

/* A transaction that cannot be noted here stays open until the end of the connection. */
static void abandon(xs_tx_t tx)
{
    if (tx && nr_abandoned < MAX_ABANDONED)
        abandoned[nr_abandoned++] = tx;
}

xs_tx_t xenstore_transaction_of(const char *payload)
{
    uint64_t tx = 0;

    return number_parse_decimal(payload, strlen(payload), UINT32_MAX, &tx) ? (xs_tx_t)tx : 0;
}

/* The reply to a request that timed out: nobody waits for it, but it may leave something open. */
static void take_late_reply(void)
{
    uint32_t id = wire.in.header.req_id;

    note_reply(id);
    if (wire.in.header.type == XS_TRANSACTION_START)
        abandon(xenstore_transaction_of(wire.in.payload));
    if (late_end.rc == -ETIMEDOUT && id == late_end.id)
        late_end.rc = result_of(XS_TRANSACTION_END);
}

static void take_message(void)
{
    if (wire.in.header.type == XS_WATCH_EVENT)
        xenstore_take_event(wire.in.payload, wire.in.header.len);
    else
        take_late_reply();
}

/*
 * Further messages stay in the ring, with their event pending, until the next call. -EIO if the
 * connection broke.
 */
static int take_messages(void)
{
    int rc = 1;

    for (unsigned int i = 0; i < MAX_RECEIVED && rc > 0; i++) {
        rc = xenstore_wire_receive(&wire);
        if (rc > 0)
            take_message();
    }
    return rc < 0 ? rc : 0;
}

static void note_full_ring(void)
{
    if (wire.ring.was_full)
        xenstore_take_gap(false);
    wire.ring.was_full = false;
}

/*
 * Sends the rest of the outgoing message. While the ring is full, receives messages: xenstored may
 * wait for room in its own ring before it reads on.
 */
static int send_rest(uint64_t until_ns)
{
    for (;;) {
        int rc = xenstore_wire_send(&wire);

        if (rc)
            return rc > 0 ? 0 : rc;
        rc = take_messages();
        if (!rc)
            rc = xenstore_ring_wait(until_ns);
        if (rc)
            return rc;
    }
}

/*
 * Waits for the reply to request @id, and takes in all that comes before it. The ring is emptied
 * before time runs out: the reply may be there already, behind events.
 */
static int await_reply(uint32_t id, uint64_t until_ns)
{
    unsigned int nr_after_time = 0;

    for (;;) {
        int rc = xenstore_wire_receive(&wire);

        if (rc > 0 && wire.in.header.type != XS_WATCH_EVENT && wire.in.header.req_id == id)
            return 0;
        if (rc > 0) {
            take_message();
            nr_after_time += clock_ns() >= until_ns;
            rc = nr_after_time < MAX_RECEIVED ? 0 : -ETIMEDOUT;
        } else if (rc == 0) {
            rc = xenstore_ring_wait(until_ns);
        }
        if (rc)
            return rc;
    }
}

/* Waits for a new connection, if xenstored is about to make one. */
static int await_connection(uint64_t until_ns)
{
    for (;;) {
        int rc = check_connection();

        if (rc != -EAGAIN)
            return rc;
        rc = xenstore_ring_wait(until_ns);
        if (rc)
            return rc;
    }
}

/* Makes @r the outgoing message, once the message before it is sent, which has until @until_ns. */
static int put(const struct xenstore_request *r, uint64_t until_ns)
{
    size_t first = strlen(r->first) + 1;
    size_t second = r->second ? strlen(r->second) + r->second_ends : 0;
    struct xsd_sockmsg header = {
        .type = r->type, .tx_id = r->tx, .len = (uint32_t)(first + second)};
    int rc;

    if (first + second > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    rc = send_rest(until_ns);
    if (rc)
        return rc;
    header.req_id = ++last_id;
    xenstore_wire_put(&wire, &header, r->first, first, r->second ? r->second : "", second);
    return 0;
}

/* Request @r has no reply. @was_put: it is sent, or will be, and xenstored may carry it out. */
static void give_up(const struct xenstore_request *r, bool was_put, int rc)
{
    if (r->type != XS_TRANSACTION_END || !was_put)
        abandon(r->tx);
    if (rc != -ETIMEDOUT)
        return;
    if (r->type == XS_TRANSACTION_END) {
        late_end.id = last_id;
        late_end.rc = was_put ? -ETIMEDOUT : -EAGAIN;
    }
    if (!is_late)
        printk(LOG_WARN, "xenstore: xenstored has not answered for %u seconds\n",
               XENSTORE_PATIENCE);
    is_late = true;
    given_up = last_id;
}

int xenstore_ask(const struct xenstore_request *r, struct xs_reply *reply)
{
    uint64_t patience = is_late ? XENSTORE_LATE_PATIENCE : XENSTORE_PATIENCE;
    uint64_t until_ns = clock_ns() + patience * NS_PER_S;
    bool was_put = false;
    int rc = await_connection(until_ns);

    if (!rc) {
        rc = put(r, until_ns);
        was_put = !rc;
    }
    if (!rc)
        rc = send_rest(until_ns);
    if (!rc)
        rc = await_reply(last_id, until_ns);
    if (!rc) {
        note_reply(last_id);
        rc = result_of(r->type);
    }
    note_full_ring();
    if (rc == -ETIMEDOUT || rc == -EIO)
        give_up(r, was_put, rc);
    if (!rc && reply)
        *reply = (struct xs_reply){.data = wire.in.payload, .len_bytes = wire.in.header.len};
    return rc;
}

int xs_end_result(void)
{
    return late_end.rc;
}

/* Aborts the transactions that nobody uses, as far as there is room. Their replies are dropped. */
static void end_abandoned(void)
{
    while (nr_abandoned && xenstore_wire_send(&wire) > 0) {
        const struct xenstore_request end = {
            .type = XS_TRANSACTION_END, .tx = abandoned[--nr_abandoned], .first = "F"};

        (void)!put(&end, 0); /* The message before it is sent, so there is nothing to wait for. */
    }
    (void)!xenstore_wire_send(&wire); /* The rest follows at the next poll or request. */
}

bool xenstore_receive(void)
{
    if (check_connection() || take_messages())
        return false;
    note_full_ring();
    end_abandoned();
    return !is_late;
}

bool xenstore_is_connected(void)
{
    return wire.ring.page && wire.ring.state != RING_BROKEN;
}

bool xenstore_is_late(void)
{
    return is_late;
}

int xenstore_connect(void *page, evtchn_port_t port, bool is_new)
{
    int rc = xenstore_ring_open(&wire.ring, page, port, is_new);

    if (!rc)
        forget_connection();
    return rc;
}

void xenstore_disconnect(void)
{
    xenstore_ring_close(&wire.ring);
}

int xenstore_listen(evtchn_port_t port)
{
    return xenstore_ring_listen(&wire.ring, port);
}
