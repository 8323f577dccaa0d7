/* SPDX-License-Identifier: MIT */
/*
 * Events that one vCPU sends to another one, which sleeps.
 *
 * A kernel wakes its other processors by IPIs. Without this test Xen could set the bits of an event
 * in shared_info and let the vCPU sleep on. The vCPU sleeps by SCHEDOP_block or SCHEDOP_poll, and
 * is woken by EVTCHNOP_send, or by EVTCHNOP_unmask of a port that is pending: "Unmask the specified
 * local event-channel port and deliver a notification to the appropriate VCPU if an event is
 * pending"
 * (<xen/event_channel.h>).
 *
 * The timer of vCPU 1 is the backstop: it wakes a vCPU that the event did not wake.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/events/second_room.h"

#include <xen/sched.h>

/* What both vCPUs share. */
struct sleeper {
    struct shared_info *shared;
    evtchn_port_t ipi, timer; /* of vCPU 1 */
    bool polls;               /* vCPU 1 sleeps by SCHEDOP_poll of the IPI, not by SCHEDOP_block */
    uint64_t backstop_ns;     /* the timer of vCPU 1 fires so much after the start of its sleep */
    volatile uint64_t ready;
    long rc;
    bool timer_fired;
};

/* Runs on vCPU 1: sleeps once. Its upcall handler masks upcalls again (arch/x86/traps.c). */
static void sleep_job(void *arg)
{
    struct sleeper *s = arg;
    volatile struct vcpu_info *vcpu = &s->shared->vcpu_info[SECOND];
    /* by its own record: the clocks of two processors may differ by milliseconds in QEMU */
    struct vcpu_set_singleshot_timer alarm = {.timeout_abs_ns =
                                                  clock_of(&vcpu->time) + s->backstop_ns};
    long rc = HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, SECOND, &alarm);

    s->ready = 1;
    if (!rc)
        rc = s->polls ? poll_ports(&s->ipi, 1, 0) : HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    vcpu->evtchn_upcall_mask = 1;
    s->timer_fired = s->shared->evtchn_pending[s->timer / 64] >> s->timer % 64 & 1;
    if (!rc)
        rc = HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, SECOND, NULL);
    s->rc = rc;
}

/* How an event is made: sent while the port is not masked, or sent while it is, and unmasked. */
enum waker { SEND, UNMASK };

static const struct way {
    const char *what;
    bool polls, masked;
    enum waker waker;
} ways[] = {
    {"EVTCHNOP_send to a vCPU in SCHEDOP_block",                         false, false, SEND  },
    {"EVTCHNOP_unmask of a pending port of a vCPU in SCHEDOP_block",     false, true,  UNMASK},
    {"EVTCHNOP_send to a vCPU in SCHEDOP_poll",                          true,  false, SEND  },
    {"EVTCHNOP_send to a masked port that a vCPU polls by SCHEDOP_poll", true,  true,  SEND  },
};

/* One sleep of vCPU 1, which vCPU 0 ends. False: the test has failed, or vCPU 1 did not sleep. */
static bool wake(struct test *t, struct sleeper *s, const struct way *way, struct events *e)
{
    bool asleep;

    event_ack(t, e, s->ipi, SECOND);
    event_ack(t, e, s->timer, SECOND);
    event_mask(t, e, s->ipi, way->masked);
    s->ready = 0;
    s->polls = way->polls;
    if (way->waker == UNMASK)
        check_port(t, port_send(s->ipi), 0, "EVTCHNOP_send to a masked port of vCPU 1", s->ipi);
    if (!second_start(t, sleep_job, s))
        return false;
    asleep = second_wait_for(t, &s->ready, 1) && second_wait_state(t, RUNSTATE_blocked);
    if (way->waker == UNMASK)
        check_port(t, port_unmask(s->ipi), 0, way->what, s->ipi);
    else
        check_port(t, port_send(s->ipi), 0, way->what, s->ipi);
    return second_wait(t) && asleep;
}

static void try_way(struct test *t, struct sleeper *s, const struct way *way, struct events *e)
{
    bool woken = false;

    for (unsigned int i = 0; i < MAX_SLEEPS && !woken && t->result == TEST_SUCCESS; i++) {
        s->backstop_ns = (4 * BACKSTOP_NS) << i;
        woken = wake(t, s, way, e) && !s->timer_fired;
        CHECK_RC(s->rc, 0, "%s: hypercalls of vCPU 1", way->what);
    }
    CHECK(woken,
          "%s, port 0x%x, %u times: only the timer of vCPU 1 ended the sleep of vCPU 1, expected "
          "the event",
          way->what, s->ipi, MAX_SLEEPS);
}

/* No event but the timer's. */
static void try_timer(struct test *t, struct sleeper *s, struct events *e)
{
    event_ack(t, e, s->ipi, SECOND);
    event_ack(t, e, s->timer, SECOND);
    s->backstop_ns = SLEEP_NS;
    s->polls = false;
    if (!second_start(t, sleep_job, s) || !second_wait(t))
        return;
    CHECK_RC(s->rc, 0, "timer of vCPU 1 in 2 ms, SCHEDOP_block: hypercalls of vCPU 1");
    CHECK(s->timer_fired,
          "timer of vCPU 1 in 2 ms, after SCHEDOP_block of vCPU 1: pending bit of port 0x%x of "
          "VIRQ_TIMER is 0, expected 1",
          s->timer);
}

TEST_RULE(second_vcpu_events,
          "an event for a vCPU that sleeps wakes the vCPU, in SCHEDOP_block and in "
          "SCHEDOP_poll")
{
    static struct sleeper s;
    struct events e;
    uint8_t mask;

    if (!second_exists(t) || shim_is_between(t))
        return;
    s = (struct sleeper){.shared = t->d->shared};
    if (!port_opened(t, port_ipi(SECOND, &s.ipi), "EVTCHNOP_bind_ipi of vCPU 1"))
        return;
    if (port_opened(t, port_virq(VIRQ_TIMER, SECOND, &s.timer),
                    "EVTCHNOP_bind_virq of VIRQ_TIMER, "
                    "vCPU 1")) {
        mask = s.shared->vcpu_info[SECOND].evtchn_upcall_mask;
        s.shared->vcpu_info[SECOND].evtchn_upcall_mask = 1;
        /* A vCPU begins its life with a periodic timer of 10 ms (Xen xen/arch/x86/pv/domain.c). */
        CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, SECOND, NULL), 0,
                 "VCPUOP_stop_periodic_timer of vCPU 1 by vCPU 0");
        events_quiet(t);
        events_read(t, &e);
        event_mask(t, &e, s.timer, false);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
            try_way(t, &s, &ways[i], &e);
        try_timer(t, &s, &e);
        event_mask(t, &e, s.ipi, true);
        event_mask(t, &e, s.timer, true);
        event_ack(t, &e, s.ipi, SECOND);
        event_ack(t, &e, s.timer, SECOND);
        events_restore(t);
        s.shared->vcpu_info[SECOND].evtchn_upcall_mask = mask;
        check_port(t, port_close(s.timer), 0, "EVTCHNOP_close", s.timer);
    }
    check_port(t, port_close(s.ipi), 0, "EVTCHNOP_close", s.ipi);
}
