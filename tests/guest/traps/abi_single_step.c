/* SPDX-License-Identifier: MIT */
/*
 * Single steps: RFLAGS.TF.
 *
 * Without these tests a debugger in the guest would lose control behind an instruction that Xen
 * emulates: the CPU raises no #DB for it, so Xen must (pv_emul_instruction_done() of Xen's
 * arch/x86/pv/emulate.c).
 */
#include "tests/guest/traps/snippet.h"

#define MAX_STEPS 8

static struct {
    unsigned int nr;
    uint64_t rip[MAX_STEPS], vector[MAX_STEPS], dr6[MAX_STEPS], rflags[MAX_STEPS];
} steps;

static bool on_step(struct trap_frame *frame, uint64_t cr2)
{
    (void)cr2;
    if (steps.nr < MAX_STEPS) {
        steps.vector[steps.nr] = frame->vector;
        steps.rip[steps.nr] = frame->rip;
        steps.dr6[steps.nr] = get_dr(6);
        steps.rflags[steps.nr] = frame->rflags;
    }
    steps.nr++;
    (void)!set_dr(6, 0);
    if (frame->vector != VECTOR_DB || frame->rip == (uintptr_t)snippet_end ||
        steps.nr == MAX_STEPS) {
        frame->rflags &= ~(uint64_t)FLAG_TF;
        frame->rip = (uintptr_t)snippet_end;
    }
    return true;
}

/* @code has @nr instructions of @lengths bytes, and a jmp to snippet_end. */
static void check_steps(struct test *t, const char *what, const char *code, const uint8_t *lengths,
                        unsigned int nr)
{
    uint64_t rip = (uintptr_t)code;

    snippets_begin(t);
    snippet_fill(0);
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
    trap_hook = on_step;
    steps.nr = 0;
    snippet_to_kernel(code, FLAGS_ALWAYS | FLAG_TF);
    snippet_run(s_iret);
    CHECK_EQ(steps.nr, nr + 1, "%s with TF: number of #DB", what);
    for (unsigned int i = 0; i <= nr && i < steps.nr; i++) {
        rip = i < nr ? rip + lengths[i] : (uintptr_t)snippet_end;
        CHECK_EQ(steps.vector[i], VECTOR_DB, "%s with TF: vector behind instruction %u", what, i);
        CHECK_EQ(steps.rip[i], rip, "%s with TF: RIP behind instruction %u", what, i);
        CHECK_EQ(steps.dr6[i], DR6_FIXED | DR6_BS, "%s with TF: DR6 behind instruction %u", what,
                 i);
        CHECK_EQ(steps.rflags[i] & FLAG_TF, FLAG_TF,
                 "%s with TF: TF of the frame behind instruction %u", what, i);
    }
    CHECK_RC(set_dr(6, 0), 0, "set_debugreg of DR6, 0");
    snippets_end();
}

/* Xen emulates the mov from CR3, and CPUID behind Xen's prefix, and then the single step. */
TEST_RULE(abi_single_step,
          "with TF set each instruction raises one #DB, with DR6.BS, also if emulated")
{
    static const uint8_t nops[] = {1, 1, 3, 1}, cpuid[] = {7};

    check_steps(t, "nop, nop, mov from CR3, nop, jmp", s_nops, nops, ARRAY_SIZE(nops));
    check_steps(t, "cpuid behind Xen's prefix, jmp", s_cpuid, cpuid, ARRAY_SIZE(cpuid));
}
