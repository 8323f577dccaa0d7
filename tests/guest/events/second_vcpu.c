/* SPDX-License-Identifier: MIT */
/*
 * A second vCPU: its initialisation, and the P2M list as it reads it.
 *
 * Without these tests nothing would show that the page tables and the P2M list that this kernel
 * builds on vCPU 0 are right on another vCPU, which has its own TLB and its own stack. vCPU 1 is
 * brought up, computes a checksum of the P2M list at the same time as vCPU 0, and takes itself
 * down, twice.
 *
 * <xen/vcpu.h>: "Each VCPU can be initialised only once"; a second VCPUOP_initialise returns
 * -EEXIST. A vCPU that is down "still holds memory references via its pagetable base pointer".
 * VCPUOP_up continues it behind its VCPUOP_down. Invalid contexts are tried first.
 * Xen crashed when it preempted VCPUOP_initialise (XSA-296, "VCPUOP_initialise DoS").
 */
#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"
#include "arch/x86/smp.h"

#include "xen/clock.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/vcpu_time.h"

#include <xen/vcpu.h>

#define SECOND      1 /* the number of the second vCPU */
#define STACK_PAGES 2
#define MAX_NS      (10 * NS_PER_S)     /* that vCPU 0 runs while it waits for vCPU 1 */
#define MAX_ENTRIES ((uint64_t)1 << 24) /* in the checksum: the P2M entries of 64 GiB */
#define NR_TURNS    2

/* What both vCPUs share. A turn is one checksum, from VCPUOP_up to VCPUOP_down. */
struct work {
    const uint64_t *list;
    uint64_t nr;
    volatile uint64_t turn; /* the last one that vCPU 1 has begun, from 1 */
    volatile uint64_t done; /* the last one that vCPU 1 has completed     */
    volatile uint64_t sum, stack;
};

static uint64_t checksum(const struct work *w)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < w->nr; i++)
        sum = sum * 31 + w->list[i];
    return sum;
}

/* Runs on vCPU 1. VCPUOP_down ends a turn; after VCPUOP_up the next turn begins behind it. */
static void second_main(void *arg)
{
    struct work *w = arg;

    for (;;) {
        w->turn++;
        w->stack = (uintptr_t)__builtin_frame_address(0);
        w->sum = checksum(w);
        barrier();
        w->done = w->turn;
        (void)!HYPERVISOR_vcpu_op(VCPUOP_down, SECOND, NULL);
    }
}

static bool wait_for(struct test *t, volatile uint64_t *value, uint64_t expected)
{
    uint64_t until = vcpu_running_ns(t) + MAX_NS;

    while (*value != expected && vcpu_running_ns(t) < until)
        barrier();
    return *value == expected;
}

static long is_up(void)
{
    return HYPERVISOR_vcpu_op(VCPUOP_is_up, SECOND, NULL);
}

/*
 * Down, and no longer on a physical CPU (RUNSTATE_offline): the stack of vCPU 1 may be freed.
 * *@runstate is the last RUNSTATE_* of vCPU 1, or the errno of VCPUOP_get_runstate_info.
 */
static bool wait_until_down(struct test *t, int *runstate)
{
    uint64_t until = vcpu_running_ns(t) + MAX_NS;
    struct vcpu_runstate_info state = {0};

    do {
        *runstate = (int)HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, SECOND, &state);
        if (*runstate)
            return false;
        *runstate = state.state;
    } while ((is_up() || state.state != RUNSTATE_offline) && vcpu_running_ns(t) < until);
    return !is_up() && state.state == RUNSTATE_offline;
}

static void take_turn(struct test *t, struct work *w, uint64_t turn, uintptr_t stack_end)
{
    uint64_t sum;
    int state;

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), 0,
             "VCPUOP_up of vCPU 1, for checksum %lu of the P2M list", turn);
    sum = checksum(w);
    CHECK(wait_for(t, &w->done, turn),
          "10 s after VCPUOP_up of vCPU 1: vCPU 1 has begun %lu checksums of the P2M list and "
          "completed %lu, expected %lu completed",
          w->turn, w->done, turn);
    if (w->done == turn)
        CHECK_EQ(w->sum, sum,
                 "checksum %lu of the P2M list by vCPU 1 (vCPU 0 computed the expected one)", turn);
    CHECK(stack_end - w->stack < STACK_PAGES * PAGE_SIZE,
          "checksum %lu of the P2M list: stack frame of vCPU 1 is at 0x%lx, expected in [0x%lx, "
          "0x%lx)",
          turn, w->stack, stack_end - STACK_PAGES * PAGE_SIZE, stack_end);
    CHECK(wait_until_down(t, &state),
          "10 s after VCPUOP_down number %lu of vCPU 1: VCPUOP_is_up is %ld and runstate is %d, "
          "expected 0 and %d (RUNSTATE_offline)",
          turn, is_up(), state, RUNSTATE_offline);
}

