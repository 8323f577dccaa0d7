/* SPDX-License-Identifier: MIT */
/*
 * Without these a leak of ports would show only after days, as a guest that can open none; and an
 * event that comes while its port is masked could be lost. <xen/event_channel.h> says what each
 * operation takes; the errnos of a port that is none, of a VIRQ that is bound and of a domain that
 * has all the ports it may have, are what every backend acts on.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "xen/evtchn.h"

#include "tests/guest/abi_room.h"

#include <xen/errno.h>

/* Of the two-level kind: 64 words of 64 bits. xl gives a domain 1023 of them. */
#define MAX_PORTS 4096

static long close_port(evtchn_port_t port)
{
    struct evtchn_close close = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
}

static long send(evtchn_port_t port)
{
    struct evtchn_send s = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_send, &s);
}

static long unmask(evtchn_port_t port)
{
    struct evtchn_unmask u = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &u);
}

static long open_port(evtchn_port_t *port)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

    *port = alloc.port;
    return rc;
}

/* Opens ports until there are no more, and says why. Their bits are set in @open. */
static long open_all(struct test *t, uint64_t open[MAX_PORTS / 64], unsigned int *nr_open)
{
    unsigned int nr = 0;
    evtchn_port_t port;
    long rc;

    for (rc = open_port(&port); !rc && nr < MAX_PORTS; rc = open_port(&port), nr++) {
        CHECK(port && port < MAX_PORTS, "port %u is none", port);
        CHECK(!(open[port / 64] >> port % 64 & 1), "port %u was given twice", port);
        open[port / 64] |= (uint64_t)1 << port % 64;
    }
    *nr_open = nr;
    return rc;
}

static void close_all(struct test *t, const uint64_t open[MAX_PORTS / 64])
{
    for (evtchn_port_t port = 0; port < MAX_PORTS; port++)
        if (open[port / 64] >> port % 64 & 1)
            CHECK_RC(close_port(port), 0, "closing port %u", port);
}

/* All ports are open: the last one is closed, and is what comes back. */
static void check_full(struct test *t, const uint64_t open[MAX_PORTS / 64], unsigned int nr)
{
    evtchn_port_t last = MAX_PORTS - 1, again;

    CHECK(nr + evtchn_count() >= 1000, "only %u ports could be had", nr);
    while (last && !(open[last / 64] >> last % 64 & 1))
        last--;
    CHECK_RC(close_port(last), 0, "closing port %u", last);
    CHECK_RC(open_port(&again), 0, "a port after one was closed");
    CHECK(again == last, "port %u was closed, and %u is what comes back", last, again);
    CHECK_RC(open_port(&again), -XEN_ENOSPC, "one more");
}

TEST(abi_ports, "ports can be had up to the domain's limit, and one that is closed is free again")
{
    uint64_t open[MAX_PORTS / 64] = {0};
    unsigned int nr;
    long rc;

    if (shim_is_between(t))
        return;

    /* Xen looks for a free port from the first one on: 4,095 of them take a second in QEMU. */
    if (boot_info_is_initdomain(&t->d->boot) && !cmdline_wants_full(&t->d->options)) {
        test_skip(t, "a dom0 may have %u ports, which takes long: test=full", MAX_PORTS - 1);
        return;
    }
    rc = open_all(t, open, &nr);
    if (rc == -ENOMEM) { /* after balloon=max */
        test_skip(t, "Xen has no memory for more than %u ports", nr);
    } else {
        CHECK_RC(rc, -XEN_ENOSPC, "a port past the domain's limit, after %u", nr);
        check_full(t, open, nr);
    }
    close_all(t, open);
}

TEST(abi_bad_ports, "a port, a VIRQ or a vCPU that is none is refused, and so is a second binding")
{
    struct evtchn_bind_virq virq = {.virq = VIRQ_TIMER};
    struct evtchn_bind_ipi ipi = {.vcpu = t->d->host.nr_vcpus};
    struct evtchn_bind_vcpu move = {.vcpu = t->d->host.nr_vcpus};
    struct evtchn_bind_interdomain pair = {.remote_dom = DOMID_SELF, .remote_port = MAX_PORTS + 1};
    evtchn_port_t port;

    if (shim_is_between(t))
        return;

    for (port = MAX_PORTS; port; port <<= 1) { /* far past the end, and at last 2^31 */
        CHECK_RC(send(port), -EINVAL, "an event to port 0x%x", port);
        CHECK_RC(close_port(port), -EINVAL, "closing port 0x%x", port);
        CHECK_RC(unmask(port), -EINVAL, "unmasking port 0x%x", port);
    }
    CHECK_RC(close_port(0), -EINVAL, "closing port 0");
    CHECK_RC(send(0), -EINVAL, "an event to port 0");

    if (open_port(&port)) {
        test_error(t, "no port can be had");
        return;
    }
    CHECK_RC(send(port), 0, "an event to nobody yet"); /* it is dropped */
    CHECK_RC(close_port(port), 0, "closing it");
    CHECK_RC(close_port(port), -EINVAL, "closing it twice");
    CHECK_RC(send(port), -EINVAL, "an event to a port that is closed");

    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -EEXIST, "the timer twice");
    virq.virq = 24; /* NR_VIRQS of <xen/xen.h> */
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -EINVAL, "VIRQ 24");
    virq.virq = VIRQ_DEBUG, virq.vcpu = t->d->host.nr_vcpus;
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &virq), -ENOENT, "a VIRQ of vCPU %u",
             virq.vcpu);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &ipi), -ENOENT, "an IPI to vCPU %u",
             ipi.vcpu);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &move), -ENOENT, "port 0 to vCPU %u",
             move.vcpu);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &pair), -EINVAL,
             "a pair to port 0x%x of our own", pair.remote_port);
}

static void count(void *context)
{
    ++*(unsigned int *)context;
}

TEST(abi_masked, "an event at a masked port stays pending, and comes when it is unmasked")
{
    volatile struct shared_info *shared = t->d->shared;
    volatile uint64_t *mask, *pending;
    unsigned int nr = 0;
    evtchn_port_t port;
    uint64_t bit;

    if (evtchn_bind_ipi(count, &nr, &port)) {
        test_error(t, "no port for an event to ourselves");
        return;
    }
    mask = &shared->evtchn_mask[port / 64], pending = &shared->evtchn_pending[port / 64];
    bit = (uint64_t)1 << port % 64;
    evtchn_dispatch();

    nr = 0;
    __atomic_fetch_or(mask, bit, __ATOMIC_SEQ_CST);
    evtchn_notify(port);
    evtchn_notify(port);
    evtchn_dispatch();
    CHECK(nr == 0, "an event at a masked port was handled");
    CHECK(*pending & bit, "it is not pending");
    CHECK_RC(unmask(port), 0, "unmasking");
    CHECK(!(*mask & bit), "the port is still masked");
    CHECK(shared->vcpu_info[0].evtchn_upcall_pending, "unmasking did not tell us of the event");
    evtchn_dispatch();
    CHECK(nr == 1, "after unmasking it was handled %u times, expected once", nr);
    CHECK(!(*pending & bit), "it is pending still");
    CHECK_RC(unmask(port), 0, "unmasking what is not masked");
    evtchn_dispatch();
    CHECK(nr == 1, "and came again");
    evtchn_close(port);
}
