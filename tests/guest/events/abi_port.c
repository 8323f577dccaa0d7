/* SPDX-License-Identifier: MIT */
#include "tests/guest/events/abi_port.h"

#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#define MAX_HELD 4 /* ports that a test holds when it asks for another one */

long port_unbound(domid_t remote, evtchn_port_t *port)
{
    struct evtchn_alloc_unbound arg = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &arg);

    *port = arg.port;
    return rc;
}

long port_ipi(unsigned int vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_ipi arg = {.vcpu = vcpu};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &arg);

    *port = arg.port;
    return rc;
}

long port_virq(unsigned int virq, unsigned int vcpu, evtchn_port_t *port)
{
    struct evtchn_bind_virq arg = {.virq = virq, .vcpu = vcpu};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &arg);

    *port = arg.port;
    return rc;
}

long port_pair(evtchn_port_t remote, evtchn_port_t *port)
{
    struct evtchn_bind_interdomain arg = {.remote_dom = DOMID_SELF, .remote_port = remote};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &arg);

    *port = arg.local_port;
    return rc;
}

long port_close(evtchn_port_t port)
{
    struct evtchn_close arg = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_close, &arg);
}

long port_send(evtchn_port_t port)
{
    struct evtchn_send arg = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_send, &arg);
}

long port_unmask(evtchn_port_t port)
{
    struct evtchn_unmask arg = {.port = port};

    return HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &arg);
}

long port_move(evtchn_port_t port, unsigned int vcpu)
{
    struct evtchn_bind_vcpu arg = {.port = port, .vcpu = vcpu};

    return HYPERVISOR_event_channel_op(EVTCHNOP_bind_vcpu, &arg);
}

/* Are all ports that Xen allows open: those of the kernel, and a few of a test? */
static bool is_full(struct test *t, long rc)
{
    evtchn_port_t highest;
    unsigned int nr = rc == -ENOSPC ? ports_open(&highest) : 0;

    if (nr == 0 || nr == PORTS_UNKNOWN || nr != highest || nr > evtchn_count() + MAX_HELD)
        return false;
    test_skip(t, "Xen allows this domain only %u event channels, the test needs %u or more",
              highest, highest + 1);
    return true;
}

bool port_opened(struct test *t, long rc, const char *step)
{
    if (rc && !ports_are_used_up(t, rc) && !is_full(t, rc))
        CHECK_RC(rc, 0, "%s", step);
    return !rc;
}

void check_port_status(struct test *t, const char *what, evtchn_port_t port,
                       const struct evtchn_status *expected)
{
    struct evtchn_status s = {.dom = DOMID_SELF, .port = port, .status = 77, .vcpu = 77};

    if (t->d->host.has_flask)
        return;
    s.u.interdomain.dom = 7777;
    s.u.interdomain.port = 7777;
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_status, &s), 0,
             "EVTCHNOP_status of port 0x%x, %s", port, what);
    CHECK_EQ(s.status, expected->status, "EVTCHNOP_status of port 0x%x, %s: status", port, what);
    CHECK_EQ(s.vcpu, expected->vcpu, "EVTCHNOP_status of port 0x%x, %s: vcpu", port, what);
    if (expected->status == EVTCHNSTAT_virq)
        CHECK_EQ(s.u.virq, expected->u.virq, "EVTCHNOP_status of port 0x%x, %s: u.virq", port,
                 what);
    if (expected->status == EVTCHNSTAT_unbound)
        CHECK_EQ(s.u.unbound.dom, expected->u.unbound.dom,
                 "EVTCHNOP_status of port 0x%x, %s: u.unbound.dom", port, what);
    if (expected->status == EVTCHNSTAT_interdomain) {
        CHECK_EQ(s.u.interdomain.dom, expected->u.interdomain.dom,
                 "EVTCHNOP_status of port 0x%x, %s: u.interdomain.dom", port, what);
        CHECK_EQ(s.u.interdomain.port, expected->u.interdomain.port,
                 "EVTCHNOP_status of port 0x%x, %s: u.interdomain.port", port, what);
    }
}

void check_port(struct test *t, long rc, long expected, const char *step, evtchn_port_t port)
{
    CHECK_RC(rc, expected, "%s, port 0x%x", step, port);
}

/* The kernel's ports: they were unmasked when events_quiet began. */
static uint64_t of_kernel[NR_WORDS];

static volatile struct shared_info *shared_of(const struct test *t)
{
    return t->d->shared;
}

unsigned int event_vcpus(const struct test *t)
{
    return (unsigned int)min_u64(t->d->host.nr_vcpus, MAX_EVENT_VCPUS);
}

