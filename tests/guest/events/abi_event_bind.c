/* SPDX-License-Identifier: MIT */
/*
 * The kinds of event channels of <xen/event_channel.h>: VIRQs, IPIs, unbound ports and pairs. What
 * each is bound to, what EVTCHNOP_status tells of it, and what EVTCHNOP_close undoes.
 *
 * Without these tests a VIRQ could stay bound after its port was closed: a driver that is loaded
 * again would find it in use. A tool would be told a wrong vCPU or remote port, and an event could
 * arrive at the wrong end of a pair, or at a vCPU from which the port was moved away.
 */
#include "tests/guest/events/abi_port.h"

#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/host.h"

#include "tests/guest/abi_room.h"

/* <xen/xen.h>: the comments "V." say which VIRQs are per vCPU. All others are global. */
static bool is_per_vcpu(unsigned int virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

static void check_closed(struct test *t, evtchn_port_t port)
{
    struct evtchn_status closed = {.status = EVTCHNSTAT_closed};

    check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
    check_port_status(t, "closed", port, &closed);
}

static void check_virq_status(struct test *t, evtchn_port_t port, unsigned int virq,
                              unsigned int vcpu)
{
    struct evtchn_status bound = {.status = EVTCHNSTAT_virq, .vcpu = vcpu, .u.virq = virq};

    check_port_status(t, "bound to a VIRQ", port, &bound);
}

/*
 * Is @virq of @vcpu one that this test may bind? The kernel holds two. Since Xen 4.21 a global VIRQ
 * belongs to one domain, and another one gets -EBUSY.
 */
static bool may_bind(struct test *t, unsigned int virq, unsigned int vcpu, long rc)
{
    if (vcpu == 0 && (virq == VIRQ_TIMER || virq == VIRQ_CONSOLE) && rc == -EEXIST)
        return false;
    if (!is_per_vcpu(virq) && rc == -EBUSY && !boot_info_is_initdomain(&t->d->boot))
        return false;
    return !t->d->host.has_flask || rc != -EACCES;
}

/* Bind, bind again while bound if @twice (Xen logs the refusal), close, bind, close. */
static bool try_virq(struct test *t, unsigned int virq, unsigned int vcpu, bool twice)
{
    evtchn_port_t port, other;
    long rc = port_virq(virq, vcpu, &port);

    if (!may_bind(t, virq, vcpu, rc))
        return true;
    if (ports_are_used_up(t, rc))
        return false;
    CHECK_RC(rc, 0, "EVTCHNOP_bind_virq of VIRQ %u, vCPU %u", virq, vcpu);
    if (rc)
        return false;
    check_virq_status(t, port, virq, vcpu);
    if (twice)
        CHECK_RC(port_virq(virq, vcpu, &other), -EEXIST,
                 "second EVTCHNOP_bind_virq of VIRQ %u, vCPU %u", virq, vcpu);
    check_port(t, port_send(port), -EINVAL, "EVTCHNOP_send to a port that is bound to a VIRQ",
               port);
    check_closed(t, port);
    rc = port_virq(virq, vcpu, &port);
    CHECK_RC(rc, 0, "EVTCHNOP_bind_virq of VIRQ %u, vCPU %u, after EVTCHNOP_close", virq, vcpu);
    if (rc)
        return false;
    check_virq_status(t, port, virq, vcpu);
    check_closed(t, port);
    return true;
}

TEST_RULE(abi_virq_rebind, "each VIRQ of each vCPU can be bound again after EVTCHNOP_close")
{
    evtchn_port_t port;

    if (shim_is_between(t))
        return;
    events_quiet(t); /* masked, a VIRQ that arrives meanwhile leaves no selector bit behind */
    for (unsigned int virq = 0; virq < NR_VIRQS; virq++) {
        if (!try_virq(t, virq, 0, virq == VIRQ_DEBUG || virq == VIRQ_DOM_EXC))
            break;
        for (unsigned int vcpu = 1; vcpu < event_vcpus(t); vcpu++)
            if (is_per_vcpu(virq))
                (void)try_virq(t, virq, vcpu, false);
            else
                CHECK_RC(port_virq(virq, vcpu, &port), -EINVAL,
                         "EVTCHNOP_bind_virq of global VIRQ %u on vCPU %u", virq, vcpu);
    }
    events_restore(t);
}

TEST_RULE(abi_ipi_rebind,
          "each vCPU can have several IPIs, and EVTCHNOP_status names the vCPU of each")
{
    struct evtchn_status bound = {.status = EVTCHNSTAT_ipi};
    evtchn_port_t first, second;

    if (shim_is_between(t))
        return;
    for (unsigned int vcpu = 0; vcpu < event_vcpus(t); vcpu++) {
        bound.vcpu = vcpu;
        if (!port_opened(t, port_ipi(vcpu, &first), "EVTCHNOP_bind_ipi"))
            return;
        if (port_opened(t, port_ipi(vcpu, &second), "second EVTCHNOP_bind_ipi of the vCPU")) {
            CHECK(first != second,
                  "two calls of EVTCHNOP_bind_ipi, vCPU %u: both returned port 0x%x, expected two "
                  "ports",
                  vcpu, first);
            check_port_status(t, "an IPI", second, &bound);
            check_closed(t, second);
        }
        check_port_status(t, "an IPI", first, &bound);
        check_closed(t, first);
    }
}

/* EVTCHNOP_bind_vcpu of @port to each vCPU. @movable: the port may be moved; it was on @vcpu. */
static void try_move(struct test *t, evtchn_port_t port, bool movable, const char *what,
                     struct evtchn_status *status)
{
    for (unsigned int v = event_vcpus(t); v-- > 0;) {
        CHECK_RC(port_move(port, v), movable ? 0 : -EINVAL,
                 "EVTCHNOP_bind_vcpu of port 0x%x, %s, to vCPU %u", port, what, v);
        if (movable)
            status->vcpu = v;
        check_port_status(t, what, port, status);
    }
    /* Closed and opened again, the port notifies vCPU 0, as <xen/event_channel.h> says. */
    if (movable && event_vcpus(t) > 1)
        check_port(t, port_move(port, 1), 0, "EVTCHNOP_bind_vcpu to vCPU 1", port);
}

TEST_RULE(abi_bind_vcpu,
          "EVTCHNOP_bind_vcpu moves unbound ports and global VIRQs, and refuses IPIs and "
          "VIRQs of a vCPU")
{
    struct evtchn_status unbound = {.status = EVTCHNSTAT_unbound, .u.unbound.dom = host_domid()};
    struct evtchn_status global = {.status = EVTCHNSTAT_virq, .u.virq = VIRQ_TBUF};
    struct evtchn_status debug = {.status = EVTCHNSTAT_virq, .u.virq = VIRQ_DEBUG};
    struct evtchn_status ipi = {.status = EVTCHNSTAT_ipi};
    evtchn_port_t port;

    if (shim_is_between(t))
        return;
    for (unsigned int turn = 0; turn < 2; turn++) { /* after the first, the port was on vCPU 1 */
        unbound.vcpu = 0;
        if (!port_opened(t, port_unbound(DOMID_SELF, &port), "EVTCHNOP_alloc_unbound"))
            return;
        check_port_status(t, "unbound, just opened", port, &unbound);
        try_move(t, port, true, "unbound", &unbound);
        check_closed(t, port);
    }
    if (port_opened(t, port_ipi(0, &port), "EVTCHNOP_bind_ipi")) {
        try_move(t, port, false, "an IPI of vCPU 0", &ipi);
        check_closed(t, port);
    }
    if (port_opened(t, port_virq(VIRQ_DEBUG, 0, &port), "EVTCHNOP_bind_virq of VIRQ_DEBUG")) {
        try_move(t, port, false, "VIRQ_DEBUG of vCPU 0", &debug);
        check_closed(t, port);
    }
    if (!port_virq(VIRQ_TBUF, 0, &port)) { /* another domain may have it: abi_virq_rebind */
        try_move(t, port, true, "VIRQ_TBUF", &global);
        check_closed(t, port);
    }
}
