/* SPDX-License-Identifier: MIT */
/*
 * Interdomain event channels: a port of this domain and a port of another domain.
 *
 * Without these tests Xen could set the pending bit of another port or domain, let a domain bind a
 * port that is meant for a third one, or leave a port bound to a domain that is gone. A driver
 * whose other end closes must find its port unbound, and must be able to use the port again
 * (<xen/event_channel.h>).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "xen/evtchn.h"

#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES 32

static long alloc(domid_t dom, domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    *port = rc ? 0 : op.port;
    return rc;
}

static long bind(domid_t remote, evtchn_port_t remote_port, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = remote_port};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    *port = rc ? 0 : op.local_port;
    return rc;
}

static void close(struct test *t, evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};

    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_close, &op), 0, "EVTCHNOP_close of port %u",
             port);
}

static void reset(const struct peer *p)
{
    struct evtchn_reset op = {.dom = p->id};
    struct test *t = p->t;

    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &op), 0, "EVTCHNOP_reset of domain %u",
             p->id);
}

static void check_state(struct test *t, struct evtchn_status *op, uint32_t state, const char *when)
{
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_status, op), 0,
             "%s: EVTCHNOP_status of port %u of domain %u", when, op->port, op->dom);
    CHECK_EQ(op->status, state, "%s: EVTCHNSTAT_* of port %u of domain %u", when, op->port,
             op->dom);
}

static void check_closed(struct test *t, domid_t dom, evtchn_port_t port, const char *when)
{
    struct evtchn_status op = {.dom = dom, .port = port};

    check_state(t, &op, EVTCHNSTAT_closed, when);
}

static void check_unbound(struct test *t, domid_t dom, evtchn_port_t port, domid_t remote,
                          const char *when)
{
    struct evtchn_status op = {.dom = dom, .port = port};

    check_state(t, &op, EVTCHNSTAT_unbound, when);
    CHECK_EQ(op.u.unbound.dom, remote, "%s: domain that may bind port %u of domain %u", when, port,
             dom);
}

static void check_bound(struct test *t, domid_t dom, evtchn_port_t port, domid_t remote,
                        evtchn_port_t remote_port, const char *when)
{
    struct evtchn_status op = {.dom = dom, .port = port};

    check_state(t, &op, EVTCHNSTAT_interdomain, when);
    CHECK_EQ(op.u.interdomain.dom, remote, "%s: remote domain of port %u of domain %u", when, port,
             dom);
    CHECK_EQ(op.u.interdomain.port, remote_port, "%s: remote port of port %u of domain %u", when,
             port, dom);
}

/* A channel: a port of the peer, and the port of this domain that is bound to it. */
struct channel {
    evtchn_port_t peer, here;
};

/* False: this domain has no free port (the test is skipped), or the test has failed. */
static bool channel_open(const struct peer *p, struct channel *c)
{
    struct test *t = p->t;
    long rc = alloc(p->id, p->self, &c->peer);

    CHECK_RC(rc, 0, "EVTCHNOP_alloc_unbound in domain %u for this domain", p->id);
    if (rc)
        return false;
    check_unbound(t, p->id, c->peer, p->self, "after EVTCHNOP_alloc_unbound");
    rc = bind(p->id, c->peer, &c->here);
    if (rc && ports_are_used_up(t, rc))
        return false;
    CHECK_RC(rc, 0, "EVTCHNOP_bind_interdomain to port %u of domain %u", c->peer, p->id);
    return !rc;
}

static bool open_with_channel(struct peer *p, struct test *t, struct channel *c)
{
    if (t->d->host.has_flask) {
        test_skip(t, "XSM/FLASK denies EVTCHNOP_status and EVTCHNOP_reset");
        return false;
    }
    if (!peer_open(p, t, 1, ROOM_PAGES))
        return false;
    if (channel_open(p, c))
        return true;
    peer_close(p);
    return false;
}

/* shared_info of the peer, mapped writable at a spot; NULL if that failed. */
static volatile struct shared_info *show_shared_info(const struct peer *p, struct spot s)
{
    struct test *t = p->t;
    int rc;

    peer_map(p, s, to_mfn(peer_info_of(p, "new domain").shared_info_frame), PTE_RW);
    rc = probe_write((void *)s.va, 0); /* vcpu_info[0]: nothing is pending yet */
    CHECK_RC(rc, 0, "write to shared_info of domain %u", p->id);
    return rc ? NULL : (volatile struct shared_info *)s.va;
}

