/* SPDX-License-Identifier: MIT */
#include "tests/guest/events/abi_upcall.h"

#include "arch/x86/traps.h"
#include "arch/x86/vectors.h"

static volatile unsigned int nr_upcalls;

static bool count_upcalls(struct trap_frame *frame, uint64_t fault_va)
{
    (void)fault_va;
    if (frame->vector != VECTOR_EVENT)
        return false;
    nr_upcalls++;
    trap_mask_events(frame);
    return true;
}

void upcalls_begin(void)
{
    nr_upcalls = 0;
    trap_hook = count_upcalls;
}

void upcalls_end(struct test *t, const char *step)
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];

    CHECK_EQ(nr_upcalls, 1, "%s: number of upcalls", step);
    CHECK_EQ(vcpu->evtchn_upcall_mask, 1, "%s: vcpu_info[0].evtchn_upcall_mask after the upcall",
             step);
    vcpu->evtchn_upcall_mask = 1;
    trap_hook = NULL;
}
