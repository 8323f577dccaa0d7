/* SPDX-License-Identifier: MIT */
/*
 * The timers of a vCPU: VCPUOP_set_singleshot_timer, VCPUOP_set_periodic_timer (<xen/vcpu.h>) and
 * HYPERVISOR_set_timer_op (<xen/xen.h>: "timeout is an absolute system time").
 *
 * A kernel keeps its time slices and its time-outs by these timers. Without these tests a timer
 * could fire early, not at all, or after it was stopped. A kernel that has set a time in the past
 * waits for an event that must come at once; without the event it sleeps for ever.
 *
 * The tests have no upper limit of time: abi_alarm.h says how they know that a timer did not fire.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_alarm.h"

#include <xen/vcpu.h>

#define ETIME      62 /* <xen/errno.h> */
#define NS_PER_H   (3600 * NS_PER_S)
#define PERIOD_NS  (2 * NS_PER_MS)
#define NR_PERIODS 3

typedef long (*set_t)(uint64_t at_ns);

static long set_singleshot(uint64_t at_ns)
{
    return alarm_set(at_ns, 0);
}

static long set_timer_op(uint64_t at_ns)
{
    return HYPERVISOR_any(__HYPERVISOR_set_timer_op, at_ns, 0, 0, 0);
}

static long set_timer_op_0(void)
{
    return set_timer_op(0);
}

/* The two ways to set and to stop the single-shot timer. */
static const struct way {
    const char *name, *stop_name;
    set_t set;
    long (*stop)(void);
} ways[] = {
    {"VCPUOP_set_singleshot_timer", "VCPUOP_stop_singleshot_timer", set_singleshot, alarm_stop    },
    {"set_timer_op",                "set_timer_op(0)",              set_timer_op,   set_timer_op_0},
};

static void set(struct test *t, const struct way *way, uint64_t at_ns, const char *when)
{
    CHECK_RC(way->set(at_ns), 0, "%s, %s", way->name, when);
}

/* Sets the timer to @at_ns: it must fire, and not before. */
static void check_fires(struct alarm *a, const struct way *way, uint64_t at_ns, const char *when)
{
    struct test *t = a->t;
    uint32_t version = clock_version(t);
    uint64_t early;
    bool fired;

    set(t, way, at_ns, when);
    fired = alarm_wait(a, max_u64(at_ns, clock_ns()) + SLEEP_NS);
    early = clock_early_ns(t, at_ns, version);
    CHECK(
        fired,
        "%s, %s: no VIRQ_TIMER event when a SCHEDOP_poll with a later timeout ended, expected one",
        way->name, when);
    CHECK(!fired || !early,
          "%s, %s: the timer fired %lu ns before its time, expected at most %u ns before",
          way->name, when, early, SLACK_NS);
    alarm_drop(a);
}

static void check_silent(struct alarm *a, const struct way *way, const char *when)
{
    struct test *t = a->t;

    CHECK(!alarm_wait(a, clock_ns() + SLEEP_NS),
          "%s, %s: a VIRQ_TIMER event came within 2 ms, expected none", way->name, when);
    alarm_drop(a);
}

static void try_way(struct alarm *a, const struct way *way)
{
    struct test *t = a->t;

    check_fires(a, way, 1, "time 1 ns");
    check_fires(a, way, clock_ns() - NS_PER_MS, "1 ms in the past");
    check_fires(a, way, clock_ns() + SLEEP_NS, "2 ms in the future");
    check_silent(a, way, "after the timer has fired");

    set(t, way, clock_ns() + NS_PER_H, "1 h in the future");
    check_silent(a, way, "1 h in the future");
    check_fires(a, way, clock_ns() + SLEEP_NS, "2 ms in the future, instead of 1 h");

    set(t, way, clock_ns() + SLEEP_NS, "2 ms in the future, to be replaced");
    check_fires(a, way, 1, "time 1 ns, instead of 2 ms in the future");
    check_silent(a, way, "after time 1 ns replaced 2 ms in the future");

    set(t, way, clock_ns() + SLEEP_NS, "2 ms in the future, to be stopped");
    CHECK_RC(way->stop(), 0, "%s of a timer that is set", way->stop_name);
    alarm_drop(a); /* on a busy machine the timer may have fired before it was stopped */
    check_silent(a, way, "after the timer was stopped");
    CHECK_RC(way->stop(), 0, "%s of a timer that is not set", way->stop_name);
}

TEST_RULE(abi_singleshot,
          "the single-shot timer of a vCPU fires once, not before its time, and not after "
          "it was stopped")
{
    struct alarm a;

    if (!alarm_open(&a, t))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(ways) && t->result == TEST_SUCCESS; i++)
        try_way(&a, &ways[i]);
    alarm_close(&a);
}

/*
 * <xen/vcpu.h>: "Request the timeout to be in the future (return -ETIME if it's passed) but can be
 * ignored by the hypervisor". Xen 4.14 heeds the flag, Xen 4.17 ignores it.
 */
