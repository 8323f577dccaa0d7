/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_poll of <xen/sched.h>: "Poll a set of event-channel ports. Return when one or more are
 * pending. An optional timeout may be specified."
 *
 * A driver that waits for one answer polls its port, masked, before interrupts work. Without these
 * tests Xen could sleep although a port is pending, never wake, or read the bit of a port that does
 * not exist: XSA-221 ("NULL pointer deref due to unmasked event channels"), do_poll() of Xen
 * xen/common/sched/core.c. Xen refuses a port that is not open since 4.15.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/events/abi_upcall.h"
#include "tests/guest/vcpu_time.h"

#include <xen/sched.h>

#define MAX_POLL   128 /* do_poll(): "Fairly arbitrary limit" */
#define NO_PORT    (MAX_PORTS * 32u)
#define MAX_YIELDS 100

/* Two ports of the test, masked, and the list that is polled. */
struct polled {
    struct alarm a;
    evtchn_port_t port, other;
    evtchn_port_t list[MAX_POLL + 1];
};

static bool polled_open(struct polled *p, struct test *t)
{
    if (!port_opened(t, port_ipi(0, &p->port), "EVTCHNOP_bind_ipi"))
        return false;
    if (!port_opened(t, port_ipi(0, &p->other), "EVTCHNOP_bind_ipi, second port")) {
        check_port(t, port_close(p->port), 0, "EVTCHNOP_close", p->port);
        return false;
    }
    if (alarm_open(&p->a, t))
        return true;
    check_port(t, port_close(p->other), 0, "EVTCHNOP_close", p->other);
    check_port(t, port_close(p->port), 0, "EVTCHNOP_close", p->port);
    return false;
}

static void polled_close(struct polled *p)
{
    check_port(p->a.t, port_close(p->other), 0, "EVTCHNOP_close", p->other);
    check_port(p->a.t, port_close(p->port), 0, "EVTCHNOP_close", p->port);
    alarm_close(&p->a);
}

/* A list of @nr times p->port, with @last as its last entry. */
static const evtchn_port_t *list(struct polled *p, unsigned int nr, evtchn_port_t last)
{
    for (unsigned int i = 0; i < nr; i++)
        p->list[i] = i + 1 < nr ? p->port : last;
    return p->list;
}

/*
 * SCHEDOP_poll of a list that has no pending port. The timer, whose port is not masked, is the
 * backstop: an event at it wakes the vCPU. The poll must end by its timeout, before the backstop.
 */
static void check_timeout(struct polled *p, unsigned int nr, evtchn_port_t last, const char *what)
{
    const evtchn_port_t *ports = list(p, nr, last);
    struct alarm *a = &p->a;
    struct test *t = a->t;
    bool too_late = true;

    event_mask(t, &a->e, a->port, false);
    for (unsigned int i = 0; i < MAX_SLEEPS && too_late; i++) {
        uint64_t until = clock_ns() + SLEEP_NS;
        uint32_t version = clock_version(t);
        uint64_t early;

        alarm_drop(a);
        CHECK_RC(alarm_set(until + (BACKSTOP_NS << i), 0), 0, "VCPUOP_set_singleshot_timer");
        CHECK_RC(poll_ports(ports, nr, until), 0, "SCHEDOP_poll of %s", what);
        early = clock_early_ns(t, until, version);
        too_late = alarm_fired(a);
        CHECK(!early,
              "SCHEDOP_poll of %s, none pending, timeout in 2 ms: returned %lu ns before the "
              "timeout, expected at most %u ns",
              what, early, SLACK_NS);
        CHECK_RC(alarm_stop(), 0, "VCPUOP_stop_singleshot_timer");
    }
    CHECK(!too_late,
          "SCHEDOP_poll of %s, timeout 2 ms: %u times an event at another port ended the sleep, "
          "expected the timeout",
          what, MAX_SLEEPS);
    alarm_drop(a);
    event_mask(t, &a->e, a->port, true);
}

TEST_RULE(abi_poll_timeout, "SCHEDOP_poll of ports that are not pending sleeps until its timeout")
{
    struct polled p;

    if (!polled_open(&p, t))
        return;
    check_timeout(&p, 0, 0, "0 ports");
    check_timeout(&p, 1, p.port, "1 port");
    check_timeout(&p, 2, p.other, "2 ports");
    check_timeout(&p, MAX_POLL, p.other, "128 ports");
    check_port(t, port_send(p.other), 0, "EVTCHNOP_send", p.other);
    check_timeout(&p, 1, p.port, "1 port, while another port is pending");
    event_ack(t, &p.a.e, p.other, 0);
    polled_close(&p);
}

/* A poll of a pending port must not sleep: the timeout, 2 ms, only keeps a broken Xen from hanging.
 */
