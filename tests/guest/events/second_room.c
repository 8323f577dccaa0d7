/* SPDX-License-Identifier: MIT */
#include "tests/guest/events/second_room.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/smp.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/second_failsafe.h"
#include "tests/guest/vcpu_time.h"

#define MAX_NS        (10 * NS_PER_S) /* that vCPU 0 runs while it waits for vCPU 1 */
#define CONTEXT_PAGES DIV_ROUND_UP(sizeof(struct vcpu_guest_context), PAGE_SIZE)
/* At the lowest address of the stack: an overflow overwrites it. */
#define CANARY 0x5a5a1234a5a54321

static uint64_t stack[SECOND_STACK_BYTES / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));

/* What vCPU 1 does: written by vCPU 0 while vCPU 1 is down. */
static struct {
    void (*job)(void *arg);
    void *arg;
    volatile uint64_t started, done; /* number of jobs */
} work;

/* Runs on vCPU 1. VCPUOP_up continues it behind its VCPUOP_down. */
static void second_main(void *arg)
{
    (void)arg;
    for (;;) {
        work.job(work.arg);
        barrier();
        work.done = work.started;
        (void)!HYPERVISOR_vcpu_op(VCPUOP_down, SECOND, NULL);
    }
}

uintptr_t second_stack_end(void)
{
    return (uintptr_t)(stack + ARRAY_SIZE(stack));
}

void second_context(const struct test *t, struct vcpu_guest_context *context)
{
    stack[0] = CANARY;
    vcpu_context(context, second_main, NULL, stack + ARRAY_SIZE(stack), t->d->pt.root);
    second_failsafe_prepare(context);
}

void second_give_up(void)
{
    work.started = work.done + 1;
}

static long initialise(struct test *t)
{
    struct vcpu_guest_context *context;
    struct room r;
    long rc;

    if (!room_open(&r, t, 16))
        return -ENOMEM;
    context = room_alloc(&r, CONTEXT_PAGES);
    second_context(t, context);
    rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context);
    CHECK_RC(rc, 0, "VCPUOP_initialise of vCPU 1");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_is_up, SECOND, NULL), 0,
             "VCPUOP_is_up of vCPU 1 after VCPUOP_initialise, before VCPUOP_up");
    if (!rc)
        CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context), -EEXIST,
                 "second VCPUOP_initialise of vCPU 1");
    room_free(&r, context, CONTEXT_PAGES);
    room_close(&r);
    return rc;
}

static long up(void (*job)(void *arg), void *arg)
{
    long rc;

    work.job = job, work.arg = arg;
    work.started++;
    rc = HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL);
    if (rc)
        work.done = work.started;
    return rc;
}

static void no_job(void *arg)
{
    (void)arg;
}

/* Initialises vCPU 1, which then takes its failsafe callback before anything else. */
static bool first_start(struct test *t)
{
    bool ended;

    if (initialise(t))
        return false;
    second_failsafe_expect(t->d);
    ended = !up(no_job, NULL) && second_wait(t);
    second_failsafe_end();
    return ended;
}

bool second_exists(struct test *t)
{
    if (t->d->host.nr_vcpus > 1)
        return true;
    test_skip(t, "this domain has one vCPU, the test needs two");
    return false;
}

bool second_start(struct test *t, void (*job)(void *arg), void *arg)
{
    long rc;

    if (!second_exists(t))
        return false;
    if (work.done != work.started) {
        test_fail(t, "vCPU 1 cannot be used: the job of an earlier test has not ended, or "
                     "VCPUOP_initialise accepted an invalid context");
        return false;
    }
    rc = up(job, arg);
    /* -EINVAL: vCPU 1 of this domain, which may be a restored one, is not initialised. */
    if (rc == -EINVAL && first_start(t))
        rc = up(job, arg);
    CHECK_RC(rc, 0, "VCPUOP_up of vCPU 1");
    return !rc;
}

bool second_wait_for(struct test *t, const volatile uint64_t *value, uint64_t expected)
{
    uint64_t until = vcpu_running_ns(t) + MAX_NS;

    while (*value != expected && vcpu_running_ns(t) < until)
        watchdog_kick();
    return *value == expected;
}

bool second_wait_state(struct test *t, int state)
{
    uint64_t until = vcpu_running_ns(t) + MAX_NS;
    int found;

    /* offline behind its job, vCPU 1 reaches no other state */
    while ((found = vcpu_runstate(t, SECOND).state) != state && found != RUNSTATE_offline &&
           vcpu_running_ns(t) < until)
        watchdog_kick();
    return found == state;
}

/* Down, and no longer on a physical CPU. */
bool second_wait_offline(struct test *t, const char *step)
{
    bool offline = second_wait_state(t, RUNSTATE_offline);

    CHECK(offline, "10 s after %s: runstate of vCPU 1 is %d, expected %d (RUNSTATE_offline)", step,
          vcpu_runstate(t, SECOND).state, RUNSTATE_offline);
    return offline;
}

bool second_wait(struct test *t)
{
    bool done = second_wait_for(t, &work.done, work.started);
    long is_up;

    CHECK(done, "10 s after VCPUOP_up of vCPU 1: vCPU 1 has ended job %lu, expected job %lu",
          work.done, work.started);
    if (!done)
        return false;
    done = second_wait_offline(t, "VCPUOP_down of vCPU 1 by vCPU 1");
    is_up = HYPERVISOR_vcpu_op(VCPUOP_is_up, SECOND, NULL);
    CHECK_RC(is_up, 0, "VCPUOP_is_up of vCPU 1 after VCPUOP_down by vCPU 1");
    CHECK_EQ(stack[0], CANARY, "lowest word of the stack of vCPU 1");
    return done && !is_up;
}