TEST_RULE(abi_singleshot_future,
          "VCPU_SSHOTTMR_future: a time in the past has either the result ETIME or "
          "a timer event, not both")
{
    struct alarm a;
    uint64_t at;
    bool fired;
    long rc;

    if (!alarm_open(&a, t))
        return;
    rc = alarm_set(clock_ns() - NS_PER_MS, VCPU_SSHOTTMR_future);
    fired = alarm_wait(&a, clock_ns() + SLEEP_NS);
    if (rc != -ETIME)
        CHECK_RC(rc, 0, "VCPUOP_set_singleshot_timer with VCPU_SSHOTTMR_future, 1 ms in the past");
    CHECK_EQ(fired, rc == 0,
             "VCPUOP_set_singleshot_timer with VCPU_SSHOTTMR_future, 1 ms in the past, result %ld: "
             "number of VIRQ_TIMER events",
             rc);
    alarm_drop(&a);
    at = clock_ns() + 50 * NS_PER_MS; /* late enough that a busy machine does not miss it */
    rc = alarm_set(at, VCPU_SSHOTTMR_future);
    if (rc != -ETIME || clock_ns() < at) /* otherwise the machine stood still for 50 ms */
        CHECK_RC(rc, 0,
                 "VCPUOP_set_singleshot_timer with VCPU_SSHOTTMR_future, 50 ms in the future");
    alarm_close(&a);
}

TEST_RULE(abi_timer_of_other,
          "VCPUOP_set_singleshot_timer and _stop_ refuse another vCPU than the caller")
{
    struct vcpu_set_singleshot_timer arg = {.timeout_abs_ns = 1};
    long expected = t->d->host.nr_vcpus > 1 ? -EINVAL : -ENOENT;

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 1, &arg), expected,
             "VCPUOP_set_singleshot_timer of vCPU 1 by vCPU 0");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_singleshot_timer, 1, NULL), expected,
             "VCPUOP_stop_singleshot_timer of vCPU 1 by vCPU 0");
}

static long set_period(uint64_t period_ns)
{
    struct vcpu_set_periodic_timer arg = {.period_ns = period_ns};

    return HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &arg);
}

/* The first event may come at once: Xen counts the period from the event before. */
static void check_periods(struct alarm *a)
{
    struct test *t = a->t;
    uint32_t version = clock_version(t);
    uint64_t start = clock_ns();

    CHECK_RC(set_period(PERIOD_NS), 0, "VCPUOP_set_periodic_timer, period 2 ms");
    for (unsigned int i = 0; i <= NR_PERIODS; i++) {
        bool fired = alarm_wait(a, clock_ns() + 2 * PERIOD_NS);

        uint64_t early = clock_early_ns(t, start + i * PERIOD_NS, version);

        CHECK(fired,
              "VCPUOP_set_periodic_timer, period 2 ms: after %u events, no VIRQ_TIMER event within "
              "4 ms, expected one",
              i);
        CHECK(!early,
              "VCPUOP_set_periodic_timer, period 2 ms: VIRQ_TIMER event %u (from 0) came %lu ns "
              "before %lu ns had passed, expected at most %u ns before",
              i, early, i * PERIOD_NS, SLACK_NS);
        alarm_drop(a);
    }
}

static void check_stopped(struct alarm *a)
{
    struct test *t = a->t;

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0,
             "VCPUOP_stop_periodic_timer");
    alarm_drop(a);
    CHECK(!alarm_wait(a, clock_ns() + 2 * PERIOD_NS),
          "VCPUOP_stop_periodic_timer, period 2 ms: a VIRQ_TIMER event came within 4 ms, expected "
          "none");
    alarm_drop(a);
}

/*
 * The longest period that Xen accepts is 2^62 - 1 ns (XSA-20). A Xen that accepts INT64_MAX may
 * hang, because the time of the next event overflows. So 2^62 comes first, which overflows only
 * after 146 years, and the longer periods follow only if Xen has refused 2^62.
 */
static void check_periods_refused(struct test *t)
{
    static const uint64_t refused[] = {
        0, 1, NS_PER_MS - 1, (uint64_t)1 << 62, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(refused) && t->result == TEST_SUCCESS; i++)
        CHECK_RC(set_period(refused[i]), -EINVAL, "VCPUOP_set_periodic_timer, period 0x%lx ns",
                 refused[i]);
}

TEST_RULE(abi_periodic,
          "the periodic timer of a vCPU fires once in each period, and not after it was "
          "stopped")
{
    struct alarm a;

    if (!alarm_open(&a, t))
        return;
    check_periods_refused(t);
    CHECK(!alarm_wait(&a, clock_ns() + SLEEP_NS),
          "after refused calls of VCPUOP_set_periodic_timer: a VIRQ_TIMER event came within 2 ms, "
          "expected none");
    check_periods(&a);
    check_stopped(&a);
    alarm_close(&a);
}
