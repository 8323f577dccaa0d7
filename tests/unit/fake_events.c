/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_events.h"

#include "arch/x86/hypercall.h"

#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#define BITS 64

struct fake_events fake_events;

static struct fake_events *const e = &fake_events;

void fake_events_set_time(uint64_t ns)
{
    e->now_ns = ns;
    e->shared->vcpu_info[0].time.system_time = ns;
}

void fake_events_start(struct shared_info *shared)
{
    memset(e, 0, sizeof(*e));
    e->shared = shared;
    memset(shared, 0, sizeof(*shared));
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    fake_events_set_time(1000000000);
}

static bool test_and_set(xen_ulong_t *words, unsigned int bit)
{
    bool was = words[bit / BITS] >> bit % BITS & 1;

    words[bit / BITS] |= (xen_ulong_t)1 << bit % BITS;
    return was;
}

static bool test(const xen_ulong_t *words, unsigned int bit)
{
    return words[bit / BITS] >> bit % BITS & 1;
}

/* The event at @port is pending and not masked: sets the selector bit and upcall_pending. */
static void deliver(evtchn_port_t port)
{
    struct vcpu_info *vcpu = &e->shared->vcpu_info[0];

    if (!test_and_set(&vcpu->evtchn_pending_sel, port / BITS))
        vcpu->evtchn_upcall_pending = 1;
}

void fake_events_raise(evtchn_port_t port)
{
    if (!test_and_set(e->shared->evtchn_pending, port) && !test(e->shared->evtchn_mask, port))
        deliver(port);
}

void fake_events_raise_virq(unsigned int virq)
{
    for (evtchn_port_t port = 1; port < FAKE_NR_PORTS; port++)
        if (e->ports[port].kind == FAKE_VIRQ && e->ports[port].virq == virq)
            fake_events_raise(port);
}

unsigned int fake_events_count(void)
{
    unsigned int n = 0;

    for (evtchn_port_t port = 1; port < FAKE_NR_PORTS; port++)
        n += e->ports[port].kind != FAKE_FREE;
    return n;
}

static long new_port(enum fake_port_kind kind, evtchn_port_t *port)
{
    for (evtchn_port_t p = 1; p < FAKE_NR_PORTS; p++) {
        if (e->ports[p].kind != FAKE_FREE)
            continue;
        e->ports[p] = (struct fake_port){.kind = kind};
        *port = p;
        return 0;
    }
    return -XEN_ENOSPC;
}

evtchn_port_t fake_events_port(void)
{
    evtchn_port_t port;

    if (new_port(FAKE_INTERDOMAIN, &port))
        fail_msg("no port is free");
    return port;
}

static struct fake_port *in_use(evtchn_port_t port)
{
    return port < FAKE_NR_PORTS && e->ports[port].kind != FAKE_FREE ? &e->ports[port] : NULL;
}

static long bind_virq(struct evtchn_bind_virq *bind)
{
    long rc;

    if (bind->virq && bind->virq == e->virq_of_other)
        return -XEN_EBUSY;
    for (evtchn_port_t port = 1; port < FAKE_NR_PORTS; port++)
        if (e->ports[port].kind == FAKE_VIRQ && e->ports[port].virq == bind->virq)
            return -XEN_EEXIST;
    if (bind->vcpu || bind->virq >= NR_VIRQS)
        return -XEN_EINVAL;
    rc = new_port(FAKE_VIRQ, &bind->port);
    if (!rc)
        e->ports[bind->port].virq = bind->virq;
    return rc;
}

static long unmask(evtchn_port_t port)
{
    if (!in_use(port))
        return -XEN_EINVAL;
    if (!test(e->shared->evtchn_mask, port))
        return 0;
    e->shared->evtchn_mask[port / BITS] &= ~((xen_ulong_t)1 << port % BITS);
    if (test(e->shared->evtchn_pending, port))
        deliver(port);
    return 0;
}

static long send_event(evtchn_port_t port)
{
    struct fake_port *p = in_use(port);

    if (!p || p->kind == FAKE_VIRQ)
        return -XEN_EINVAL;
    p->nr_sent++;
    if (p->kind == FAKE_IPI)
        fake_events_raise(port);
    else if (e->sent)
        e->sent(port);
    return 0;
}

static long close_port(evtchn_port_t port)
{
    if (!in_use(port))
        return -XEN_EINVAL;
    e->ports[port].kind = FAKE_FREE;
    e->shared->evtchn_pending[port / BITS] &= ~((xen_ulong_t)1 << port % BITS);
    return 0;
}

long HYPERVISOR_event_channel_op(unsigned int cmd, void *arg)
{
    struct evtchn_bind_ipi *ipi = arg;

    if (fake_fails())
        return fake.fail_with;
    switch (cmd) {
    case EVTCHNOP_bind_virq:
        return bind_virq(arg);
    case EVTCHNOP_bind_ipi:
        return ipi->vcpu ? -XEN_ENOENT : new_port(FAKE_IPI, &ipi->port);
    case EVTCHNOP_unmask:
        return unmask(((struct evtchn_unmask *)arg)->port);
    case EVTCHNOP_send:
        return send_event(((struct evtchn_send *)arg)->port);
    case EVTCHNOP_close:
        return close_port(((struct evtchn_close *)arg)->port);
    }
    return -XEN_ENOSYS;
}