static void send(struct test *t, evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_send, &op), 0, "EVTCHNOP_send to port %u", port);
}

static void check_vcpu(const struct peer *p, const volatile struct shared_info *shared,
                       uint64_t selected, const char *when)
{
    struct test *t = p->t;

    CHECK_EQ(shared->vcpu_info[0].evtchn_pending_sel, selected,
             "%s: evtchn_pending_sel of vCPU 0 of domain %u", when, p->id);
    CHECK_EQ(shared->vcpu_info[0].evtchn_upcall_pending, selected != 0,
             "%s: evtchn_upcall_pending of vCPU 0 of domain %u", when, p->id);
}

static void check_send(const struct peer *p, const struct channel *c,
                       const volatile struct shared_info *shared)
{
    uint64_t before = shared->evtchn_pending[0];
    struct test *t = p->t;

    send(t, c->here);
    CHECK_EQ(
        shared->evtchn_pending[0] & ~before, (uint64_t)1 << c->peer,
        "evtchn_pending[0] of domain %u: new bits after EVTCHNOP_send to port %u of this domain",
        p->id, c->here);
}

/* @a is sent while the peer masks all ports, then @b while it masks none. */
static void send_both(const struct peer *p, const struct channel *a, const struct channel *b,
                      volatile struct shared_info *shared)
{
    struct test *t = p->t;

    CHECK_EQ(shared->evtchn_pending[0], 0, "evtchn_pending[0] of domain %u before the first send",
             p->id);
    check_vcpu(p, shared, 0, "before the first send");
    shared->evtchn_mask[0] = UINT64_MAX;
    check_send(p, a, shared);
    check_vcpu(p, shared, 0, "after a send to a masked port");
    shared->evtchn_mask[0] = 0;
    check_send(p, b, shared);
    check_vcpu(p, shared, 1, "after a send to a port that is not masked");
    reset(p);
    CHECK_EQ(shared->evtchn_pending[0], 0, "evtchn_pending[0] of domain %u after EVTCHNOP_reset",
             p->id);
}

/* Xen marks the new port pending: the peer may have sent an event before the bind. */
static void check_pending_here(struct test *t, evtchn_port_t port)
{
    const volatile uint64_t *pending = &t->d->shared->evtchn_pending[port / 64];

    CHECK_EQ(*pending >> port % 64 & 1, 1,
             "pending bit of port %u of this domain after EVTCHNOP_bind_interdomain", port);
}

TEST_RULE(abi_peer_send, "EVTCHNOP_send sets the pending bit of the bound port of the other domain")
{
    volatile struct shared_info *shared;
    struct channel c, second;
    struct spot s;
    struct peer p;

    if (!open_with_channel(&p, t, &c))
        return;
    check_bound(t, p.id, c.peer, p.self, c.here, "after EVTCHNOP_bind_interdomain");
    check_bound(t, p.self, c.here, p.id, c.peer, "after EVTCHNOP_bind_interdomain");
    check_pending_here(t, c.here);
    if (channel_open(&p, &second)) {
        CHECK_EQ(second.peer, c.peer + 1, "second port of domain %u", p.id);
        s = room_spot(&p.room);
        shared = show_shared_info(&p, s);
        if (shared)
            send_both(&p, &second, &c, shared);
        room_drop(&p.room, s);
        close(t, second.here);
    }
    close(t, c.here);
    peer_close(&p);
}

TEST_RULE(abi_peer_reset,
          "EVTCHNOP_reset closes the ports of another domain only while it is paused")
{
    struct evtchn_reset op;
    struct peer_domctl none = {0};
    struct channel c;
    struct peer p;

    if (!open_with_channel(&p, t, &c))
        return;
    op.dom = p.id;
    CHECK_RC(peer_domctl(&p, PEER_UNPAUSE, &none), 0, "XEN_DOMCTL_unpausedomain of domain %u",
             p.id);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &op), -EINVAL,
             "EVTCHNOP_reset of domain %u, which is not paused", p.id);
    check_bound(t, p.id, c.peer, p.self, c.here, "after a refused EVTCHNOP_reset");
    CHECK_RC(peer_domctl(&p, PEER_PAUSE, &none), 0, "XEN_DOMCTL_pausedomain of domain %u", p.id);
    reset(&p);
    check_closed(t, p.id, c.peer, "after EVTCHNOP_reset");
    check_unbound(t, p.self, c.here, p.id, "after EVTCHNOP_reset of the other end");
    close(t, c.here);
    if (channel_open(&p, &c)) {
        reset(&p);
        check_closed(t, p.id, c.peer, "after the second EVTCHNOP_reset");
        close(t, c.here);
    }
    peer_close(&p);
}

