/* SPDX-License-Identifier: MIT */
#include "tests/guest/vcpu_time.h"

#include "arch/x86/hypercall.h"

#include <xen/vcpu.h>

static uint64_t time_in(unsigned int state)
{
    struct vcpu_runstate_info info = {0};

    return HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, &info) ? 0 : info.time[state];
}

uint64_t vcpu_running_ns(void)
{
    return time_in(RUNSTATE_running);
}

uint64_t vcpu_blocked_ns(void)
{
    return time_in(RUNSTATE_blocked);
}