static void check_at_once(struct polled *p, unsigned int nr, evtchn_port_t last, const char *what)
{
    const evtchn_port_t *ports = list(p, nr, last);
    struct test *t = p->a.t;
    uint64_t blocked = vcpu_blocked_ns(t);

    CHECK_RC(poll_ports(ports, nr, clock_ns() + SLEEP_NS), 0, "SCHEDOP_poll of %s", what);
    blocked = vcpu_blocked_ns(t) - blocked;
    CHECK(blocked == 0, "SCHEDOP_poll of %s: the vCPU was blocked for %lu ns, expected 0", what,
          blocked);
}

/*
 * Makes @port pending. The PV shim forwards EVTCHNOP_send to Xen, and sets the bit at its own
 * upcall, which may come after the hypercall has returned.
 */
static void make_pending(struct polled *p, evtchn_port_t port, const char *step)
{
    struct test *t = p->a.t;

    check_port(t, port_send(port), 0, step, port);
    for (unsigned int i = 0; boot_info_is_shim(&t->d->boot) && i < MAX_YIELDS; i++)
        if (!port_is_pending(t, port))
            CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "SCHEDOP_yield");
}

TEST_RULE(abi_poll_pending,
          "SCHEDOP_poll returns at once if one of its ports is pending, masked or not")
{
    struct polled p;

    if (!polled_open(&p, t))
        return;
    make_pending(&p, p.other, "EVTCHNOP_send to a masked port");
    check_at_once(&p, 1, p.other, "1 port, pending and masked");
    check_at_once(&p, 2, p.other, "2 ports, the second one pending and masked");
    check_at_once(&p, MAX_POLL, p.other, "128 ports, the last one pending and masked");
    CHECK(port_is_pending(t, p.other),
          "after SCHEDOP_poll of pending port 0x%x: its pending bit is 0, expected 1", p.other);
    event_ack(t, &p.a.e, p.other, 0);
    event_mask(t, &p.a.e, p.port, false);
    make_pending(&p, p.port, "EVTCHNOP_send to an unmasked port");
    check_at_once(&p, 1, p.port, "1 port, pending and not masked");
    check_at_once(&p, MAX_POLL, p.other, "128 ports, all but the last one pending");
    event_mask(t, &p.a.e, p.port, true);
    event_ack(t, &p.a.e, p.port, 0);
    polled_close(&p);
}

/*
 * SCHEDOP_poll of a port that is not pending, with upcalls unmasked and the upcall of VIRQ_TIMER
 * pending. Returns the time blocked. An interrupt just before the hypercall may deliver the upcall
 * earlier: then the poll rightly sleeps.
 */
static uint64_t poll_unmasked(struct polled *p)
{
    struct test *t = p->a.t;
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    uint64_t blocked = vcpu_blocked_ns(t);
    uint64_t until = clock_ns() + SLEEP_NS; /* Xen may emulate rdtsc, and deliver the upcall then */

    upcalls_begin();
    vcpu->evtchn_upcall_mask = 0;
    CHECK_RC(poll_ports(&p->port, 1, until), 0,
             "SCHEDOP_poll of port 0x%x, which is not pending, with an upcall pending and unmasked",
             p->port);
    upcalls_end(t, "SCHEDOP_poll with an upcall pending and unmasked");
    return vcpu_blocked_ns(t) - blocked;
}

/* The event whose upcall is pending may be the one that the poll should wait for. */
TEST_RULE(abi_poll_upcall, "SCHEDOP_poll does not sleep while an upcall is pending and unmasked")
{
    uint64_t blocked = 1;
    unsigned int nr = 0;
    struct polled p;

    if (!polled_open(&p, t))
        return;
    event_mask(t, &p.a.e, p.a.port, false);
    for (unsigned int i = 0; i < MAX_SLEEPS && blocked && t->result == TEST_SUCCESS; i++) {
        CHECK_RC(alarm_set(1, 0), 0, "VCPUOP_set_singleshot_timer, time in the past");
        if (alarm_wait(&p.a, clock_ns() + SLEEP_NS)) {
            blocked = poll_unmasked(&p);
            nr++;
        }
        alarm_drop(&p.a);
    }
    CHECK(nr,
          "VCPUOP_set_singleshot_timer, time in the past: no VIRQ_TIMER event at port 0x%x within "
          "2 ms, %u times, expected one",
          p.a.port, MAX_SLEEPS);
    CHECK(!nr || blocked == 0,
          "SCHEDOP_poll of port 0x%x, timeout 2 ms, %u times with an upcall pending and unmasked: "
          "the vCPU was blocked each time, the last time for %lu ns, expected 0 at least once",
          p.port, nr, blocked);
    event_mask(t, &p.a.e, p.a.port, true);
    polled_close(&p);
}

