/* SPDX-License-Identifier: MIT */
/*
 * Without these an event could be lost, be handled twice, or not wake a guest that sleeps: it would
 * hang for ever, or for as long as nothing else happens.
 */
#include "xen/clock.h"
#include "xen/evtchn.h"

#include "kernel/selftest/test.h"

/* What the handler is to do, and what it has seen. */
struct bell {
    unsigned int nr_rings, nr_again;
    evtchn_port_t port;
};

static void ring(void *context)
{
    struct bell *b = context;

    b->nr_rings++;
    if (b->nr_again) { /* an event that comes while its like is handled is one more */
        b->nr_again--;
        evtchn_notify(b->port);
    }
}

TEST(events, "an event to ourselves waits until we look, is handled once, and wakes us")
{
    volatile const struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    struct bell bell = {0};
    uint64_t start;

    if (evtchn_bind_ipi(ring, &bell, &bell.port)) {
        test_error(t, "no port for an event to ourselves");
        return;
    }
    evtchn_dispatch();
    bell.nr_rings = 0;
    evtchn_notify(bell.port);
    CHECK(vcpu->evtchn_upcall_mask && vcpu->evtchn_upcall_pending,
          "an event is not pending, or upcalls are not masked");
    CHECK(bell.nr_rings == 0, "an event was handled before we looked");
    evtchn_notify(bell.port);
    evtchn_dispatch();
    CHECK(bell.nr_rings == 1, "two events that came together were handled %u times, expected once",
          bell.nr_rings);

    bell.nr_again = 3;
    evtchn_notify(bell.port);
    evtchn_dispatch();
    CHECK(bell.nr_rings == 5, "an event that came while one was handled was lost: %u of 4",
          bell.nr_rings - 1);

    evtchn_notify(bell.port);
    start = clock_ns();
    evtchn_wait(start + 5 * NS_PER_S);
    CHECK(bell.nr_rings == 6, "an event that was pending before we slept was not handled");
    CHECK(clock_ns() - start < 4 * NS_PER_S, "it did not keep us from sleeping");

    evtchn_close(bell.port);
    CHECK(vcpu->evtchn_upcall_mask, "upcalls are not masked after a sleep");
}

TEST(alarm, "the clock goes forward, and an alarm wakes us at its time, not before")
{
    uint64_t start = clock_ns(), now = start, until = start + 30 * NS_PER_MS;
    unsigned int nr_sleeps = 0;

    CHECK(start, "the clock says 0");
    for (; now < until && nr_sleeps < 1000; nr_sleeps++) {
        uint64_t before = now;

        evtchn_wait(until);
        now = clock_ns();
        CHECK(now >= before, "the clock goes back by %lu ns", before - now);
    }
    CHECK(now >= until, "after %u sleeps of up to 30 ms only %lu ns have gone by", nr_sleeps,
          now - start);
    CHECK(now < until + 10 * NS_PER_S, "an alarm of 30 ms came after %lu ms",
          (now - start) / NS_PER_MS);
}
