/* SPDX-License-Identifier: MIT */
/*
 * evtchn_dispatch, evtchn_wait and the clock (xen/evtchn.h, xen/clock.h).
 *
 * Without these tests an event could be lost, be handled twice, or not wake a guest that sleeps in
 * Xen: the guest would hang until some other event arrives.
 */
#include "xen/clock.h"
#include "xen/evtchn.h"

#include "kernel/selftest/test.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/vcpu_time.h"

/* A port on which this domain sends itself events, and a handler that counts them. */
struct bell {
    evtchn_port_t port;
    unsigned int nr_handled;
    unsigned int nr_again; /* events that the handler still has to send itself */
};

static void ring(void *context)
{
    struct bell *b = context;

    b->nr_handled++;
    if (b->nr_again) {
        b->nr_again--;
        evtchn_notify(b->port);
    }
}

static bool bell_open(struct test *t, struct bell *b)
{
    *b = (struct bell){0};
    if (!ipi_open(t, ring, b, &b->port))
        return false;
    evtchn_dispatch();
    b->nr_handled = 0;
    return true;
}

static void bell_close(struct test *t, struct bell *b)
{
    evtchn_close(b->port);
    CHECK(t->d->shared->vcpu_info[0].evtchn_upcall_mask,
          "after evtchn_close: vcpu_info[0].evtchn_upcall_mask is 0, expected not 0");
}

TEST(events, "an event handler runs only in evtchn_dispatch, once for all events of its port")
{
    struct bell b;

    if (!bell_open(t, &b))
        return;
    evtchn_notify(b.port);
    CHECK(t->d->shared->vcpu_info[0].evtchn_upcall_pending,
          "after EVTCHNOP_send to port 0x%x: vcpu_info[0].evtchn_upcall_pending is 0, expected 1",
          b.port);
    CHECK_EQ(b.nr_handled, 0, "number of handler runs of port 0x%x before evtchn_dispatch", b.port);
    evtchn_notify(b.port);
    evtchn_dispatch();
    CHECK_EQ(b.nr_handled, 1,
             "number of handler runs of port 0x%x after 2 EVTCHNOP_send, 1 evtchn_dispatch",
             b.port);
    bell_close(t, &b);
}

TEST(events_nested, "evtchn_dispatch handles an event that arrives while its handler runs")
{
    struct bell b;

    if (!bell_open(t, &b))
        return;
    b.nr_again = 3;
    evtchn_notify(b.port);
    evtchn_dispatch();
    CHECK_EQ(b.nr_handled, 4,
             "number of handler runs of port 0x%x for 1 event and 3 more that its handler sent",
             b.port);
    bell_close(t, &b);
}

TEST(events_wait, "evtchn_wait does not sleep if an event is pending")
{
    struct bell b;
    uint64_t blocked;

    if (!bell_open(t, &b))
        return;
    evtchn_notify(b.port);
    blocked = vcpu_blocked_ns(t);
    evtchn_wait(clock_ns() + 5 * NS_PER_S);
    blocked = vcpu_blocked_ns(t) - blocked;
    CHECK_EQ(b.nr_handled, 1, "number of handler runs of pending port 0x%x in evtchn_wait", b.port);
    CHECK(blocked < 4 * NS_PER_S,
          "evtchn_wait(5 s) with a pending event: vCPU 0 was blocked for %lu ns, expected < "
          "4000000000",
          blocked);
    bell_close(t, &b);
}

/* Sleeps until the clock is at @until, in as many calls of evtchn_wait as that takes. */
struct sleep {
    uint64_t start, now;
    uint64_t blocked; /* time for which vCPU 0 was blocked */
    uint64_t back_ns; /* the largest step of the clock backwards */
    unsigned int nr_waits;
};

static struct sleep sleep_30ms(struct test *t)
{
    uint64_t start = clock_ns(), until = start + 30 * NS_PER_MS;
    struct sleep s = {.start = start, .now = start, .blocked = vcpu_blocked_ns(t)};

    for (; s.now < until && s.nr_waits < 1000; s.nr_waits++) {
        uint64_t before = s.now;

        evtchn_wait(until);
        s.now = clock_ns();
        if (s.now < before)
            s.back_ns = max_u64(s.back_ns, before - s.now);
    }
    s.blocked = vcpu_blocked_ns(t) - s.blocked;
    return s;
}

TEST(alarm, "evtchn_wait wakes the vCPU at its deadline")
{
    struct sleep s = sleep_30ms(t);

    CHECK(s.now >= s.start + 30 * NS_PER_MS && s.blocked < 10 * NS_PER_S,
          "%u calls of evtchn_wait(now + 30 ms) took %lu ns, expected >= 30000000; vCPU 0 was "
          "blocked for %lu ns, expected < 10000000000",
          s.nr_waits, s.now - s.start, s.blocked);
}

TEST(clock, "clock_ns never goes backwards")
{
    struct sleep s = sleep_30ms(t);

    CHECK(s.start, "clock_ns is 0, expected > 0");
    CHECK_EQ(s.back_ns, 0, "largest step backwards of clock_ns in %u calls of evtchn_wait (ns)",
             s.nr_waits);
}
