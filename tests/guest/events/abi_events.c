/* SPDX-License-Identifier: MIT */
/*
 * Event channel operations of <xen/event_channel.h>: port limits, invalid arguments, masking.
 *
 * Without these tests a leak of ports would show only after days, when the guest can open no more
 * ports, and an event could be lost that arrives while its port is masked. Drivers act on the errno
 * of an operation on a closed port, on a bound VIRQ, and at the port limit; the tests check these
 * errnos.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "xen/evtchn.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_port.h"

#include <xen/vcpu.h>

/* Opens ports until Xen refuses one, and returns its errno. The bits of the ports are set in @open.
 */
static long open_all(struct test *t, uint64_t open[NR_WORDS], unsigned int *nr_open)
{
    unsigned int nr = 0;
    evtchn_port_t port;
    long rc;

    for (rc = port_unbound(DOMID_SELF, &port); !rc && nr < MAX_PORTS;
         rc = port_unbound(DOMID_SELF, &port), nr++) {
        if (!port || port >= MAX_PORTS) {
            test_fail(t, "EVTCHNOP_alloc_unbound returned port 0x%x, expected in [1, 0x%x)", port,
                      MAX_PORTS);
            break;
        }
        CHECK(!event_bit(open, port),
              "EVTCHNOP_alloc_unbound returned port 0x%x, which was open already, expected a free "
              "port",
              port);
        open[port / 64] |= (uint64_t)1 << port % 64;
    }
    *nr_open = nr;
    return rc;
}

static void close_all(struct test *t, const uint64_t open[NR_WORDS])
{
    for (evtchn_port_t port = 0; port < MAX_PORTS; port++)
        if (event_bit(open, port))
            check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
}

/* All ports are open: each call that opens one fails. (Xen once took -ENOSPC for a port number.) */
static void check_none_left(struct test *t)
{
    evtchn_port_t port;

    CHECK_RC(port_ipi(0, &port), -ENOSPC, "EVTCHNOP_bind_ipi while all ports are open");
    CHECK_RC(port_virq(VIRQ_DEBUG, 0, &port), -ENOSPC,
             "EVTCHNOP_bind_virq of VIRQ_DEBUG while all ports are open");
    CHECK_RC(port_pair(1, &port), -ENOSPC, "EVTCHNOP_bind_interdomain while all ports are open");
}

/* All ports are open. The highest one is closed, and is then the only port that can be opened. */
static void check_full(struct test *t, const uint64_t open[NR_WORDS], unsigned int nr)
{
    evtchn_port_t last = MAX_PORTS - 1, highest, again;
    unsigned int nr_open = ports_open(&highest);

    if (nr_open != PORTS_UNKNOWN) {
        CHECK_EQ(nr_open, nr + evtchn_count(), "number of open ports by EVTCHNOP_status");
        CHECK_EQ(highest, nr + evtchn_count(), "highest open port when all are open");
    }
    check_none_left(t);
    while (last && !event_bit(open, last))
        last--;
    check_port(t, port_close(last), 0, "EVTCHNOP_close", last);
    check_port(t, port_unbound(DOMID_SELF, &again), 0,
               "EVTCHNOP_alloc_unbound after EVTCHNOP_close", last);
    CHECK_EQ(again, last,
             "port from EVTCHNOP_alloc_unbound while only one port, just closed, was free");
    CHECK_RC(port_unbound(DOMID_SELF, &again), -ENOSPC,
             "EVTCHNOP_alloc_unbound while all ports are open");
}

TEST(abi_ports,
     "EVTCHNOP_alloc_unbound and _bind_* fail with ENOSPC if, and only if, all ports are open")
{
    uint64_t open[NR_WORDS] = {0};
    unsigned int nr;
    long rc;

    if (shim_is_between(t))
        return;

    /* Xen searches for a free port from port 1 on: 4,095 calls take a second in QEMU. */
    if (boot_info_is_initdomain(&t->d->boot) && !cmdline_wants_full(&t->d->options)) {
        test_skip(t, "opening all %u ports of a dom0 takes a second in QEMU: needs test=full",
                  MAX_PORTS - 1);
        return;
    }
    rc = open_all(t, open, &nr);
    if (rc == -ENOMEM) {
        test_skip(t, "Xen has no memory for more than %u event channel ports", nr);
    } else if (nr || !ports_are_used_up(t, rc)) {
        CHECK_RC(rc, -ENOSPC, "EVTCHNOP_alloc_unbound after %u successful calls", nr);
        check_full(t, open, nr);
    }
    close_all(t, open);
}