/* A poll of @nr ports, of which number @place (from 0) is the port of the timer. */
struct wake {
    unsigned int nr, place;
};

/*
 * The timer, whose port is masked, fires while the vCPU sleeps in the poll. @timeout: the poll has
 * a timeout, later than the timer.
 */
static void check_woken(struct polled *p, const struct wake *wake, bool timeout)
{
    struct alarm *a = &p->a;
    const evtchn_port_t *ports = list(p, wake->nr, p->port);
    struct test *t = a->t;
    bool woken = false;

    p->list[wake->place] = a->port;
    for (unsigned int i = 0; i < MAX_SLEEPS && !woken; i++) {
        uint64_t at = clock_ns() + SLEEP_NS, until = at + (BACKSTOP_NS << i);

        if (!timeout) /* Xen does not stop the timer of an earlier poll: let it fire now */
            CHECK_RC(poll_ports(ports, 0, 1), 0, "SCHEDOP_poll of 0 ports, timeout in the past");
        CHECK_RC(alarm_set(at, 0), 0, "VCPUOP_set_singleshot_timer");
        CHECK_RC(poll_ports(ports, wake->nr, timeout ? until : 0), 0,
                 "SCHEDOP_poll of %u ports, port 0x%x of VIRQ_TIMER at index %u", wake->nr, a->port,
                 wake->place);
        woken = clock_ns() < until;
        CHECK(alarm_fired(a),
              "SCHEDOP_poll of %u ports, port 0x%x of VIRQ_TIMER at index %u, timer in 2 ms: after "
              "the return, the pending bit of port 0x%x is 0, expected 1",
              wake->nr, a->port, wake->place, a->port);
        alarm_drop(a);
        CHECK_RC(alarm_stop(), 0, "VCPUOP_stop_singleshot_timer");
    }
    CHECK(woken || !timeout,
          "SCHEDOP_poll of %u ports, port 0x%x of VIRQ_TIMER at index %u: %u times only the "
          "timeout ended the sleep, expected the event of VIRQ_TIMER",
          wake->nr, a->port, wake->place, MAX_SLEEPS);
}

TEST_RULE(abi_poll_wakes, "an event at a polled port ends SCHEDOP_poll, also if the port is masked")
{
    static const struct wake wakes[] = {
        {1,        0           },
        {2,        0           },
        {2,        1           },
        {3,        1           },
        {MAX_POLL, 0           },
        {MAX_POLL, MAX_POLL - 1},
    };
    struct polled p;

    if (!polled_open(&p, t))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(wakes); i++)
        check_woken(&p, &wakes[i], true);
    if (t->result == TEST_SUCCESS) /* otherwise the vCPU could sleep for ever */
        check_woken(&p, &wakes[0], false);
    polled_close(&p);
}

static void check_refused(struct polled *p, unsigned int nr, evtchn_port_t last, long expected,
                          const char *what)
{
    const evtchn_port_t *ports = list(p, nr <= MAX_POLL + 1 ? nr : 1, last);
    struct test *t = p->a.t;

    CHECK_RC(poll_ports(ports, nr, clock_ns() + SLEEP_NS), expected, "SCHEDOP_poll of %s", what);
}

TEST_RULE(abi_poll_refused,
          "SCHEDOP_poll refuses more than 128 ports, and each port that is not open "
          "(XSA-221)")
{
    const struct host *h = &t->d->host;
    bool old = h->major == 4 && h->minor < 15;
    struct polled p;

    if (!polled_open(&p, t))
        return;
    check_refused(&p, MAX_POLL + 1, p.port, -EINVAL, "129 ports");
    check_refused(&p, UINT32_MAX, p.port, -EINVAL, "UINT32_MAX ports");
    check_refused(&p, 1, NO_PORT, -EINVAL, "port 0x20000");
    check_refused(&p, 1, UINT32_MAX, -EINVAL, "port UINT32_MAX");
    check_refused(&p, 2, NO_PORT, -EINVAL, "2 ports, the second one is 0x20000");
    check_refused(&p, MAX_POLL, NO_PORT, -EINVAL, "128 ports, the last one is 0x20000");
    check_refused(&p, 1, 0, old ? 0 : -EINVAL, "port 0");
    check_refused(&p, 2, 0, old ? 0 : -EINVAL, "2 ports, the second one is 0");
    check_refused(&p, MAX_POLL, 0, old ? 0 : -EINVAL, "128 ports, the last one is 0");
    check_port(t, port_close(p.other), 0, "EVTCHNOP_close", p.other);
    check_refused(&p, 1, p.other, old ? 0 : -EINVAL, "a port that was closed");
    CHECK_RC(port_ipi(0, &p.other), 0, "EVTCHNOP_bind_ipi");
    polled_close(&p);
}
