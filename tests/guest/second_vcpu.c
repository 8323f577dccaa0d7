/* SPDX-License-Identifier: MIT */
/*
 * Without this nothing would show that what the kernel builds on one vCPU holds on two: tables and
 * list, read at the same time from another CPU with a TLB of its own, on a stack of its own. A
 * second vCPU is brought up, sums up the list while the first one does, and takes itself down,
 * twice.
 *
 * <xen/vcpu.h>: "Each VCPU can be initialised only once", and a second time is -EEXIST; one that is
 * down "still holds memory references via its pagetable base pointer", and VCPUOP_up lets it go on
 * where it went down, in the hypercall. XSA-296 ("VCPUOP_initialise DoS") is why bad contexts are
 * tried first.
 */
#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"
#include "arch/x86/smp.h"

#include "xen/clock.h"

#include "tests/guest/abi_room.h"

#include <xen/vcpu.h>

#define SECOND      1
#define STACK_PAGES 2
#define MAX_NS      (10 * NS_PER_S)
#define MAX_ENTRIES ((uint64_t)1 << 24) /* that are summed up: those of 64 GiB */
#define NR_TURNS    2

/* What both vCPUs see. */
struct work {
    const uint64_t *list;
    uint64_t nr;
    volatile uint64_t turn; /* that the second one has begun, from 1 on */
    volatile uint64_t done; /* and finished                             */
    volatile uint64_t sum, stack;
};

static uint64_t sum_up(const struct work *w)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < w->nr; i++)
        sum = sum * 31 + w->list[i];
    return sum;
}

/* On the second vCPU. Each turn ends in VCPUOP_down, and the next one begins behind it. */
static void second_main(void *arg)
{
    struct work *w = arg;

    for (;;) {
        w->turn++;
        w->stack = (uintptr_t)__builtin_frame_address(0);
        w->sum = sum_up(w);
        barrier();
        w->done = w->turn;
        (void)!HYPERVISOR_vcpu_op(VCPUOP_down, SECOND, NULL);
    }
}

static bool wait_for(volatile uint64_t *value, uint64_t expected)
{
    uint64_t until = clock_ns() + MAX_NS;

    while (*value != expected && clock_ns() < until)
        barrier();
    return *value == expected;
}

static long is_up(void)
{
    return HYPERVISOR_vcpu_op(VCPUOP_is_up, SECOND, NULL);
}

/* Down by its own word, and off its CPU: its stack may go. */
static bool wait_until_down(void)
{
    uint64_t until = clock_ns() + MAX_NS;
    struct vcpu_runstate_info state = {0};

    do {
        if (HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, SECOND, &state))
            return false;
    } while ((is_up() || state.state != RUNSTATE_offline) && clock_ns() < until);
    return !is_up() && state.state == RUNSTATE_offline;
}

static void take_turn(struct test *t, struct work *w, uint64_t turn, uintptr_t stack_end)
{
    uint64_t sum;

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), 0, "bringing it up");
    sum = sum_up(w);
    CHECK(wait_for(&w->done, turn), "turn %lu: it has begun %lu and ended %lu", turn, w->turn,
          w->done);
    CHECK(w->done != turn || w->sum == sum, "it sums up the list to %lx, the first one to %lx",
          w->sum, sum);
    CHECK(stack_end - w->stack < STACK_PAGES * PAGE_SIZE, "its stack is at %lx, expected below %lx",
          w->stack, stack_end);
    CHECK(wait_until_down(), "it does not go down: VCPUOP_is_up says %ld", is_up());
}

/* A context whose page tables are in no frame: what Xen says to it tells if it has one already. */
static long try_bad_root(struct vcpu_guest_context *c)
{
    uint64_t root = c->ctrlreg[3];
    long rc;

    c->ctrlreg[3] = (uint64_t)1 << 51;
    rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, c);
    c->ctrlreg[3] = root;
    return rc;
}

/* What else Xen must refuse, with the vCPU left as it was: never initialised. */
static void try_bad_contexts(struct test *t, struct vcpu_guest_context *c)
{
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), -EINVAL, "bringing up what is not there");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, (void *)HYPERVISOR_VIRT_START), -EFAULT,
             "a context in Xen's area");
    c->event_callback_eip ^= (uint64_t)1 << 62;
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, c), -EINVAL, "a non-canonical callback");
    c->event_callback_eip ^= (uint64_t)1 << 62;
}

static void bring_up(struct test *t, struct vcpu_guest_context *context, struct work *work,
                     uintptr_t stack_end)
{
    long rc;

    try_bad_contexts(t, context);
    rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context);
    CHECK_RC(rc, 0, "initialising it");
    CHECK(is_up() == 0, "it is up before its time");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, context), -EEXIST, "initialising twice");
    for (uint64_t turn = 1; !rc && turn <= NR_TURNS && t->result == TEST_SUCCESS; turn++)
        take_turn(t, work, turn, stack_end);

    if (!rc && !wait_until_down()) /* somewhere on its stack, which cannot be given back */
        panic("the second vCPU does not stop: it has begun %lu turns, and ended %lu", work->turn,
              work->done);
}

static void run(struct test *t, struct room *r)
{
    struct vcpu_guest_context *context = room_alloc(r, DIV_ROUND_UP(sizeof(*context), PAGE_SIZE));
    uint8_t *stack = room_alloc(r, STACK_PAGES), *stack_end = stack + STACK_PAGES * PAGE_SIZE;
    static struct work work; /* the second one keeps its address for good */
    uint64_t value;
    long rc;

    work = (struct work){.list = t->d->p2m.list, .nr = min_u64(t->d->p2m.nr, MAX_ENTRIES)};
    vcpu_context(context, second_main, &work, stack_end, t->d->pt.root);
    CHECK(probe_read(stack - 8, &value) == -EFAULT, "there is something below its stack");
    rc = try_bad_root(context);
    if (rc == -EEXIST) { /* these tests run again, after a suspend that was cancelled */
        test_skip(t, "it was up before, and its stack is gone; a context is taken only once");
    } else {
        CHECK_RC(rc, -EINVAL, "a root in no frame");
        bring_up(t, context, &work, (uintptr_t)stack_end);
    }
    room_free(r, stack, STACK_PAGES);
    room_free(r, context, DIV_ROUND_UP(sizeof(*context), PAGE_SIZE));
}

TEST(second_vcpu, "a second vCPU sums up the list beside the first, goes down and comes up again")
{
    struct room r;

    if (t->d->host.nr_vcpus < 2) {
        test_skip(t, "the domain has one vCPU");
        return;
    }
    if (!room_open(&r, t, 16))
        return;
    run(t, &r);
    room_close(&r);
}