/* A context whose CR3 is past all memory. The errno tells whether vCPU 1 is initialised already. */
static long try_bad_root(struct vcpu_guest_context *c)
{
    uint64_t root = c->ctrlreg[3];
    long rc;

    c->ctrlreg[3] = (uint64_t)1 << 51;
    rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, c);
    c->ctrlreg[3] = root;
    return rc;
}

/* Other calls that Xen must refuse. vCPU 1 stays uninitialised. */
static void try_bad_contexts(struct test *t, struct vcpu_guest_context *c)
{
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), -EINVAL,
             "VCPUOP_up of vCPU 1, which is not initialised");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, (void *)HYPERVISOR_VIRT_START), -EFAULT,
             "VCPUOP_initialise of vCPU 1, context at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    c->event_callback_eip ^= (uint64_t)1 << 62;
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, c), -EINVAL,
             "VCPUOP_initialise of vCPU 1, event callback at non-canonical 0x%lx",
             c->event_callback_eip);
    c->event_callback_eip ^= (uint64_t)1 << 62;
}

static void bring_up(struct test *t, struct vcpu_guest_context *context, struct work *work,
                     uintptr_t stack_end)
{
    long rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context);
    int state;

    CHECK_RC(rc, 0, "VCPUOP_initialise of vCPU 1");
    CHECK_EQ((uint64_t)is_up(), 0, "result of VCPUOP_is_up of vCPU 1 before VCPUOP_up");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context), -EEXIST,
             "second VCPUOP_initialise of vCPU 1");
    for (uint64_t turn = 1; !rc && turn <= NR_TURNS && t->result == TEST_SUCCESS; turn++)
        take_turn(t, work, turn, stack_end);

    if (!rc && !wait_until_down(t, &state)) /* it uses its stack, which can then not be freed */
        panic(
            "self-test %s: vCPU 1 does not go down: runstate is %d, expected %d; vCPU 1 has begun "
            "%lu checksums of the P2M list and completed %lu",
            t->test->name, state, RUNSTATE_offline, work->turn, work->done);
}

/* Memory of the test: the stack of vCPU 1, and its initial registers. */
struct second {
    struct room room;
    struct vcpu_guest_context *context;
    uint8_t *stack, *stack_end;
    bool initialised; /* vCPU 1 is, by an earlier run: the self-tests run again after a suspend */
};

#define CONTEXT_PAGES DIV_ROUND_UP(sizeof(struct vcpu_guest_context), PAGE_SIZE)

/* Prepares a context that runs @work. Skips the test if the domain has no second vCPU to
 * initialise.
 */
static bool second_open(struct test *t, struct second *s, struct work *work)
{
    uint64_t value;
    long rc;

    if (t->d->host.nr_vcpus < 2) {
        test_skip(t, "this domain has one vCPU, the test needs two");
        return false;
    }
    if (!room_open(&s->room, t, 16))
        return false;
    s->context = room_alloc(&s->room, CONTEXT_PAGES);
    s->stack = room_alloc(&s->room, STACK_PAGES);
    s->stack_end = s->stack + STACK_PAGES * PAGE_SIZE;
    vcpu_context(s->context, second_main, work, s->stack_end, t->d->pt.root);
    CHECK_RC(probe_read(s->stack - 8, &value), -EFAULT,
             "read of the guard page below the stack of vCPU 1 at %p", (void *)(s->stack - 8));
    rc = try_bad_root(s->context);
    s->initialised = rc == -EEXIST;
    if (s->initialised)
        test_skip(t, "an earlier run initialised vCPU 1: Xen allows VCPUOP_initialise only once");
    else
        CHECK_RC(rc, -EINVAL, "VCPUOP_initialise of vCPU 1, CR3 at 2^51, past all memory");
    return true;
}

static void second_close(struct second *s)
{
    room_free(&s->room, s->stack, STACK_PAGES);
    room_free(&s->room, s->context, CONTEXT_PAGES);
    room_close(&s->room);
}

/* Runs before second_vcpu, which initialises the vCPU: self-tests run in the order of their names.
 */
TEST(abi_bad_vcpu, "VCPUOP_initialise refuses an invalid vcpu_guest_context")
{
    struct second s;

    if (!second_open(t, &s, NULL))
        return;
    if (!s.initialised)
        try_bad_contexts(t, s.context);
    second_close(&s);
}

TEST(second_vcpu,
     "vCPU 1 computes the same P2M list checksum as vCPU 0, and again after VCPUOP_down and _up")
{
    static struct work work; /* vCPU 1 keeps this address for its whole life */
    struct second s;

    work = (struct work){.list = t->d->p2m.list, .nr = min_u64(t->d->p2m.nr, MAX_ENTRIES)};
    if (!second_open(t, &s, &work))
        return;
    if (!s.initialised)
        bring_up(t, s.context, &work, (uintptr_t)s.stack_end);
    second_close(&s);
}
