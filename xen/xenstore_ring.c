/* SPDX-License-Identifier: MIT */
#include "xen/xenstore_ring.h"

#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"

#include "arch/x86/cpu.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"

/* The maximum number of new connections: a xenstored that breaks each of them is given up. */
#define MAX_RECONNECTS 16

static void on_event(void *context)
{
    (void)context; /* An event only has to end evtchn_wait. */
}

int xenstore_ring_listen(struct xenstore_ring *r, evtchn_port_t port)
{
    int rc = evtchn_listen(port, on_event, NULL);

    if (!rc)
        r->port = port;
    return rc;
}

static void follow_page(struct xenstore_ring *r)
{
    r->req_prod = r->page->req_prod;
    r->rsp_cons = r->page->rsp_cons;
    r->was_full = false;
}

int xenstore_ring_open(struct xenstore_ring *r, void *page, evtchn_port_t port, bool is_new)
{
    int rc = xenstore_ring_listen(r, port);

    if (rc)
        return rc;
    r->page = page;
    if (is_new) {
        r->page->req_prod = r->page->req_cons;
        r->page->rsp_cons = r->page->rsp_prod;
    }
    follow_page(r);
    r->nr_reconnects = 0;
    r->state = RING_CONNECTED;
    /* 1 before this domain has asked for it: xenstored has not started yet. */
    if (r->page->connection == XENSTORE_RECONNECT &&
        (!is_new || r->page->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION))
        r->state = RING_RECONNECTING;
    r->error = is_new ? r->page->error : XENSTORE_ERROR_NONE;
    return 0;
}

void xenstore_ring_close(struct xenstore_ring *r)
{
    r->page = NULL;
}

int xenstore_ring_break(struct xenstore_ring *r, const char *why)
{
    if (r->page->server_features & XENSTORE_SERVER_FEATURE_RECONNECTION &&
        r->nr_reconnects < MAX_RECONNECTS) {
        printk(LOG_ERROR, "xenstore: %s; this domain asks xenstored for a new connection\n", why);
        r->state = RING_RECONNECTING;
        r->nr_reconnects++;
        r->page->connection = XENSTORE_RECONNECT;
        evtchn_notify(r->port);
    } else {
        printk(LOG_ERROR, "xenstore: %s; all further xenstore requests fail with EIO\n", why);
        r->state = RING_BROKEN;
    }
    return -EIO;
}

bool xenstore_ring_reconnected(struct xenstore_ring *r)
{
    if (r->state != RING_RECONNECTING || r->page->connection != XENSTORE_CONNECTED)
        return false;
    barrier(); /* connection is read before the indices that xenstored has set */
    follow_page(r);
    r->state = RING_CONNECTED;
    return true;
}

/* How far @producer is ahead of @consumer; more than the ring's size if they make no sense. */
static uint32_t distance(uint32_t producer, uint32_t consumer)
{
    return producer - consumer;
}

long xenstore_ring_send(struct xenstore_ring *r, const char *data, size_t len_bytes)
{
    uint32_t used = distance(r->req_prod, r->page->req_cons), n;

    if (r->state != RING_CONNECTED)
        return -EIO;
    if (used > XENSTORE_RING_SIZE)
        return xenstore_ring_break(r,
                                   "xenstored's index req_cons is not within 1024 below req_prod");
    n = (uint32_t)min_u64(XENSTORE_RING_SIZE - used, len_bytes);
    for (uint32_t i = 0; i < n; i++)
        r->page->req[MASK_XENSTORE_IDX(r->req_prod + i)] = data[i];
    store_barrier(); /* xenstored reads the bytes once req_prod shows them */
    r->req_prod += n;
    r->page->req_prod = r->req_prod;
    if (n)
        evtchn_notify(r->port);
    return n;
}

/* -EIO if xenstored reports that it has ended the connection. */
static int check_error(struct xenstore_ring *r)
{
    char why[64];
    uint32_t error = r->page->error;

    if (!(r->page->server_features & XENSTORE_SERVER_FEATURE_ERROR) || error == r->error)
        return 0;
    r->error = error;
    if (error == XENSTORE_ERROR_NONE)
        return 0;
    format(why, sizeof(why), "xenstored has ended the connection: error %u", error);
    return xenstore_ring_break(r, why);
}

long xenstore_ring_receive(struct xenstore_ring *r, char *data, size_t len_bytes)
{
    uint32_t there = distance(r->page->rsp_prod, r->rsp_cons), n;

    if (r->state != RING_CONNECTED)
        return -EIO;
    if (there > XENSTORE_RING_SIZE)
        return xenstore_ring_break(r,
                                   "xenstored's index rsp_prod is not within 1024 above rsp_cons");
    if (there == 0)
        return check_error(r);
    r->was_full |= there == XENSTORE_RING_SIZE;
    n = (uint32_t)min_u64(there, len_bytes);
    barrier(); /* rsp_prod is read before the bytes that it shows */
    for (uint32_t i = 0; i < n; i++)
        data[i] = r->page->rsp[MASK_XENSTORE_IDX(r->rsp_cons + i)];
    store_barrier(); /* xenstored overwrites the bytes once rsp_cons gives them back */
    r->rsp_cons += n;
    r->page->rsp_cons = r->rsp_cons;
    if (n)
        evtchn_notify(r->port);
    return n;
}

int xenstore_ring_wait(uint64_t until_ns)
{
    uint64_t now = clock_ns();

    if (now >= until_ns)
        return -ETIMEDOUT;
    watchdog_kick(); /* It is xenstored that is slow, not this kernel. */
    evtchn_wait(min_u64(until_ns, now + WATCHDOG_SECONDS * NS_PER_S / 2));
    return 0;
}
