/* SPDX-License-Identifier: MIT */
#include "tests/guest/traps/snippet.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/page.h"
#include "arch/x86/vectors.h"

#include "xen/evtchn.h"

#include <xen/callback.h>
#include <xen/physdev.h>

/* Events that end a snippet before its own trap: then it runs again. */
#define MAX_EVENTS 100

struct snippet_regs snippet_in, snippet_out;
struct snippet_trap snippet_trap;
struct iret_context snippet_iret __attribute__((aligned(16)));
struct iret_context snippet_iret_again __attribute__((aligned(16)));

static uint8_t trap_stack[2 * PAGE_SIZE] __attribute__((aligned(16)));
uint8_t *const snippet_trap_stack = trap_stack + sizeof(trap_stack);

extern const char failsafe_entry[]; /* arch/x86/entry.S */

/* For snippet.S only. */
void snippet_enter(const char *code);
extern uintptr_t snippet_stack, snippet_code;
uintptr_t snippet_stack, snippet_code;

static const char gpr_names[NR_GPRS][4] = {"R15", "R14", "R13", "R12", "RBP", "RBX", "R11", "R10",
                                           "R9",  "R8",  "RAX", "RCX", "RDX", "RSI", "RDI"};
static volatile struct vcpu_info *vcpu;

/* Between snippet_enter() and its return. Outside, traps are no business of this file. */
static volatile bool running;

/*
 * Xen found a selector of this vCPU invalid when it ran the vCPU again, and has loaded a null
 * selector: at any time, if a test removed the descriptor.
 */
static bool is_failsafe(const struct trap_frame *frame)
{
    return frame->vector == VECTOR_FAILSAFE;
}

static bool on_trap(struct trap_frame *frame, uint64_t cr2)
{
    if (!running)
        return is_failsafe(frame);
    running = false;
    snippet_trap.nr++;
    snippet_trap.frame = *frame;
    snippet_trap.cr2 = cr2;
    snippet_trap.mask = vcpu->evtchn_upcall_mask;
    __asm__ volatile("pushfq; pop %0" : "=r"(snippet_trap.rflags));
    snippet_trap.frame_end = (uintptr_t)(frame + 1);
    frame->rip = (uintptr_t)snippet_end;
    frame->cs = FLAT_KERNEL_CS & ~3;
    frame->ss = FLAT_KERNEL_SS;
    frame->rflags &= ~(uint64_t)(FLAG_TF | FLAG_IF); /* upcalls are masked from here on */
    return true;
}

void snippets_begin(struct test *t)
{
    vcpu = &t->d->shared->vcpu_info[0];
    trap_hook = on_trap;
}

void snippets_end(void)
{
    trap_hook = NULL;
}

void snippet_fill(uint64_t rflags)
{
    uint64_t seed = 0x9e3779b97f4a7c15;

    for (unsigned int i = 0; i < NR_GPRS; i++)
        snippet_in.gpr[i] = seed * (i + 1);
    snippet_in.rflags = rflags | FLAGS_ALWAYS;
}

static void run_once(const char *code)
{
    snippet_trap = (struct snippet_trap){0};
    snippet_out = (struct snippet_regs){0};
    running = true;
    snippet_enter(code);
    running = false;
    vcpu->evtchn_upcall_mask = 1;
}

unsigned int snippet_run_upcall(void)
{
    run_once(s_iret);
    return snippet_trap.nr;
}

/* Xen may stop the vCPU between an exception and its frame, which then has the RIP of the failsafe
 * callback.
 */
static bool is_event(void)
{
    const struct trap_frame *f = &snippet_trap.frame;

    return snippet_trap.nr &&
           (f->vector == VECTOR_EVENT || is_failsafe(f) || f->rip == (uintptr_t)failsafe_entry);
}

unsigned int snippet_run(const char *code)
{
    unsigned int events = 0;

    do {
        evtchn_dispatch();
        run_once(code);
    } while (is_event() && ++events < MAX_EVENTS);
    return snippet_trap.nr;
}

uint64_t snippet_get(const char *code)
{
    snippet_run(code);
    return snippet_out.gpr[RAX];
}

unsigned int snippet_set(const char *code, uint64_t value)
{
    snippet_in.gpr[RAX] = value;
    return snippet_run(code);
}

uint64_t snippet_rdmsr(unsigned int msr)
{
    snippet_in.gpr[RCX] = msr;
    snippet_run(s_rdmsr);
    return snippet_out.gpr[RDX] << 32 | snippet_out.gpr[RAX];
}

