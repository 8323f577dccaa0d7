/* SPDX-License-Identifier: MIT */
/*
 * Event channels of the two-level ABI. Without this test an event could be lost between its pending
 * bit and its handler, and the guest would stay blocked while the toolstack waits; a port could
 * stay open after binding its handler failed; or an event pending on a port that was just closed
 * could keep the guest from ever blocking again.
 */
#include "xen/evtchn.h"

#include "lib/errno.h"

#include "xen/clock.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>

static struct shared_info shared __attribute__((aligned(4096)));
static evtchn_port_t peer; /* a port that another domain has bound to */
static unsigned int called[3];

static void count(void *context)
{
    ++*(unsigned int *)context;
}

static int start(void **state)
{
    (void)state;
    fake.nr_hypercalls = fake.fail_at = 0;
    memset(called, 0, sizeof(called));
    fake_events_start(&shared);
    peer = fake_events_port();
    clock_start(&shared.vcpu_info[0].time);
    evtchn_start(&shared);
    return 0;
}

static bool is_masked(evtchn_port_t port)
{
    return shared.evtchn_mask[port / 64] >> port % 64 & 1;
}

static bool is_pending(evtchn_port_t port)
{
    return shared.evtchn_pending[port / 64] >> port % 64 & 1;
}

static void test_start(void **state)
{
    (void)state;
    for (evtchn_port_t port = 0; port < FAKE_NR_PORTS; port++)
        check_true("after evtchn_start: every port is masked", is_masked(port));
    check_equal("after evtchn_start: evtchn_upcall_mask", shared.vcpu_info[0].evtchn_upcall_mask,
                1);
    check_equal("events dispatched after evtchn_start", evtchn_dispatch(), 0);
    check_equal("listeners after evtchn_start", evtchn_count(), 0);
}

static void test_an_event(void **state)
{
    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    check_true("after evtchn_listen: the port is not masked", !is_masked(peer));
    check_equal("events dispatched before one is raised", evtchn_dispatch(), 0);
    fake_events_raise(peer);
    fake_events_raise(peer); /* pending is a bit, not a counter */
    check_equal("events dispatched after raising a port twice", evtchn_dispatch(), 1);
    check_equal("handler calls after the first dispatch", called[0], 1);
    check_true("after the dispatch: the port is not pending", !is_pending(peer));
    check_equal("events of a second dispatch", evtchn_dispatch(), 0);
    fake_events_raise(peer);
    check_equal("events dispatched after raising again", evtchn_dispatch(), 1);
    check_equal("handler calls after the third dispatch", called[0], 2);
}

