/* SPDX-License-Identifier: MIT */
/*
 * The time record of a second vCPU: struct vcpu_time_info of <xen/xen.h>.
 *
 * Each vCPU has a record of its own, for the processor that runs it. Without this test Xen could
 * write the record of vCPU 0 only: a kernel that computes the time on another vCPU would see it
 * stand still.
 */
#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/events/second_room.h"

#define SAMPLE_NS (5 * NS_PER_MS)
#define FULL_NS   (3 * NS_PER_S) /* with test=full */

struct samples {
    const volatile struct vcpu_time_info *record;
    uint64_t sample_ns;
    uint64_t nr;              /* number of readings */
    struct reading last, now; /* the last two       */
    bool backwards;
};

/* Runs on vCPU 1. abi_time.c explains why readings with two versions are not compared. */
static void sample_job(void *arg)
{
    struct samples *s = arg;
    uint64_t until;

    s->now = clock_read(s->record);
    until = s->now.ns + s->sample_ns;
    do {
        s->last = s->now;
        s->now = clock_read(s->record);
        s->backwards = s->now.version == s->last.version && s->now.ns < s->last.ns;
        s->nr++;
    } while (!s->backwards && s->now.version % 2 == 0 && s->now.ns < until);
}

TEST_RULE(second_vcpu_time,
          "system time of vCPU 1 advances and never goes backwards on vCPU 1, and the "
          "version of its record is even")
{
    static struct samples s;

    s = (struct samples){
        .record = &t->d->shared->vcpu_info[SECOND].time,
        .sample_ns = cmdline_wants_full(&t->d->options) ? FULL_NS : SAMPLE_NS,
    };
    if (!second_start(t, sample_job, &s) || !second_wait(t))
        return;
    CHECK(!s.backwards,
          "system time of vCPU 1, reading %lu: 0x%lx ns, expected >= 0x%lx, the reading before",
          s.nr, s.now.ns, s.last.ns);
    CHECK(s.now.version && s.now.version % 2 == 0,
          "vcpu_info[1].time.version, reading %lu: 0x%x, expected an even number > 0", s.nr,
          s.now.version);
}
