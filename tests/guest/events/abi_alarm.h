/* SPDX-License-Identifier: MIT */
/*
 * The single-shot timer of vCPU 0, for the self-tests of time (abi_timer.c, abi_poll.c and others).
 *
 * While an alarm is open, all ports are masked (events_quiet of abi_port.h), the one of VIRQ_TIMER
 * too. A masked port wakes a vCPU only from a SCHEDOP_poll that names it.
 *
 * No self-test may depend on the speed of the machine. Xen runs the timers of a processor in the
 * order of their times. So a test that waits for a timer sets a second one, later, as a backstop:
 * when the backstop has fired, the first timer must have fired. A sleep that is ended by a timer
 * may end late, after the backstop, if the machine was busy: then the test sleeps again
 * (MAX_SLEEPS).
 */
#ifndef TESTS_GUEST_EVENTS_ABI_ALARM_H
#define TESTS_GUEST_EVENTS_ABI_ALARM_H

#include "xen/clock.h"

#include "tests/guest/events/abi_port.h"

/* A sleep of the tests, and the time until its backstop, which grows with each new try. */
#define SLEEP_NS    (2 * NS_PER_MS)
#define BACKSTOP_NS (4 * NS_PER_MS)
#define MAX_SLEEPS  8

/* How much earlier than the time of a timer clock_ns() may be when the timer has fired. */
#define SLACK_NS 100000

/*
 * Xen has a clock for each processor. In QEMU the clocks of two processors may differ by
 * milliseconds on a busy machine, and Xen may move a vCPU from one to the other. It then writes the
 * vCPU's record anew. So two times are compared only if the record has the same version at both.
 */
uint32_t clock_version(const struct test *t);

/*
 * By how many nanoseconds clock_ns() is before @at_ns: 0 if by at most SLACK_NS, or if the record
 * does not have the version @version.
 */
uint64_t clock_early_ns(const struct test *t, uint64_t at_ns, uint32_t version);

/* clock_of() of *@record, the record of the calling vCPU, and the version that was read by. */
struct reading {
    uint64_t ns;
    uint32_t version;
};
struct reading clock_read(const volatile struct vcpu_time_info *record);

struct alarm {
    struct test *t;
    struct events e;
    evtchn_port_t port; /* of VIRQ_TIMER: the kernel's */
};

/*
 * Stops the timers of vCPU 0, masks all ports and finds the port of VIRQ_TIMER. False: the port was
 * not found, because no timer event came, and the test has failed.
 */
bool alarm_open(struct alarm *a, struct test *t) __must_check;
/* Stops the timers, drops their events, and unmasks the kernel's ports. */
void alarm_close(struct alarm *a);

/* VCPUOP_set_singleshot_timer and VCPUOP_stop_singleshot_timer of vCPU 0. */
long alarm_set(uint64_t at_ns, uint32_t flags) __must_check;
long alarm_stop(void) __must_check;

bool alarm_fired(const struct alarm *a);
/* Drops the timer event, with the selector and the upcall flag of vCPU 0. */
void alarm_drop(struct alarm *a);

/* SCHEDOP_poll of the ports at @ports until @until_ns; 0: without a timeout. */
long poll_ports(const evtchn_port_t *ports, unsigned int nr, uint64_t until_ns) __must_check;

/*
 * Sleeps in SCHEDOP_poll of the timer port until the timer fires or the clock is at @until_ns.
 * True: the timer has fired.
 */
bool alarm_wait(struct alarm *a, uint64_t until_ns);

#endif
