/* SPDX-License-Identifier: MIT */
#include "xen/xenstore_ring.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/cpu.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"

static void on_event(void *context)
{
    (void)context; /* An event only has to end evtchn_wait. */
}

int xenstore_ring_open(struct xenstore_ring *r, void *page, evtchn_port_t port)
{
    int rc = evtchn_listen(port, on_event, NULL);

    if (rc)
        return rc;
    r->page = page;
    r->port = port;
    r->req_prod = r->page->req_prod;
    r->rsp_cons = r->page->rsp_cons;
    r->is_broken = false;
    return 0;
}

void xenstore_ring_close(struct xenstore_ring *r)
{
    r->page = NULL;
}

bool xenstore_ring_is_usable(const struct xenstore_ring *r)
{
    return r->page && !r->is_broken;
}

int xenstore_ring_break(struct xenstore_ring *r, const char *why)
{
    if (!r->is_broken)
        printk(LOG_ERROR, "xenstore: %s; further requests fail with EIO\n", why);
    r->is_broken = true;
    return -EIO;
}

/* How far @producer is ahead of @consumer; more than the ring's size if they make no sense. */
static uint32_t distance(uint32_t producer, uint32_t consumer)
{
    return producer - consumer;
}

long xenstore_ring_send(struct xenstore_ring *r, const char *data, size_t len_bytes)
{
    uint32_t used = distance(r->req_prod, r->page->req_cons), n;

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

long xenstore_ring_receive(struct xenstore_ring *r, char *data, size_t len_bytes)
{
    uint32_t there = distance(r->page->rsp_prod, r->rsp_cons), n;

    if (there > XENSTORE_RING_SIZE)
        return xenstore_ring_break(r,
                                   "xenstored's index rsp_prod is not within 1024 above rsp_cons");
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

int xenstore_ring_wait(struct xenstore_ring *r, uint64_t until_ns)
{
    uint64_t now = clock_ns();

    if (now >= until_ns)
        return xenstore_ring_break(r, "xenstored did not reply in time");
    watchdog_kick(); /* It is xenstored that is slow, not this kernel. */
    evtchn_wait(min_u64(until_ns, now + WATCHDOG_SECONDS * NS_PER_S / 2));
    return 0;
}
