/* SPDX-License-Identifier: MIT */
/*
 * System time and wall-clock time as Xen publishes them: struct vcpu_time_info and struct
 * shared_info of <xen/xen.h>. (Xen xen/arch/x86/time.c.)
 *
 * A kernel computes the time from this record without a hypercall. Without these tests the time
 * could go backwards, or run faster or slower than Xen's own clock, by which Xen's timers fire: a
 * kernel then sleeps too long, or finds that its timers fire early. A version that stays odd makes
 * the kernel wait for ever.
 *
 * The second source is Xen's own clock. VCPUOP_get_runstate_info returns the time spent in each
 * state, and <xen/vcpu.h> promises: "The sum of these times is guaranteed not to drift from system
 * time".
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"

#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/vcpu_time.h"

#define SAMPLE_NS (30 * NS_PER_MS)
#define FULL_NS   (3 * NS_PER_S) /* with test=full: Xen updates the record once in a second */

/* Of the wall-clock time, which control software may set meanwhile. */
#define MAX_READINGS 1000

/* Plausible seconds since 1970: from 2005, which is before the first Xen 3, on, for 200 years. */
#define YEAR_2005 1104537600
#define YEAR_2205 7416000000

static uint64_t sample_ns(const struct test *t)
{
    return cmdline_wants_full(&t->d->options) ? FULL_NS : SAMPLE_NS;
}

static const volatile struct vcpu_time_info *record(const struct test *t)
{
    return &t->d->shared->vcpu_info[0].time;
}

/*
 * Two readings are compared if the record was the same at both: Xen also writes the record when it
 * moves the vCPU to another processor, whose clock may be behind in QEMU.
 */
TEST_RULE(abi_time_monotonic,
          "system time of struct vcpu_time_info never goes backwards, and its version "
          "is even")
{
    struct reading now = clock_read(record(t)), last;
    uint64_t until = now.ns + sample_ns(t), nr = 0;
    bool backwards;

    do {
        last = now;
        now = clock_read(record(t));
        backwards = now.version == last.version && now.ns < last.ns;
        nr++;
    } while (!backwards && now.version % 2 == 0 && now.ns < until);
    CHECK(!backwards,
          "system time of vCPU 0, reading %lu: 0x%lx ns, expected >= 0x%lx, the reading before", nr,
          now.ns, last.ns);
    CHECK(now.version && now.version % 2 == 0,
          "vcpu_info[0].time.version, reading %lu: 0x%x, expected an even number > 0", nr,
          now.version);
}

/* The sum of all runstate times of vCPU 0: Xen's clock, less the time when Xen made the vCPU. */
static bool runstate_sum(struct test *t, uint64_t *sum)
{
    struct vcpu_runstate_info info = vcpu_runstate(t, 0);

    *sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(info.time); i++)
        *sum += info.time[i];
    return info.state >= 0;
}

/*
 * The difference of the two clocks lies between (system time before the hypercall - sum) and
 * (system time after it - sum). Each sample narrows this range. If the range is empty, one of the
 * clocks drifts.
 */
TEST_RULE(abi_time_drift,
          "system time of struct vcpu_time_info advances as the sum of the runstate times "
          "(<xen/vcpu.h>)")
{
    uint64_t start = clock_ns(), until = start + sample_ns(t), now, sum;
    int64_t low = INT64_MIN / 2, high = INT64_MAX / 2;
    uint32_t version = 0;

    do {
        uint64_t before = clock_ns();

        if (!runstate_sum(t, &sum))
            return;
        now = clock_ns();
        if (record(t)->version != version) { /* another processor, or Xen has set its clock */
            version = record(t)->version;
            low = INT64_MIN / 2, high = INT64_MAX / 2;
            continue;
        }
        if ((int64_t)(before - sum) > low)
            low = (int64_t)(before - sum);
        if ((int64_t)(now - sum) < high)
            high = (int64_t)(now - sum);
    } while (low <= high + SLACK_NS && now < until);
    CHECK(
        low <= high + SLACK_NS,
        "%lu ns after the first reading: system time less the sum of the runstate times of vCPU 0 "
        "has changed by %ld ns, expected at most %u ns",
        now - start, low - high, SLACK_NS);
}

struct wall {
    uint32_t version;
    uint64_t sec;
    uint32_t nsec;
};

/* False: control software has set the time meanwhile, and Xen has written, or writes, *@w. */
static bool read_wall(const struct test *t, struct wall *w)
{
    const volatile struct shared_info *s = t->d->shared;

    w->version = s->wc_version;
    barrier();
    w->sec = (uint64_t)s->wc_sec_hi << 32 | s->wc_sec;
    w->nsec = s->wc_nsec;
    barrier();
    return w->version % 2 == 0 && w->version == s->wc_version;
}

TEST_RULE(abi_wall_clock,
          "shared_info has a plausible wall-clock time, with an even version, in two equal "
          "readings")
{
    struct wall first = {0}, second = {0};
    unsigned int tries = 0;

    while ((!read_wall(t, &first) || !read_wall(t, &second) || first.version != second.version) &&
           ++tries < MAX_READINGS)
        ;
    CHECK(first.version && first.version % 2 == 0,
          "shared_info.wc_version is 0x%x, expected an even number > 0", first.version);
    CHECK_EQ(first.version, second.version, "shared_info.wc_version in a second reading");
    CHECK_EQ(first.sec, second.sec, "shared_info.wc_sec in a second reading");
    CHECK_EQ(first.nsec, second.nsec, "shared_info.wc_nsec in a second reading");
    CHECK(first.nsec < NS_PER_S, "shared_info.wc_nsec is %u, expected < 1000000000", first.nsec);
    CHECK(first.sec >= YEAR_2005 && first.sec < YEAR_2205,
          "shared_info.wc_sec_hi and wc_sec are %lu s since 1970, expected in [%lu, %lu)",
          first.sec, (uint64_t)YEAR_2005, (uint64_t)YEAR_2205);
}