TEST(abi_bad_ports, "EVTCHNOP_send, _close and _unmask of a port that is not open fail with EINVAL")
{
    /* XSM/FLASK refuses EVTCHNOP_send first, if a port of that number has been open before. */
    long no_send = t->d->host.has_flask ? -EPERM : -EINVAL;
    evtchn_port_t port;

    if (shim_is_between(t))
        return;

    for (port = MAX_PORTS; port; port <<= 1) { /* the first number past the limit, up to 2^31 */
        check_port(t, port_send(port), -EINVAL, "EVTCHNOP_send", port);
        check_port(t, port_close(port), -EINVAL, "EVTCHNOP_close", port);
        check_port(t, port_unmask(port), -EINVAL, "EVTCHNOP_unmask", port);
    }
    check_port(t, port_close(0), -EINVAL, "EVTCHNOP_close", 0);
    check_port(t, port_send(0), no_send, "EVTCHNOP_send", 0);

    if (!port_opened(t, port_unbound(DOMID_SELF, &port), "EVTCHNOP_alloc_unbound"))
        return;
    check_port(t, port_send(port), 0, "EVTCHNOP_send on an unbound port (Xen drops the event)",
               port);
    check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
    check_port(t, port_close(port), -EINVAL, "second EVTCHNOP_close", port);
    check_port(t, port_send(port), no_send, "EVTCHNOP_send after EVTCHNOP_close", port);
}

TEST(abi_bad_bind,
     "EVTCHNOP_bind_* refuses each of: a bound VIRQ, an unknown VIRQ, a remote port past the limit")
{
    evtchn_port_t past = MAX_PORTS + 1, port;
    long rc;

    if (shim_is_between(t))
        return;

    CHECK_RC(port_virq(VIRQ_TIMER, 0, &port), -EEXIST, "EVTCHNOP_bind_virq of bound VIRQ_TIMER");
    CHECK_RC(port_virq(NR_VIRQS, 0, &port), -EINVAL, "EVTCHNOP_bind_virq of unknown VIRQ %u",
             NR_VIRQS);
    rc = port_pair(past, &port);
    if (ports_are_used_up(t, rc)) /* Xen looks for a local port first */
        return;
    CHECK_RC(rc, -EINVAL,
             "EVTCHNOP_bind_interdomain to port 0x%x of this domain, past the port limit", past);
}

static void check_vcpu(struct test *t, long rc, const char *step)
{
    CHECK_RC(rc, -ENOENT, "%s, absent vCPU %u", step, t->d->host.nr_vcpus);
}

TEST(abi_no_vcpu,
     "EVTCHNOP_bind_{virq,ipi,vcpu} and VCPUOP_is_up fail with ENOENT for an absent vCPU")
{
    unsigned int vcpu = t->d->host.nr_vcpus;
    evtchn_port_t port;

    if (shim_is_between(t))
        return;

    check_vcpu(t, port_virq(VIRQ_DEBUG, vcpu, &port), "EVTCHNOP_bind_virq of VIRQ_DEBUG");
    check_vcpu(t, port_ipi(vcpu, &port), "EVTCHNOP_bind_ipi");
    check_vcpu(t, port_move(0, vcpu), "EVTCHNOP_bind_vcpu of port 0");
    check_vcpu(t, HYPERVISOR_vcpu_op(VCPUOP_is_up, vcpu, NULL), "VCPUOP_is_up");
}

static void count(void *context)
{
    ++*(unsigned int *)context;
}

TEST(abi_masked, "an event on a masked port is handled only after EVTCHNOP_unmask, exactly once")
{
    volatile struct shared_info *shared = t->d->shared;
    volatile uint64_t *mask, *pending;
    unsigned int nr = 0, shift;
    evtchn_port_t port;

    if (!ipi_open(t, count, &nr, &port))
        return;
    mask = &shared->evtchn_mask[port / 64], pending = &shared->evtchn_pending[port / 64];
    shift = port % 64;
    evtchn_dispatch();

    nr = 0;
    __atomic_fetch_or(mask, (uint64_t)1 << shift, __ATOMIC_SEQ_CST);
    evtchn_notify(port);
    evtchn_notify(port);
    evtchn_dispatch();
    CHECK_EQ(nr, 0, "number of handler runs of masked port 0x%x", port);
    CHECK_EQ(*pending >> shift & 1, 1, "pending bit of masked port 0x%x after EVTCHNOP_send", port);
    check_port(t, port_unmask(port), 0, "EVTCHNOP_unmask", port);
    CHECK_EQ(*mask >> shift & 1, 0, "mask bit of port 0x%x after EVTCHNOP_unmask", port);
    CHECK_EQ(shared->vcpu_info[0].evtchn_upcall_pending, 1,
             "after EVTCHNOP_unmask of pending port 0x%x: vcpu_info[0].evtchn_upcall_pending",
             port);
    evtchn_dispatch();
    CHECK_EQ(nr, 1, "number of handler runs after the first EVTCHNOP_unmask of port 0x%x", port);
    CHECK_EQ(*pending >> shift & 1, 0, "pending bit of port 0x%x after its handler ran", port);
    check_port(t, port_unmask(port), 0, "second EVTCHNOP_unmask", port);
    evtchn_dispatch();
    CHECK_EQ(nr, 1,
             "total handler runs after a second EVTCHNOP_unmask, with no new event, of port 0x%x",
             port);
    evtchn_close(port);
}