unsigned int snippet_wrmsr(unsigned int msr, uint64_t value)
{
    snippet_in.gpr[RCX] = msr;
    snippet_in.gpr[RDX] = value >> 32;
    return snippet_set(s_wrmsr, (uint32_t)value);
}

void snippet_to_kernel(const char *code, uint64_t rflags)
{
    snippet_iret = (struct iret_context){
        .rax = snippet_in.gpr[RAX],
        .r11 = snippet_in.gpr[R11],
        .rcx = snippet_in.gpr[RCX],
        .rip = (uintptr_t)code,
        .cs = FLAT_KERNEL_CS & ~3,
        .rflags = rflags,
        .rsp = (uintptr_t)snippet_trap_stack,
        .ss = FLAT_KERNEL_SS,
    };
}

unsigned int snippet_run_unmasked(const char *code)
{
    snippet_to_kernel(code, FLAGS_ALWAYS | FLAG_IF);
    return snippet_run(s_iret);
}

static void check_gprs(struct test *t, const char *what, const uint64_t *gprs, unsigned int except)
{
    for (unsigned int i = 0; i < NR_GPRS; i++)
        if (!(except >> i & 1))
            CHECK_EQ(gprs[i], snippet_in.gpr[i], "%s: %s", what, gpr_names[i]);
}

void check_trap_gprs(struct test *t, const char *what, unsigned int except)
{
    if (snippet_trap.nr)
        check_gprs(t, what, &snippet_trap.frame.r15, except);
}

void check_flags(struct test *t, const char *what, uint64_t rflags)
{
    CHECK_EQ(rflags & FLAGS_OWN, snippet_in.rflags & FLAGS_OWN,
             "%s: the flags CF, PF, AF, ZF, SF, DF, OF, NT, AC and ID of RFLAGS", what);
}

void check_out(struct test *t, const char *what, unsigned int except)
{
    check_gprs(t, what, snippet_out.gpr, except);
    check_flags(t, what, snippet_out.rflags);
    CHECK_EQ(snippet_out.cs, FLAT_KERNEL_CS, "%s: CS", what);
    CHECK_EQ(snippet_out.ss, FLAT_KERNEL_SS, "%s: SS", what);
}

void check_trap_at(struct test *t, const char *what, const char *where, unsigned int vector,
                   uint64_t error, uintptr_t rip)
{
    const struct trap_frame *f = &snippet_trap.frame;

    if (!snippet_trap.nr)
        test_fail(t, "%s%s: no trap, expected vector %u, error code 0x%lx, RIP 0x%lx", what, where,
                  vector, error, rip);
    else
        CHECK(f->vector == vector && f->error == error && f->rip == rip,
              "%s%s: trap has vector %lu, error code 0x%lx, RIP 0x%lx, expected vector %u, error "
              "code 0x%lx, RIP 0x%lx",
              what, where, f->vector, f->error, f->rip, vector, error, rip);
}

void check_trap_is(struct test *t, const char *what, unsigned int vector, uint64_t error,
                   uintptr_t rip)
{
    check_trap_at(t, what, "", vector, error, rip);
}

void check_no_trap(struct test *t, const char *what)
{
    const struct trap_frame *f = &snippet_trap.frame;

    CHECK(!snippet_trap.nr,
          "%s: trap has vector %lu, error code 0x%lx, RIP 0x%lx, expected no trap", what, f->vector,
          f->error, f->rip);
}

long register_callback(unsigned int type, unsigned int flags, uint64_t address)
{
    struct callback_register reg = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = address};

    return HYPERVISOR_any(__HYPERVISOR_callback_op, CALLBACKOP_register, (uintptr_t)&reg, 0, 0);
}

long set_iopl(uint32_t level)
{
    struct physdev_set_iopl iopl = {level};

    return HYPERVISOR_any(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, (uintptr_t)&iopl, 0, 0);
}

long set_dr(unsigned int i, uint64_t value)
{
    return HYPERVISOR_any(__HYPERVISOR_set_debugreg, i, value, 0, 0);
}

uint64_t get_dr(unsigned int i)
{
    return (uint64_t)HYPERVISOR_any(__HYPERVISOR_get_debugreg, i, 0, 0, 0);
}

long set_base(unsigned int which, uint64_t base)
{
    return HYPERVISOR_any(__HYPERVISOR_set_segment_base, which, base, 0, 0);
}
