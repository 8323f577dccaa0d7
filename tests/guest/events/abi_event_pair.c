/* SPDX-License-Identifier: MIT */
/*
 * Two ports of this domain that are connected (EVTCHNOP_bind_interdomain with DOMID_SELF): a
 * loopback connection, which <xen/event_channel.h> allows.
 *
 * A frontend and a backend talk over such a pair. Without this test an event could come back to its
 * sender, a second backend could connect to a port that is in use, or the port of a frontend could
 * not be connected again after its backend was restarted: "If the channel is interdomain then the
 * remote end is placed in the unbound state (EVTCHNSTAT_unbound), awaiting a new connection".
 */
#include "tests/guest/events/abi_port.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "xen/host.h"

#include "tests/guest/abi_room.h"

/* A pair of ports, and what the test expects in shared_info. */
struct pair {
    struct test *t;
    struct events e;
    evtchn_port_t a, b; /* @b was opened first, unbound */
    unsigned int vcpu_a, vcpu_b;
    domid_t self;
};

static void check_end(struct pair *p, const char *when, evtchn_port_t port, unsigned int vcpu,
                      evtchn_port_t remote)
{
    struct evtchn_status end = {
        .status = EVTCHNSTAT_interdomain,
        .vcpu = vcpu,
        .u.interdomain = {.dom = p->self, .port = remote},
    };

    check_port_status(p->t, when, port, &end);
}

static void check_ends(struct pair *p, const char *when)
{
    check_end(p, when, p->a, p->vcpu_a, p->b);
    check_end(p, when, p->b, p->vcpu_b, p->a);
}

/* "EVTCHNOP_bind_interdomain always sets the local event channel pending." */
static bool connect(struct pair *p, const char *step)
{
    if (!port_opened(p->t, port_pair(p->b, &p->a), step))
        return false;
    p->vcpu_a = 0;
    event_expect_send(&p->e, p->a, p->vcpu_a);
    events_check(p->t, &p->e, step, p->a);
    event_ack(p->t, &p->e, p->a, p->vcpu_a);
    check_ends(p, step);
    return true;
}

static void send(struct pair *p, evtchn_port_t from, evtchn_port_t to, unsigned int vcpu)
{
    check_port(p->t, port_send(from), 0, "EVTCHNOP_send", from);
    event_expect_send(&p->e, to, vcpu);
    events_check(p->t, &p->e,
                 "EVTCHNOP_send from this port of a pair, which notifies the remote port", from);
    event_ack(p->t, &p->e, to, vcpu);
}

static void send_both_ways(struct pair *p)
{
    send(p, p->a, p->b, p->vcpu_b);
    send(p, p->b, p->a, p->vcpu_a);
}

static void try_pair(struct pair *p)
{
    struct evtchn_status unbound = {.status = EVTCHNSTAT_unbound, .u.unbound.dom = p->self};
    struct test *t = p->t;
    evtchn_port_t other;
    long rc;

    check_port(t, port_send(p->b), 0, "EVTCHNOP_send to an unbound port, which drops it", p->b);
    events_check(t, &p->e, "EVTCHNOP_send to an unbound port", p->b);
    if (!connect(p, "EVTCHNOP_bind_interdomain"))
        return;
    event_mask(t, &p->e, p->a, false);
    event_mask(t, &p->e, p->b, false);
    send_both_ways(p);
    rc = port_pair(p->b, &other);
    if (rc != -ENOSPC) /* Xen looks for a free port first */
        check_port(t, rc, -EINVAL, "EVTCHNOP_bind_interdomain to a port that is connected already",
                   p->b);
    p->vcpu_a = event_vcpus(t) - 1;
    check_port(t, port_move(p->a, p->vcpu_a), 0, "EVTCHNOP_bind_vcpu of the first port of a pair",
               p->a);
    check_ends(p, "after EVTCHNOP_bind_vcpu of the first port of a pair");
    send_both_ways(p);
    p->vcpu_b = event_vcpus(t) - 1;
    check_port(t, port_move(p->b, p->vcpu_b), 0, "EVTCHNOP_bind_vcpu of the second port of a pair",
               p->b);
    send_both_ways(p);

    /* Both ends are pending. Only the bit of the end that is closed is cleared. */
    event_mask(t, &p->e, p->a, true);
    check_port(t, port_send(p->a), 0, "EVTCHNOP_send", p->a);
    check_port(t, port_send(p->b), 0, "EVTCHNOP_send to a masked port", p->b);
    check_port(t, port_close(p->a), 0, "EVTCHNOP_close of one end", p->a);
    event_expect_send(&p->e, p->b, p->vcpu_b);
    events_check(t, &p->e, "EVTCHNOP_close of one end of a pair, both ends pending", p->a);
    event_ack(t, &p->e, p->b, p->vcpu_b);
    unbound.vcpu = p->vcpu_b;
    check_port_status(t, "after EVTCHNOP_close of the other port of the pair", p->b, &unbound);
    check_port(t, port_send(p->b), 0, "EVTCHNOP_send to a port whose other end was closed", p->b);
    events_check(t, &p->e, "EVTCHNOP_send to a port whose other end was closed", p->b);
    if (connect(p, "EVTCHNOP_bind_interdomain after the other end was closed")) {
        event_mask(t, &p->e, p->a, false);
        send_both_ways(p);
        event_mask(t, &p->e, p->a, true);
        check_port(t, port_close(p->a), 0, "EVTCHNOP_close of the new end", p->a);
    }
    event_mask(t, &p->e, p->b, true);
}

TEST_RULE(abi_event_pair,
          "an event sent to one port of a loopback pair arrives at the other port only")
{
    struct pair p = {.t = t, .self = host_domid()};

    if (shim_is_between(t))
        return;
    if (!port_opened(t, port_unbound(DOMID_SELF, &p.b), "EVTCHNOP_alloc_unbound"))
        return;
    events_quiet(t);
    events_read(t, &p.e);
    try_pair(&p);
    check_port(t, port_close(p.b), 0, "EVTCHNOP_close of the last end", p.b);
    events_restore(t);
}

TEST_RULE(abi_event_pair_remote,
          "EVTCHNOP_bind_interdomain refuses a port that waits for another domain")
{
    evtchn_port_t port, other;
    struct events e;
    long rc;

    if (shim_is_between(t))
        return;
    rc = port_unbound(NO_DOMAIN, &port);
    if (rc == -ESRCH || (rc && t->d->host.has_flask)) {
        test_skip(t, "Xen opens no port for a domain that does not exist");
        return;
    }
    if (!port_opened(t, rc, "EVTCHNOP_alloc_unbound for a domain that does not exist"))
        return;
    events_quiet(t);
    events_read(t, &e);
    rc = port_pair(port, &other);
    if (rc != -ENOSPC) /* Xen looks for a free port first */
        check_port(t, rc, -EINVAL, "EVTCHNOP_bind_interdomain to a port for another domain", port);
    if (!rc)
        check_port(t, port_close(other), 0, "EVTCHNOP_close", other);
    events_check(t, &e, "EVTCHNOP_bind_interdomain to a port for another domain", port);
    check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
    events_restore(t);
}