void events_quiet(struct test *t)
{
    volatile struct shared_info *shared = shared_of(t);

    evtchn_dispatch();
    for (unsigned int w = 0; w < NR_WORDS; w++)
        of_kernel[w] = ~__atomic_exchange_n(&shared->evtchn_mask[w], UINT64_MAX, __ATOMIC_SEQ_CST);
    /* What came between the two lines stays pending, for events_restore. */
    shared->vcpu_info[0].evtchn_upcall_pending = 0;
    __atomic_store_n(&shared->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
}

void events_restore(struct test *t)
{
    for (unsigned int w = 0; w < NR_WORDS; w++)
        for (uint64_t bits = of_kernel[w]; bits; bits &= bits - 1)
            check_port(t, port_unmask(w * 64 + (evtchn_port_t)__builtin_ctzll(bits)), 0,
                       "EVTCHNOP_unmask of a port of the kernel",
                       w * 64 + (evtchn_port_t)__builtin_ctzll(bits));
    evtchn_dispatch();
}

void events_read(struct test *t, struct events *e)
{
    volatile struct shared_info *shared = shared_of(t);

    memset(e, 0, sizeof(*e));
    for (unsigned int w = 0; w < NR_WORDS; w++) {
        e->pending[w] = shared->evtchn_pending[w] & ~of_kernel[w];
        e->mask[w] = shared->evtchn_mask[w];
    }
    for (unsigned int v = 0; v < event_vcpus(t); v++) {
        e->vcpu[v].selector = shared->vcpu_info[v].evtchn_pending_sel;
        e->vcpu[v].upcall = shared->vcpu_info[v].evtchn_upcall_pending;
    }
}

static void check_words(struct test *t, const char *name, const uint64_t *found,
                        const uint64_t *expected, const char *step, evtchn_port_t port)
{
    for (unsigned int w = 0; w < NR_WORDS; w++)
        CHECK_EQ(found[w], expected[w], "%s, port 0x%x: word %u of shared_info.%s", step, port, w,
                 name);
}

void events_check(struct test *t, const struct events *expected, const char *step,
                  evtchn_port_t port)
{
    struct events found;

    events_read(t, &found);
    check_words(t, "evtchn_pending", found.pending, expected->pending, step, port);
    check_words(t, "evtchn_mask", found.mask, expected->mask, step, port);
    for (unsigned int v = 0; v < event_vcpus(t); v++) {
        CHECK_EQ(found.vcpu[v].selector, expected->vcpu[v].selector,
                 "%s, port 0x%x: vcpu_info[%u].evtchn_pending_sel", step, port, v);
        CHECK_EQ(found.vcpu[v].upcall, expected->vcpu[v].upcall,
                 "%s, port 0x%x: vcpu_info[%u].evtchn_upcall_pending", step, port, v);
    }
}

static uint64_t bit_of(evtchn_port_t port)
{
    return (uint64_t)1 << port % 64;
}

bool event_bit(const uint64_t *words, evtchn_port_t port)
{
    return words[port / 64] & bit_of(port);
}

bool port_is_pending(const struct test *t, evtchn_port_t port)
{
    return shared_of(t)->evtchn_pending[port / 64] & bit_of(port);
}

void event_mask(struct test *t, struct events *e, evtchn_port_t port, bool masked)
{
    volatile uint64_t *word = &shared_of(t)->evtchn_mask[port / 64];

    if (masked) {
        __atomic_fetch_or(word, bit_of(port), __ATOMIC_SEQ_CST);
        e->mask[port / 64] |= bit_of(port);
    } else {
        __atomic_fetch_and(word, ~bit_of(port), __ATOMIC_SEQ_CST);
        e->mask[port / 64] &= ~bit_of(port);
    }
}

void event_ack(struct test *t, struct events *e, evtchn_port_t port, unsigned int vcpu)
{
    volatile struct shared_info *shared = shared_of(t);

    shared->vcpu_info[vcpu].evtchn_upcall_pending = 0;
    __atomic_store_n(&shared->vcpu_info[vcpu].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
    __atomic_fetch_and(&shared->evtchn_pending[port / 64], ~bit_of(port), __ATOMIC_SEQ_CST);
    e->vcpu[vcpu].upcall = false;
    e->vcpu[vcpu].selector = 0;
    event_expect_close(e, port);
}

static void expect_notify(struct events *e, evtchn_port_t port, unsigned int vcpu)
{
    uint64_t bit = (uint64_t)1 << port / 64;

    if (event_bit(e->mask, port) || !event_bit(e->pending, port) || e->vcpu[vcpu].selector & bit)
        return;
    e->vcpu[vcpu].selector |= bit;
    e->vcpu[vcpu].upcall = true;
}

void event_expect_send(struct events *e, evtchn_port_t port, unsigned int vcpu)
{
    if (event_bit(e->pending, port))
        return;
    e->pending[port / 64] |= bit_of(port);
    expect_notify(e, port, vcpu);
}

void event_expect_unmask(struct events *e, evtchn_port_t port, unsigned int vcpu)
{
    if (!event_bit(e->mask, port))
        return;
    e->mask[port / 64] &= ~bit_of(port);
    expect_notify(e, port, vcpu);
}

void event_expect_close(struct events *e, evtchn_port_t port)
{
    e->pending[port / 64] &= ~bit_of(port);
}
