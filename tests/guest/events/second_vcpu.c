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

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/second_room.h"

#define MAX_ENTRIES   ((uint64_t)1 << 24) /* in the checksum: the P2M entries of 64 GiB */
#define NR_TURNS      2
#define CONTEXT_PAGES DIV_ROUND_UP(sizeof(struct vcpu_guest_context), PAGE_SIZE)

/* What both vCPUs share: one checksum. */
struct sum {
    const uint64_t *list;
    uint64_t nr;
    volatile uint64_t sum, stack;
};

static uint64_t checksum(const struct sum *w)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < w->nr; i++)
        sum = sum * 31 + w->list[i];
    return sum;
}

/* Runs on vCPU 1. */
static void sum_job(void *arg)
{
    struct sum *w = arg;

    w->stack = (uintptr_t)__builtin_frame_address(0);
    w->sum = checksum(w);
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

/* An address of the context that must be canonical, and other values that Xen must refuse. */
static const struct bad {
    const char *what;
    size_t offset;
    uint64_t flip; /* the bits that are changed */
} bad_fields[] = {
#define FIELD(name) #name, offsetof(struct vcpu_guest_context, name)
    {FIELD(user_regs.rip),          (uint64_t)1 << 62           },
    {FIELD(user_regs.rsp),          (uint64_t)1 << 62           },
    {FIELD(kernel_sp),              (uint64_t)1 << 62           },
    {FIELD(event_callback_eip),     (uint64_t)1 << 62           },
    {FIELD(failsafe_callback_eip),  (uint64_t)1 << 62           },
    {FIELD(syscall_callback_eip),   (uint64_t)1 << 62           },
    {FIELD(fs_base),                (uint64_t)1 << 62           },
    {FIELD(gs_base_kernel),         (uint64_t)1 << 62           },
    {FIELD(gs_base_user),           (uint64_t)1 << 62           },
    {FIELD(trap_ctxt[14].address),  (uint64_t)1 << 62           },
    {FIELD(trap_ctxt[255].address), (uint64_t)1 << 62           },
    {FIELD(ldt_base),               1                           },
    {FIELD(ldt_ents),               8193                        },
    {FIELD(gdt_ents),               FIRST_RESERVED_GDT_ENTRY + 1},
    {FIELD(flags),                  VGCF_in_kernel              }, /* user mode, without a page table of user mode */
#undef FIELD
};

static void try_bad_field(struct test *t, struct vcpu_guest_context *c, const struct bad *bad)
{
    uint64_t *field = (uint64_t *)((uint8_t *)c + bad->offset), value = *field;
    long rc;

    *field ^= bad->flip;
    rc = HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, c);
    CHECK_RC(rc, -EINVAL, "VCPUOP_initialise of vCPU 1, %s is 0x%lx", bad->what, *field);
    if (!rc)
        second_give_up();
    *field = value;
}

/* Calls that Xen must refuse. vCPU 1 stays uninitialised. */
static void try_bad_contexts(struct test *t, struct vcpu_guest_context *c)
{
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, SECOND, NULL), -EINVAL,
             "VCPUOP_up of vCPU 1, which is not initialised");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_is_up, SECOND, NULL), 0,
             "VCPUOP_is_up of vCPU 1, which is not initialised");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_initialise, SECOND, (void *)HYPERVISOR_VIRT_START), -EFAULT,
             "VCPUOP_initialise of vCPU 1, context at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    for (size_t i = 0; i < ARRAY_SIZE(bad_fields); i++)
        try_bad_field(t, c, &bad_fields[i]);
}

/* Runs before all jobs, the first of which initialises the vCPU: self-tests run in order of name.
 */
TEST(abi_bad_vcpu, "VCPUOP_initialise refuses an invalid vcpu_guest_context")
{
    struct vcpu_guest_context *context;
    struct room r;
    long rc;

    if (!second_exists(t) || !room_open(&r, t, 16))
        return;
    context = room_alloc(&r, CONTEXT_PAGES);
    second_context(t, context);
    rc = try_bad_root(context);
    if (rc == -EEXIST) {
        test_skip(t, "an earlier run initialised vCPU 1: Xen allows VCPUOP_initialise only once");
    } else {
        CHECK_RC(rc, -EINVAL, "VCPUOP_initialise of vCPU 1, CR3 at 2^51, past all memory");
        try_bad_contexts(t, context);
    }
    room_free(&r, context, CONTEXT_PAGES);
    room_close(&r);
}

static bool take_turn(struct test *t, struct sum *w, unsigned int turn, uintptr_t stack_end)
{
    uint64_t sum;

    if (!second_start(t, sum_job, w))
        return false;
    sum = checksum(w);
    if (!second_wait(t))
        return false;
    CHECK_EQ(w->sum, sum,
             "checksum %u of the P2M list by vCPU 1 (vCPU 0 computed the expected one)", turn);
    CHECK(stack_end - w->stack < SECOND_STACK_BYTES,
          "checksum %u of the P2M list: stack frame of vCPU 1 is at 0x%lx, expected in [0x%lx, "
          "0x%lx)",
          turn, w->stack, stack_end - SECOND_STACK_BYTES, stack_end);
    return true;
}

TEST(second_vcpu,
     "vCPU 1 computes the same P2M list checksum as vCPU 0, and again after VCPUOP_down and _up")
{
    static struct sum work;
    uintptr_t stack_end = second_stack_end();

    work = (struct sum){.list = t->d->p2m.list, .nr = min_u64(t->d->p2m.nr, MAX_ENTRIES)};
    for (unsigned int turn = 1; turn <= NR_TURNS; turn++)
        if (!take_turn(t, &work, turn, stack_end))
            return;
}
