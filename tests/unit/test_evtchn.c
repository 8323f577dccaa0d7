/* SPDX-License-Identifier: MIT */
/*
 * Without this an event could be lost between its bit and its handler, and the guest sleep on while
 * the toolstack waits; a port could stay open when listening to it failed; or an event for a port
 * that was just closed could keep the guest from ever sleeping again.
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
        check_true("every port is masked", is_masked(port));
    check_equal("upcalls are masked", shared.vcpu_info[0].evtchn_upcall_mask, 1);
    check_equal("nothing to do", evtchn_dispatch(), 0);
    check_equal("no listeners", evtchn_count(), 0);
}

static void test_an_event(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    check_true("not masked", !is_masked(peer));
    check_equal("nothing yet", evtchn_dispatch(), 0);
    fake_events_raise(peer);
    fake_events_raise(peer); /* a bit, not a counter */
    check_equal("one event", evtchn_dispatch(), 1);
    check_equal("one call", called[0], 1);
    check_true("taken", !is_pending(peer));
    check_equal("and no more", evtchn_dispatch(), 0);
    fake_events_raise(peer);
    check_equal("another", evtchn_dispatch(), 1);
    check_equal("two calls", called[0], 2);
}

/* Not only those that come afterwards. */
static void test_an_event_that_came_before(void **state)
{
    (void)state;
    fake_events_raise(peer);
    check_equal("masked", evtchn_dispatch(), 0);
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("dispatch", evtchn_dispatch(), 1);
    check_equal("called", called[0], 1);
}

/* Ports in the first and in the last word, and two in one word. */
static void test_every_word(void **state)
{
    static const evtchn_port_t ports[] = {63, 64, 65, 127, 128, 2047, 4094, 4095};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        fake_events.ports[ports[i]].kind = FAKE_INTERDOMAIN;
        check_equal("listen", evtchn_listen(ports[i], count, &called[i % 3]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
        fake_events_raise(ports[i]);
    check_equal("all at once", evtchn_dispatch(), ARRAY_SIZE(ports));
    check_equal("a third", called[0], 3);
    check_equal("a third", called[1], 3);
    check_equal("the rest", called[2], 2);
}

/* One that is masked keeps waiting, though its neighbour in the word has its turn. */
static void test_a_masked_neighbour(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_raise(peer + 1);
    fake_events_raise(peer);
    check_equal("the other one", evtchn_dispatch(), 1);
    check_true("is pending still", is_pending(peer + 1));
    fake_events.ports[peer + 1].kind = FAKE_INTERDOMAIN;
    check_equal("listen", evtchn_listen(peer + 1, count, &called[1]), 0);
    check_equal("now", evtchn_dispatch(), 1);
    check_equal("its turn", called[1], 1);
}

static void raise_again(void *context)
{
    if (++*(unsigned int *)context < 5)
        fake_events_raise(peer);
}

/* An event that comes while its own handler runs is another event. */
static void test_an_event_inside_a_handler(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, raise_again, &called[0]), 0);
    fake_events_raise(peer);
    check_equal("dispatch", evtchn_dispatch(), 5);
    check_equal("called", called[0], 5);
}

static void test_bad_ports(void **state)
{
    (void)state;
    check_equal("0", evtchn_listen(0, count, called), -EINVAL);
    check_equal("4096", evtchn_listen(FAKE_NR_PORTS, count, called), -EINVAL);
    check_equal("the largest", evtchn_listen(UINT32_MAX, count, called), -EINVAL);
    check_equal("nobody asked Xen", fake.nr_hypercalls, 0);
    check_equal("a free one", evtchn_listen(77, count, called), -EINVAL);
    check_equal("no listener stays", evtchn_count(), 0);
    check_equal("listen", evtchn_listen(peer, count, called), 0);
    check_equal("twice", evtchn_listen(peer, count, called), -EINVAL);
    check_equal("the first one stays", evtchn_count(), 1);
}

static void test_too_many_listeners(void **state)
{
    evtchn_port_t port, last = 0;
    unsigned int n = 0, ports;

    (void)state;
    while (evtchn_bind_ipi(count, &called[0], &port) == 0)
        n++, last = port;
    ports = fake_events_count();
    check_equal("listeners", evtchn_count(), n);
    check_equal("and no port more", ports, n + 1);
    check_equal("one more", evtchn_bind_ipi(count, called, &port), -ENOMEM);
    check_equal("closed again", fake_events_count(), ports);
    evtchn_close(last);
    check_equal("there is room again", evtchn_bind_ipi(count, called, &port), 0);
}

static void test_kinds(void **state)
{
    evtchn_port_t virq, again = 0, ipi;

    (void)state;
    check_equal("virq", evtchn_bind_virq(VIRQ_DEBUG, count, &called[0], &virq), 0);
    check_equal("twice", evtchn_bind_virq(VIRQ_DEBUG, count, called, &again), -XEN_EEXIST);
    check_equal("no port then", again, 0);
    fake_events_raise_virq(VIRQ_DEBUG);
    check_equal("an event", evtchn_dispatch(), 1);

    check_equal("ipi", evtchn_bind_ipi(count, &called[1], &ipi), 0);
    evtchn_notify(ipi);
    check_equal("to ourselves", evtchn_dispatch(), 1);
    check_equal("seen", called[1], 1);

    evtchn_notify(peer);
    check_equal("notifications of the other domain", fake_events.ports[peer].nr_sent, 1);
    check_equal("events of this domain", evtchn_dispatch(), 0);
    check_equal("listeners", evtchn_count(), 2);
}

