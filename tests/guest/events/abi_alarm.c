/* SPDX-License-Identifier: MIT */
#include "tests/guest/events/abi_alarm.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#define MAX_TRIES  4
#define MAX_YIELDS 10

long alarm_set(uint64_t at_ns, uint32_t flags)
{
    struct vcpu_set_singleshot_timer arg = {.timeout_abs_ns = at_ns, .flags = flags};

    return HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &arg);
}

long alarm_stop(void)
{
    return HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
}

uint32_t clock_version(const struct test *t)
{
    return ((volatile struct shared_info *)t->d->shared)->vcpu_info[0].time.version;
}

uint64_t clock_early_ns(const struct test *t, uint64_t at_ns, uint32_t version)
{
    uint64_t now = clock_ns();

    return now + SLACK_NS < at_ns && clock_version(t) == version ? at_ns - now : 0;
}

struct reading clock_read(const volatile struct vcpu_time_info *record)
{
    struct reading r;

    do {
        r.version = record->version;
        barrier();
        r.ns = clock_of(record);
        barrier();
    } while (record->version != r.version);
    return r;
}

bool alarm_fired(const struct alarm *a)
{
    return port_is_pending(a->t, a->port);
}

void alarm_drop(struct alarm *a)
{
    event_ack(a->t, &a->e, a->port, 0);
}

long poll_ports(const evtchn_port_t *ports, unsigned int nr, uint64_t until_ns)
{
    struct sched_poll arg = {.nr_ports = nr, .timeout = until_ns};

    set_xen_guest_handle(arg.ports, (evtchn_port_t *)(uintptr_t)ports);
    return HYPERVISOR_sched_op(SCHEDOP_poll, &arg);
}

bool alarm_wait(struct alarm *a, uint64_t until_ns)
{
    struct test *t = a->t;

    while (!alarm_fired(a) && clock_ns() < until_ns) {
        long rc = poll_ports(&a->port, 1, until_ns);

        CHECK_RC(rc, 0, "SCHEDOP_poll of VIRQ_TIMER's port 0x%x", a->port);
        if (rc)
            break;
    }
    return alarm_fired(a);
}

/* The port that a timer in the past makes pending: 0 if there is none, or another event came too.
 */
static evtchn_port_t find(struct test *t)
{
    uint64_t before[NR_WORDS];
    evtchn_port_t port = 0;
    unsigned int nr = 0;

    for (unsigned int w = 0; w < NR_WORDS; w++)
        before[w] = ((volatile struct shared_info *)t->d->shared)->evtchn_pending[w];
    CHECK_RC(alarm_set(1, 0), 0, "VCPUOP_set_singleshot_timer, time 1 ns (in the past)");
    for (unsigned int i = 0; i < MAX_YIELDS; i++) /* Xen runs timers between hypercalls */
        CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "SCHEDOP_yield");
    for (evtchn_port_t p = 1; p < MAX_PORTS; p++)
        if (port_is_pending(t, p) && !event_bit(before, p)) {
            port = p;
            nr++;
        }
    return nr == 1 ? port : 0;
}

static void stop_all(struct test *t)
{
    CHECK_RC(alarm_stop(), 0, "VCPUOP_stop_singleshot_timer");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0,
             "VCPUOP_stop_periodic_timer");
}

/*
 * The tests sleep until the timeout of SCHEDOP_poll. Does the timeout end a sleep? The timer,
 * unmasked, is the backstop.
 */
static bool poll_ends(struct alarm *a)
{
    bool too_late = true;

    event_mask(a->t, &a->e, a->port, false);
    for (unsigned int i = 0; i < MAX_SLEEPS && too_late; i++) {
        uint64_t until = clock_ns() + SLEEP_NS / 4;

        too_late = alarm_set(until + (BACKSTOP_NS << i), 0) || poll_ports(&a->port, 1, until) ||
                   alarm_fired(a) || alarm_stop();
        alarm_drop(a);
    }
    event_mask(a->t, &a->e, a->port, true);
    return !too_late;
}

bool alarm_open(struct alarm *a, struct test *t)
{
    a->t = t;
    a->port = 0;
    stop_all(t);
    for (unsigned int i = 0; !a->port && i < MAX_TRIES; i++) {
        events_quiet(t);
        events_read(t, &a->e);
        a->port = find(t);
        if (!a->port)
            events_restore(t);
    }
    if (!a->port) {
        test_fail(
            t,
            "VCPUOP_set_singleshot_timer with a time in the past, %u times: no VIRQ_TIMER event "
            "came, expected one",
            MAX_TRIES);
        return false;
    }
    alarm_drop(a);
    if (poll_ends(a))
        return true;
    test_fail(t,
              "SCHEDOP_poll of 1 port, timeout 0.5 ms, %u times: a later timer ended the sleep, "
              "expected the timeout",
              MAX_SLEEPS);
    alarm_close(a);
    return false;
}

void alarm_close(struct alarm *a)
{
    stop_all(a->t);
    alarm_drop(a);
    events_restore(a->t);
}
