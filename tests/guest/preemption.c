/* SPDX-License-Identifier: MIT */
#include "tests/guest/preemption.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/traps.h"
#include "arch/x86/vectors.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include <xen/vcpu.h>

/* RIP at the first upcall since preemption_let_in. */
static volatile uint64_t upcall_rip;

static bool note_upcall(struct trap_frame *frame, uint64_t fault_va)
{
    (void)fault_va;
    if (frame->vector == VECTOR_EVENT && !upcall_rip)
        upcall_rip = frame->rip;
    return false;
}

static bool is_syscall(const uint8_t *code)
{
    return code[0] == 0x0f && code[1] == 0x05;
}

enum upcall preemption_seen(void)
{
    const uint8_t *code = (const uint8_t *)upcall_rip;

    if (!code)
        return UPCALL_NONE;
    if (is_syscall(code))
        return UPCALL_PREEMPTED;
    return is_syscall(code - 2) ? UPCALL_AT_END : UPCALL_NONE;
}

static volatile uint8_t *mask_of(const struct test *t)
{
    return &t->d->shared->vcpu_info[0].evtchn_upcall_mask;
}

void preemption_let_in(const struct test *t)
{
    evtchn_dispatch();
    upcall_rip = 0;
    *mask_of(t) = 0;
}

void preemption_keep_out(const struct test *t)
{
    *mask_of(t) = 1;
}

void preemption_start(struct test *t)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = PREEMPTION_PERIOD};

    trap_hook = note_upcall;
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer), 0,
             "VCPUOP_set_periodic_timer of vCPU 0, period 1 ms");
}

void preemption_stop(struct test *t)
{
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0,
             "VCPUOP_stop_periodic_timer of vCPU 0");
    evtchn_dispatch();
    trap_hook = NULL;
}