/* A port that closes as an event for it is on the way: the event is nobody's, once. */
static void test_close(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_raise(peer);
    evtchn_close(peer);
    check_equal("closed", fake_events.ports[peer].kind, FAKE_FREE);
    check_true("masked", is_masked(peer));
    check_equal("no listener", evtchn_count(), 0);
    (void)evtchn_dispatch();
    check_equal("not called", called[0], 0);
    check_equal("quiet", shared.vcpu_info[0].evtchn_upcall_pending, 0);
    fake.nr_hypercalls = 0;
    evtchn_close(peer);
    check_equal("a second time is nothing", fake.nr_hypercalls, 0);
}

/* Whoever unmasks a port that nobody listens to must not be able to keep us awake. */
static void test_an_event_for_nobody(void **state)
{
    (void)state;
    shared.evtchn_mask[0] = 0;
    fake_events_raise(9);
    check_equal("dispatched", evtchn_dispatch(), 1);
    check_true("and masked", is_masked(9));
    check_true("and gone", !is_pending(9));
    fake_events_raise(9);
    check_equal("so it is silent", evtchn_dispatch(), 0);
}

static void close_peer(void *context)
{
    ++*(unsigned int *)context;
    evtchn_close(peer);
}

static void test_close_inside_its_handler(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, close_peer, &called[0]), 0);
    fake_events_raise(peer);
    check_equal("dispatch", evtchn_dispatch(), 1);
    check_equal("called", called[0], 1);
    check_equal("gone", evtchn_count(), 0);
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
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("timer", evtchn_bind_virq(VIRQ_TIMER, count, &called[1], &timer), 0);

    fake_events_raise(peer);
    fake.nr_hypercalls = 0;
    evtchn_wait(UINT64_MAX);
    check_equal("pending: no sleep", fake_events.nr_sleeps, 0);
    check_equal("nor a try", fake.nr_hypercalls, 0);
    check_equal("handled", called[0], 1);

    evtchn_wait(clock_ns());
    check_equal("it is time already", fake_events.nr_sleeps, 0);

    evtchn_wait(clock_ns() + 5 * NS_PER_S);
    check_equal("slept", fake_events.nr_sleeps, 1);
    check_equal("until then", clock_ns(), 6 * NS_PER_S);
    check_equal("by the timer", called[1], 1);
    check_equal("upcalls are masked again", shared.vcpu_info[0].evtchn_upcall_mask, 1);

    fake_events.idle = knock;
    evtchn_wait(UINT64_MAX);
    check_equal("woken by the other", called[0], 2);
    check_equal("no alarm was set", fake_events.alarm_ns, 0);
    check_equal("masked", shared.vcpu_info[0].evtchn_upcall_mask, 1);
}

/* shared_info goes away and comes back: what was listened to still is, what came is not lost. */
static void test_cancelled_suspend(void **state)
{
    static struct shared_info elsewhere __attribute__((aligned(4096)));
    evtchn_port_t other;

    (void)state;
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    check_equal("listen", evtchn_bind_ipi(count, &called[1], &other), 0);
    fake_events_raise(peer);
    evtchn_resume(NULL);
    evtchn_close(other); /* with no mask to be set */
    check_equal("closed", fake_events.ports[other].kind, FAKE_FREE);
    elsewhere = shared;
    elsewhere.vcpu_info[0].evtchn_upcall_mask = 0;
    memset(&shared, 0, sizeof(shared));
    evtchn_resume(&elsewhere);
    check_equal("masked", elsewhere.vcpu_info[0].evtchn_upcall_mask, 1);
    check_equal("dispatched", evtchn_dispatch(), 1);
    check_equal("called", called[0], 1);
    check_equal("the old page is left alone", shared.vcpu_info[0].evtchn_upcall_mask, 0);
}

static void test_new_domain(void **state)
{
    (void)state;
    check_equal("listen", evtchn_listen(peer, count, &called[0]), 0);
    fake_events_start(&shared);
    evtchn_start(&shared);
    check_equal("no listener is left", evtchn_count(), 0);
    check_true("masked", is_masked(peer));
}

/* Each way to make a port, with each of its hypercalls failing: no port and no listener stay. */
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
            check_equal("the errno", rc, -XEN_ENOMEM);
            check_equal("no port given", port, 0);
            check_equal("none open but the peer's", fake_events_count(), 1);
            check_equal("no listener", evtchn_count(), 0);
        }
    }
    start(NULL);
    fake.fail_at = 1;
    fake.fail_with = -XEN_EPERM;
    check_equal("listen", evtchn_listen(peer, count, called), -XEN_EPERM);
    fake.fail_at = 0;
    check_equal("no listener", evtchn_count(), 0);
}

/* Between a suspend and the next domain there is nowhere to look. */
static void test_without_shared_info(void **state)
{
    (void)state;
    evtchn_start(NULL);
    check_equal("nothing", evtchn_dispatch(), 0);
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
