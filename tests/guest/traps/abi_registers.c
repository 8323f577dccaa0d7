/* SPDX-License-Identifier: MIT */
/*
 * Registers and flags on each way into the kernel and back: exceptions, upcalls, hypercalls, iret.
 *
 * Without these tests a Xen that damages a register or a flag would look like a guest whose code
 * fails now and then, at random places. The frame of an exception holds RCX and R11 in addition to
 * the frame of the CPU, and its CS has the upcall mask in bits 39:32. <xen/arch-x86/xen-x86_64.h>
 * describes the frames of struct cpu_user_regs and struct iret_context, and says which registers a
 * hypercall clobbers.
 */
#include "arch/x86/hypercall.h"
#include "arch/x86/vectors.h"

#include "xen/clock.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#include <xen/vcpu.h>
#include <xen/version.h>

#define NONCANONICAL 0x0000800000000000
#define KERNEL_CS    (FLAT_KERNEL_CS & ~3) /* of a frame of kernel mode: RPL 0 */
#define MASK_SHIFT   32                    /* of saved_upcall_mask, in the CS of a frame */
#define TIMER_NS     100000
#define LOOPS        ((uint64_t)1 << 31)
#define NR_UPCALLS   8

static const uint32_t flag_sets[] = {
    0,       FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF, FLAG_SF,
    FLAG_DF, FLAG_OF, FLAG_NT, FLAG_AC, FLAG_ID, FLAGS_OWN,
};

static const struct way {
    const char *what, *code;
    uint64_t rdi; /* 0: a value of no meaning */
} ways[] = {
    {"int3",                            s_int3, 0                    },
    {"ud2",                             s_ud2,  0                    },
    {"div by 0",                        s_div,  0                    },
    {"read of an unmapped page",        s_read, (uint64_t)stack_guard},
    {"read at a non-canonical address", s_read, NONCANONICAL         },
    {"ltr, which Xen does not emulate", s_ltr,  0                    },
};

/* What the frame must hold if the snippet, in kernel mode, left all registers alone. */
static void check_frame_regs(struct test *t, const char *what, uint8_t mask, unsigned int except)
{
    const struct trap_frame *f = &snippet_trap.frame;

    check_trap_gprs(t, what, except);
    check_flags(t, what, f->rflags);
    CHECK_EQ(f->cs & ~(uint64_t)0xffff0000, KERNEL_CS | (uint64_t)mask << MASK_SHIFT,
             "%s: bits 63:32 (saved_upcall_mask) and 15:0 of CS in the frame", what);
    CHECK_EQ(f->rflags & (FLAG_IF | FLAG_IOPL), mask ? 0 : FLAG_IF,
             "%s: IF and IOPL of RFLAGS in the frame", what);
    CHECK_EQ(f->ss, FLAT_KERNEL_SS, "%s: SS in the frame", what);
    CHECK_EQ(snippet_trap.rflags & (FLAG_TF | FLAG_NT | FLAG_AC), 0,
             "%s: TF, NT and AC of RFLAGS in the handler", what);
}

TEST_RULE(abi_trap_registers, "an exception and the iret behind it keep all registers and flags")
{
    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(ways) * ARRAY_SIZE(flag_sets); i++) {
        const struct way *w = &ways[i / ARRAY_SIZE(flag_sets)];

        snippet_fill(flag_sets[i % ARRAY_SIZE(flag_sets)]);
        if (w->rdi)
            snippet_in.gpr[RDI] = w->rdi;
        CHECK_EQ(snippet_run(w->code), 1, "%s: number of exceptions", w->what);
        check_frame_regs(t, w->what, 1, 0);
        CHECK_EQ(snippet_trap.frame_end % 16, 0, "%s: address of the end of the frame, modulo 16",
                 w->what);
        check_out(t, w->what, 0);
        CHECK_EQ(snippet_out.rsp, snippet_trap.frame.rsp, "iret behind %s: RSP", w->what);
    }
    snippets_end();
}

/* Ends one run in a loop that changes only RCX, by a timer. The loop is entered by an iret. */
static void check_upcall_registers(struct test *t, uint32_t flags)
{
    struct vcpu_set_singleshot_timer alarm = {.timeout_abs_ns = clock_ns() + TIMER_NS};
    const struct trap_frame *f = &snippet_trap.frame;

    snippet_fill(flags);
    snippet_in.gpr[RCX] = LOOPS;
    snippet_to_kernel(s_loop, flags | FLAGS_ALWAYS | FLAG_IF);
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &alarm), 0,
             "VCPUOP_set_singleshot_timer of vCPU 0");
    if (!snippet_run_upcall()) {
        test_fail(t, "timer event with upcalls unmasked: no upcall in 2^31 rounds of a loop");
        return;
    }
    CHECK_EQ(f->vector, VECTOR_EVENT, "timer event: number of the entry stub of the upcall");
    check_frame_regs(t, "timer event in a loop", 0, 1 << RCX);
    CHECK(f->rip == (uintptr_t)s_loop || f->rip == (uintptr_t)s_loop_jump,
          "timer event in a loop: RIP is 0x%lx, expected 0x%lx or 0x%lx, the loop's instructions",
          f->rip, (uintptr_t)s_loop, (uintptr_t)s_loop_jump);
    CHECK_EQ(snippet_trap.mask, 1, "in the upcall: evtchn_upcall_mask");
    check_out(t, "iret behind an upcall", 1 << RCX);
    CHECK_EQ(snippet_out.gpr[RCX], f->rcx, "iret behind an upcall: RCX");
    evtchn_dispatch();
}

TEST_RULE(abi_upcall_registers,
          "an upcall at any instruction and the iret behind it keep all registers")
{
    snippets_begin(t);
    for (unsigned int i = 0; i < NR_UPCALLS && t->result == TEST_SUCCESS; i++)
        check_upcall_registers(t, flag_sets[ARRAY_SIZE(flag_sets) - 1 - i]);
    snippets_end();
}

/*
 * XENVER_version has two arguments: <xen/arch-x86/xen-x86_64.h> lets Xen clobber RDI and RSI. RAX
 * is the result. The instruction SYSCALL leaves RIP in RCX and RFLAGS in R11.
 */
TEST_RULE(abi_call_registers,
          "a hypercall keeps the flags and all registers but RAX and its arguments")
{
    const unsigned int except = 1 << RAX | 1 << RDI | 1 << RSI | 1 << RCX | 1 << R11;
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);

    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(flag_sets); i++) {
        snippet_fill(flag_sets[i]);
        snippet_in.gpr[RAX] = __HYPERVISOR_xen_version;
        snippet_in.gpr[RDI] = XENVER_version;
        snippet_run(s_hypercall);
        check_no_trap(t, "hypercall xen_version");
        check_out(t, "hypercall xen_version", except);
        CHECK_EQ(snippet_out.gpr[RAX], (uint64_t)version, "hypercall xen_version: RAX");
    }
    snippets_end();
}