/* An event that was raised before evtchn_listen is delivered too. */
static void test_an_event_that_came_before(void **state)
{
    (void)state;
    fake_events_raise(peer);
    check_equal("events dispatched of a masked port", evtchn_dispatch(), 0);
    check_equal("evtchn_listen on a pending port", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("events dispatched after evtchn_listen", evtchn_dispatch(), 1);
    check_equal("handler calls for an event raised before evtchn_listen", called[0], 1);
}

/* Ports in the first and in the last word of the bitmap, and several ports in one word. */
static void test_every_word(void **state)
{
    static const evtchn_port_t ports[] = {63, 64, 65, 127, 128, 2047, 4094, 4095};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        fake_events.ports[ports[i]].kind = FAKE_INTERDOMAIN;
        check_equal("evtchn_listen on one of 8 ports",
                    evtchn_listen(ports[i], count, &called[i % 3]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        fake_events_raise(ports[i]);
    check_equal("events of one dispatch for 8 ports", evtchn_dispatch(), ARRAY_SIZE(ports));
    check_equal("calls of handler 0", called[0], 3);
    check_equal("calls of handler 1", called[1], 3);
    check_equal("calls of handler 2", called[2], 2);
}

/* A masked pending port stays pending while its neighbour in the same word is handled. */
static void test_a_masked_neighbour(void **state)
{
    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_raise(peer + 1);
    fake_events_raise(peer);
    check_equal("events dispatched with one of two pending ports masked", evtchn_dispatch(), 1);
    check_true("the masked port is still pending", is_pending(peer + 1));
    fake_events.ports[peer + 1].kind = FAKE_INTERDOMAIN;
    check_equal("evtchn_listen on the masked port", evtchn_listen(peer + 1, count, &called[1]), 0);
    check_equal("events dispatched after unmasking", evtchn_dispatch(), 1);
    check_equal("handler calls of the unmasked port", called[1], 1);
}

static void raise_again(void *context)
{
    if (++*(unsigned int *)context < 5)
        fake_events_raise(peer);
}

/* An event that is raised while its own handler runs is another event. */
static void test_an_event_inside_a_handler(void **state)
{
    (void)state;
    check_equal("evtchn_listen with a handler that raises its port",
                evtchn_listen(peer, raise_again, &called[0]), 0);
    fake_events_raise(peer);
    check_equal("events of one dispatch", evtchn_dispatch(), 5);
    check_equal("handler calls", called[0], 5);
}

/* A peer that sends its next event while the one before is handled, without end. */
static void send_again(void *context)
{
    count(context);
    fake_events_raise(peer);
}

static void test_event_storm(void **state)
{
    uint64_t now = clock_ns();

    (void)state;
    check_equal("evtchn_listen", evtchn_listen(peer, send_again, &called[0]), 0);
    fake_events_raise(peer);
    check_equal("events dispatched during a storm", evtchn_dispatch(), 16);
    check_equal("events dispatched by the next call", evtchn_dispatch(), 16);
    evtchn_wait(now + NS_PER_S);
    check_equal("time of a wait during a storm", clock_ns(), now);
    check_true("the wait dispatched events", called[0] > 32);
    check_true("the last event is not lost", is_pending(peer));
}

static void test_bad_ports(void **state)
{
    (void)state;
    check_equal("evtchn_listen on port 0", evtchn_listen(0, count, called), -EINVAL);
    check_equal("evtchn_listen on port 4096", evtchn_listen(FAKE_NR_PORTS, count, called), -EINVAL);
    check_equal("evtchn_listen on port UINT32_MAX", evtchn_listen(UINT32_MAX, count, called),
                -EINVAL);
    check_equal("hypercalls for port numbers out of range", fake.nr_hypercalls, 0);
    check_equal("evtchn_listen on a port that is not open", evtchn_listen(77, count, called),
                -EINVAL);
    check_equal("listeners after evtchn_listen failed", evtchn_count(), 0);
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, called), 0);
    check_equal("second evtchn_listen on one port", evtchn_listen(peer, count, called), -EINVAL);
    check_equal("listeners after a second evtchn_listen on one port", evtchn_count(), 1);
}

static void test_too_many_listeners(void **state)
{
    evtchn_port_t port, last = 0;
    unsigned int n = 0, ports;

    (void)state;
    while (evtchn_bind_ipi(count, &called[0], &port) == 0)
        n++, last = port;
    ports = fake_events_count();
    check_equal("listeners after filling the table", evtchn_count(), n);
    check_equal("open ports after filling the table", ports, n + 1);
    check_equal("evtchn_bind_ipi with a full table of listeners",
                evtchn_bind_ipi(count, called, &port), -ENOMEM);
    check_equal("open ports after a failed evtchn_bind_ipi", fake_events_count(), ports);
    evtchn_close(last);
    check_equal("evtchn_bind_ipi after closing a port", evtchn_bind_ipi(count, called, &port), 0);
}

static void test_kinds(void **state)
{
    evtchn_port_t virq, again = 0, ipi;

    (void)state;
    check_equal("evtchn_bind_virq of VIRQ_DEBUG",
                evtchn_bind_virq(VIRQ_DEBUG, count, &called[0], &virq), 0);
    check_equal("second evtchn_bind_virq of VIRQ_DEBUG",
                evtchn_bind_virq(VIRQ_DEBUG, count, called, &again), -XEN_EEXIST);
    check_equal("port of a failed evtchn_bind_virq", again, 0);
    fake_events_raise_virq(VIRQ_DEBUG);
    check_equal("events dispatched after raising VIRQ_DEBUG", evtchn_dispatch(), 1);

    check_equal("evtchn_bind_ipi", evtchn_bind_ipi(count, &called[1], &ipi), 0);
    evtchn_notify(ipi);
    check_equal("events dispatched after an IPI", evtchn_dispatch(), 1);
    check_equal("handler calls for an IPI", called[1], 1);

    evtchn_notify(peer);
    check_equal("notifications of the other domain", fake_events.ports[peer].nr_sent, 1);
    check_equal("events of this domain", evtchn_dispatch(), 0);
    check_equal("listeners", evtchn_count(), 2);
}

/* A port is closed while its event is pending: no handler is called, and upcalls stop. */
static void test_close(void **state)
{
    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_raise(peer);
    evtchn_close(peer);
    check_equal("Xen's state of a closed port", fake_events.ports[peer].kind, FAKE_FREE);
    check_true("a closed port is masked", is_masked(peer));
    check_equal("listeners after closing the port", evtchn_count(), 0);
    (void)evtchn_dispatch();
    check_equal("handler calls for a closed port", called[0], 0);
    check_equal("evtchn_upcall_pending after dispatching a closed port's event",
                shared.vcpu_info[0].evtchn_upcall_pending, 0);
    fake.nr_hypercalls = 0;
    evtchn_close(peer);
    check_equal("hypercalls of a second evtchn_close", fake.nr_hypercalls, 0);
}

/* An unmasked port without a listener must not keep the guest from blocking. */
static void test_an_event_for_nobody(void **state)
{
    (void)state;
    shared.evtchn_mask[0] = 0;
    fake_events_raise(9);
    check_equal("events dispatched for a port without a listener", evtchn_dispatch(), 1);
    check_true("a port without a listener is masked after its event", is_masked(9));
    check_true("a port without a listener is not pending after its event", !is_pending(9));
    fake_events_raise(9);
    check_equal("events dispatched after raising the masked port again", evtchn_dispatch(), 0);
}

static void close_peer(void *context)
{
    ++*(unsigned int *)context;
    evtchn_close(peer);
}

static void test_close_inside_its_handler(void **state)
{
    (void)state;
    check_equal("evtchn_listen with a handler that closes its port",
                evtchn_listen(peer, close_peer, &called[0]), 0);
    fake_events_raise(peer);
    check_equal("events dispatched", evtchn_dispatch(), 1);
    check_equal("handler calls", called[0], 1);
    check_equal("listeners after the handler closed its port", evtchn_count(), 0);
}

static bool knock(void)
{
    fake_events_raise(peer);
    return true;
}

static void test_wait(void **state)
{
    evtchn_port_t timer;

    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("evtchn_bind_virq of VIRQ_TIMER",
                evtchn_bind_virq(VIRQ_TIMER, count, &called[1], &timer), 0);

    fake_events_raise(peer);
    fake.nr_hypercalls = 0;
    evtchn_wait(UINT64_MAX);
    check_equal("sleeps of evtchn_wait with a pending event", fake_events.nr_sleeps, 0);
    check_equal("hypercalls of evtchn_wait with a pending event", fake.nr_hypercalls, 0);
    check_equal("handler calls of evtchn_wait with a pending event", called[0], 1);

    evtchn_wait(clock_ns());
    check_equal("sleeps of evtchn_wait for a time that has passed", fake_events.nr_sleeps, 0);

    evtchn_wait(clock_ns() + 5 * NS_PER_S);
    check_equal("sleeps of evtchn_wait for 5 s", fake_events.nr_sleeps, 1);
    check_equal("clock after evtchn_wait for 5 s", clock_ns(), 6 * NS_PER_S);
    check_equal("VIRQ_TIMER handler calls", called[1], 1);
    check_equal("evtchn_upcall_mask after evtchn_wait for 5 s",
                shared.vcpu_info[0].evtchn_upcall_mask, 1);

    fake_events.idle = knock;
    evtchn_wait(UINT64_MAX);
    check_equal("handler calls after the other side woke the guest", called[0], 2);
    check_equal("timer set by evtchn_wait without a deadline", fake_events.alarm_ns, 0);
    check_equal("evtchn_upcall_mask after evtchn_wait without a deadline",
                shared.vcpu_info[0].evtchn_upcall_mask, 1);
}

/* shared_info is unmapped and mapped again: listeners stay, and pending events are not lost. */
static void test_cancelled_suspend(void **state)
{
    static struct shared_info elsewhere __attribute__((aligned(4096)));
    evtchn_port_t other;

    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("evtchn_bind_ipi", evtchn_bind_ipi(count, &called[1], &other), 0);
    fake_events_raise(peer);
    evtchn_resume(NULL);
    evtchn_close(other); /* shared_info, with the mask, is not mapped */
    check_equal("Xen's state of a port closed without shared_info", fake_events.ports[other].kind,
                FAKE_FREE);
    elsewhere = shared;
    elsewhere.vcpu_info[0].evtchn_upcall_mask = 0;
    memset(&shared, 0, sizeof(shared));
    evtchn_resume(&elsewhere);
    check_equal("evtchn_upcall_mask after evtchn_resume", elsewhere.vcpu_info[0].evtchn_upcall_mask,
                1);
    check_equal("events dispatched after evtchn_resume", evtchn_dispatch(), 1);
    check_equal("handler calls after evtchn_resume", called[0], 1);
    check_equal("evtchn_upcall_mask of the old shared_info", shared.vcpu_info[0].evtchn_upcall_mask,
                0);
}

static void test_new_domain(void **state)
{
    (void)state;
    check_equal("evtchn_listen on the peer's port", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_start(&shared);
    evtchn_start(&shared);
    check_equal("listeners in a new domain", evtchn_count(), 0);
    check_true("ports are masked in a new domain", is_masked(peer));
}

/* Each hypercall of each bind function fails once: no port and no listener remain. */
static void test_every_failure(void **state)
{
    evtchn_port_t port = 0;

    (void)state;
    for (unsigned int kind = 0; kind < 2; kind++) {
        for (unsigned int n = 1; n <= 2; n++) {
            int rc = 0;

            start(NULL);
            fake.fail_at = n;
            fake.fail_with = -XEN_ENOMEM;
            rc = kind == 0 ? evtchn_bind_virq(VIRQ_DEBUG, count, called, &port)
                           : evtchn_bind_ipi(count, called, &port);
            fake.fail_at = 0;
            check_equal("result of a bind whose hypercall fails", rc, -XEN_ENOMEM);
            check_equal("port of a failed bind", port, 0);
            check_equal("open ports after a failed bind", fake_events_count(), 1);
            check_equal("listeners after a failed bind", evtchn_count(), 0);
        }
    }
    start(NULL);
    fake.fail_at = 1;
    fake.fail_with = -XEN_EPERM;
    check_equal("evtchn_listen whose hypercall fails", evtchn_listen(peer, count, called),
                -XEN_EPERM);
    fake.fail_at = 0;
    check_equal("listeners after evtchn_listen failed", evtchn_count(), 0);
}

/* Between a suspend and the resume in a new domain no shared_info is mapped. */
static void test_without_shared_info(void **state)
{
    (void)state;
    evtchn_start(NULL);
    check_equal("events dispatched without shared_info", evtchn_dispatch(), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_start, start),
        cmocka_unit_test_setup(test_an_event, start),
        cmocka_unit_test_setup(test_an_event_that_came_before, start),
        cmocka_unit_test_setup(test_every_word, start),
        cmocka_unit_test_setup(test_a_masked_neighbour, start),
        cmocka_unit_test_setup(test_an_event_inside_a_handler, start),
        cmocka_unit_test_setup(test_event_storm, start),
        cmocka_unit_test_setup(test_bad_ports, start),
        cmocka_unit_test_setup(test_too_many_listeners, start),
        cmocka_unit_test_setup(test_kinds, start),
        cmocka_unit_test_setup(test_close, start),
        cmocka_unit_test_setup(test_an_event_for_nobody, start),
        cmocka_unit_test_setup(test_close_inside_its_handler, start),
        cmocka_unit_test_setup(test_wait, start),
        cmocka_unit_test_setup(test_cancelled_suspend, start),
        cmocka_unit_test_setup(test_new_domain, start),
        cmocka_unit_test_setup(test_every_failure, start),
        cmocka_unit_test_setup(test_without_shared_info, start),
    };

    return cmocka_run_group_tests_name("evtchn", tests, NULL, NULL);
}