static bool alarm_goes_off(void)
{
    if (!e->alarm_ns || e->alarm_ns > e->now_ns)
        return false;
    e->alarm_ns = 0;
    fake_events_raise_virq(VIRQ_TIMER);
    return true;
}

/* Sleeps, with upcalls unmasked, until an upcall is due. */
static long block(void)
{
    struct vcpu_info *vcpu = &e->shared->vcpu_info[0];
    bool slept = false;

    if (!vcpu->evtchn_upcall_mask)
        fail_msg("SCHEDOP_block with upcalls unmasked before the call: an event could be lost");
    vcpu->evtchn_upcall_mask = 0;
    for (;;) {
        (void)alarm_goes_off();
        if (vcpu->evtchn_upcall_pending)
            break;
        slept = true;
        if (e->idle && e->idle())
            continue;
        if (!e->alarm_ns)
            fail_msg("SCHEDOP_block: no timer is set or VIRQ_TIMER is not bound, the guest would "
                     "never wake");
        fake_events_set_time(e->alarm_ns > e->now_ns ? e->alarm_ns : e->now_ns);
    }
    e->nr_sleeps += slept;
    return 0;
}

static long watchdog(const struct sched_watchdog *w)
{
    if (w->id ? w->id > 1 || !e->watchdog_seconds : !w->timeout)
        return -XEN_EINVAL;
    e->watchdog_seconds = w->timeout;
    return w->id ? 0 : 1;
}

long HYPERVISOR_sched_op(unsigned int cmd, void *arg)
{
    if (fake_fails())
        return fake.fail_with;
    switch (cmd) {
    case SCHEDOP_block:
        return block();
    case SCHEDOP_yield:
        e->nr_yields++;
        if (e->yielded)
            e->yielded();
        return 0;
    case SCHEDOP_poll: /* without ports: only the time ends it */
        if (((const struct sched_poll *)arg)->nr_ports)
            fail_msg("SCHEDOP_poll with ports is not implemented in the fake Xen");
        fake_events_set_time(((const struct sched_poll *)arg)->timeout);
        if (e->yielded)
            e->yielded();
        return 0;
    case SCHEDOP_watchdog:
        return watchdog(arg);
    }
    return -XEN_ENOSYS;
}

long HYPERVISOR_suspend(unsigned int cmd, void *arg, uint64_t start_info_mfn)
{
    const struct sched_shutdown *s = arg;

    if (fake_fails())
        return fake.fail_with;
    if (cmd != SCHEDOP_shutdown || s->reason != SHUTDOWN_suspend)
        fail_msg("sched_op is %u with reason %u, expected SCHEDOP_shutdown for suspend", cmd,
                 s->reason);
    return e->suspend ? e->suspend(start_info_mfn) : -XEN_ENOSYS;
}

long HYPERVISOR_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    if (fake_fails())
        return fake.fail_with;
    if (vcpu)
        return -XEN_ENOENT;
    switch (cmd) {
    case VCPUOP_is_up:
        return 1;
    case VCPUOP_set_singleshot_timer:
        e->alarm_ns = ((struct vcpu_set_singleshot_timer *)arg)->timeout_abs_ns;
        return 0;
    case VCPUOP_get_runstate_info:
        e->running_ns += FAKE_RUNNING_STEP;
        *(struct vcpu_runstate_info *)arg = (struct vcpu_runstate_info){
            .state = RUNSTATE_running,
            .time = {[RUNSTATE_running] = e->running_ns, [RUNSTATE_blocked] = UINT64_MAX},
        };
        return 0;
    }
    return -XEN_ENOSYS;
}

static long console_write(const char *text, size_t len)
{
    size_t takes = e->console_takes && e->console_takes < len ? e->console_takes : len;

    if (e->console_rc)
        return e->console_rc;
    if (takes > sizeof(e->console) - e->console_len)
        fail_msg("CONSOLEIO_write: output is longer than the fake's %zu bytes", sizeof(e->console));
    memcpy(e->console + e->console_len, text, takes);
    e->console_len += takes;
    return e->console_takes ? (long)takes : 0;
}

static long console_read_typed(char *text, size_t size)
{
    size_t len = e->typed ? strnlen(e->typed, size) : 0;

    if (e->console_rc)
        return e->console_rc;
    if (len)
        memcpy(text, e->typed, len);
    e->typed += len;
    return (long)len;
}

long HYPERVISOR_console_io(unsigned int cmd, unsigned int len_bytes, char *text)
{
    if (fake_fails())
        return fake.fail_with;
    return cmd == CONSOLEIO_write  ? console_write(text, len_bytes)
           : cmd == CONSOLEIO_read ? console_read_typed(text, len_bytes)
                                   : -XEN_ENOSYS;
}
