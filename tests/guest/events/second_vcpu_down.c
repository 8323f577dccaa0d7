/* SPDX-License-Identifier: MIT */
/*
 * VCPUOP_down of a vCPU that runs, by another vCPU, and its runstate (<xen/vcpu.h>).
 *
 * A kernel that takes a processor offline frees what this processor used. Without this test Xen
 * could report a vCPU as down that goes on to run, or count the time when it is down as time when
 * it ran.
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/events/second_room.h"
#include "tests/guest/vcpu_time.h"

#define LONG_WAIT_NS (3 * NS_PER_MS)

/* vCPU 1 counts until vCPU 0 stops it. */
struct counter {
    volatile uint64_t count, stop;
};

static void count_job(void *arg)
{
    struct counter *c = arg;

    while (!c->stop) {
        c->count++;
        barrier();
    }
}

static long second_op(unsigned int cmd)
{
    return HYPERVISOR_vcpu_op(cmd, SECOND, NULL);
}

static void sleep(uint64_t ns)
{
    evtchn_port_t none = 0;
    uint64_t until = clock_ns() + ns;

    while (clock_ns() < until)
        if (poll_ports(&none, 0, until))
            return;
}

static bool counts_on(struct test *t, struct counter *c, const char *when)
{
    uint64_t now = c->count;
    bool goes_on;

    /* the counter leaves its value at once, unless vCPU 1 does not run */
    for (unsigned int i = 0; i < 1000 && c->count == now; i++)
        sleep(i * 20000);
    goes_on = c->count != now;
    CHECK(goes_on, "%s: the counter of vCPU 1 stays at 0x%lx for 10 s, expected another value",
          when, now);
    return goes_on;
}

static void check_still(struct test *t, struct counter *c)
{
    struct vcpu_runstate_info a = vcpu_runstate(t, SECOND), b;
    uint64_t count = c->count;

    sleep(LONG_WAIT_NS);
    b = vcpu_runstate(t, SECOND);
    CHECK_EQ(c->count, count, "3 ms after VCPUOP_down of vCPU 1: the counter of vCPU 1");
    CHECK_EQ(b.time[RUNSTATE_running], a.time[RUNSTATE_running],
             "3 ms after VCPUOP_down of vCPU 1: time[RUNSTATE_running] of vCPU 1");
}

static void try_down(struct test *t, struct counter *c)
{
    if (!counts_on(t, c, "after VCPUOP_up of vCPU 1"))
        return;
    CHECK_RC(second_op(VCPUOP_is_up), 1, "VCPUOP_is_up of vCPU 1, which runs");
    CHECK_RC(second_op(VCPUOP_up), 0, "VCPUOP_up of vCPU 1, which runs");
    CHECK_RC(second_op(VCPUOP_down), 0, "VCPUOP_down of vCPU 1 by vCPU 0");
    CHECK_RC(second_op(VCPUOP_is_up), 0, "VCPUOP_is_up of vCPU 1 after VCPUOP_down");
    if (second_wait_offline(t, "VCPUOP_down of vCPU 1 by vCPU 0"))
        check_still(t, c);
    CHECK_RC(second_op(VCPUOP_down), 0, "VCPUOP_down of vCPU 1, which is down");
    CHECK_RC(second_op(VCPUOP_up), 0, "VCPUOP_up of vCPU 1, which is down");
    CHECK_RC(second_op(VCPUOP_is_up), 1, "VCPUOP_is_up of vCPU 1 after VCPUOP_up");
    counts_on(t, c, "after VCPUOP_down and VCPUOP_up of vCPU 1");
}

TEST_RULE(second_vcpu_down,
          "after VCPUOP_down by another vCPU a running vCPU stands still, and VCPUOP_up "
          "continues it")
{
    static struct counter c;

    c = (struct counter){0};
    if (!second_start(t, count_job, &c))
        return;
    try_down(t, &c);
    c.stop = 1;
    second_wait(t);
}