TEST_RULE(abi_peer_bind_third,
          "EVTCHNOP_bind_interdomain refuses a port that is not unbound for the calling domain")
{
    evtchn_port_t port, third, highest;
    struct channel c;
    unsigned int nr;
    struct peer p;

    if (!open_with_channel(&p, t, &c))
        return;
    nr = ports_open(&highest);
    CHECK_RC(alloc(p.id, p.id, &third), 0, "EVTCHNOP_alloc_unbound in domain %u for itself", p.id);
    check_unbound(t, p.id, third, p.id, "after EVTCHNOP_alloc_unbound");
    CHECK_RC(bind(p.id, third, &port), -EINVAL,
             "EVTCHNOP_bind_interdomain to port %u of domain %u, unbound for domain %u", third,
             p.id, p.id);
    CHECK_RC(bind(p.id, c.peer, &port), -EINVAL,
             "EVTCHNOP_bind_interdomain to port %u of domain %u, which is bound already", c.peer,
             p.id);
    CHECK_RC(bind(p.id, third + 1, &port), -EINVAL,
             "EVTCHNOP_bind_interdomain to port %u of domain %u, which is closed", third + 1, p.id);
    check_unbound(t, p.id, third, p.id, "after a refused EVTCHNOP_bind_interdomain");
    check_bound(t, p.id, c.peer, p.self, c.here, "after a refused EVTCHNOP_bind_interdomain");
    CHECK_EQ(ports_open(&highest), nr, "number of open ports of this domain after refused binds");
    close(t, c.here);
    peer_close(&p);
}

TEST_RULE(abi_peer_close,
          "a port is unbound for the domain of the other end after that end has closed")
{
    struct channel c;
    evtchn_port_t again;
    struct peer p;

    if (!open_with_channel(&p, t, &c))
        return;
    close(t, c.here);
    check_closed(t, p.self, c.here, "after EVTCHNOP_close");
    check_unbound(t, p.id, c.peer, p.self, "after EVTCHNOP_close of the other end");
    CHECK_RC(bind(p.id, c.peer, &again), 0,
             "EVTCHNOP_bind_interdomain to port %u of domain %u after a close", c.peer, p.id);
    check_bound(t, p.self, again, p.id, c.peer, "after the second bind");
    peer_destroy(&p);
    check_unbound(t, p.self, again, p.id, "after the death of the other domain");
    peer_check_gone(&p, "destroyed while a port of this domain was bound to it");
    send(t, again); /* Xen drops the event */
    close(t, again);
    check_closed(t, p.self, again, "after EVTCHNOP_close of a port whose other end is gone");
    peer_close(&p);
}

TEST_RULE(abi_peer_port_limit,
          "a domain gets its ports up to max_evtchn_port, lowest first, then ENOSPC")
{
    evtchn_port_t port;
    struct channel c;
    struct peer p;

    if (!open_with_channel(&p, t, &c))
        return;
    CHECK_EQ(c.peer, 1, "first port of domain %u", p.id);
    for (unsigned int i = 2; i <= PEER_LAST_PORT; i++) {
        CHECK_RC(alloc(p.id, p.self, &port), 0, "EVTCHNOP_alloc_unbound in domain %u, number %u",
                 p.id, i);
        CHECK_EQ(port, i, "port from EVTCHNOP_alloc_unbound in domain %u, number %u", p.id, i);
    }
    CHECK_RC(alloc(p.id, p.self, &port), -ENOSPC,
             "EVTCHNOP_alloc_unbound in domain %u, whose last port (%u) is open", p.id,
             PEER_LAST_PORT);
    reset(&p);
    check_closed(t, p.id, PEER_LAST_PORT, "after EVTCHNOP_reset");
    check_unbound(t, p.self, c.here, p.id, "after EVTCHNOP_reset of the other end");
    CHECK_RC(alloc(p.id, p.self, &port), 0,
             "EVTCHNOP_alloc_unbound in domain %u after EVTCHNOP_reset", p.id);
    CHECK_EQ(port, 1, "first port of domain %u after EVTCHNOP_reset", p.id);
    close(t, c.here);
    peer_close(&p);
}
