/* SPDX-License-Identifier: MIT */
#include "tests/guest/vcpu_time.h"

#include "arch/x86/hypercall.h"

#include <xen/vcpu.h>

static uint64_t time_in(struct test *t, unsigned int state)
{
    struct vcpu_runstate_info info;
    long rc = HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, &info);

    CHECK_RC(rc, 0, "VCPUOP_get_runstate_info of vCPU 0");
    return rc ? UINT64_MAX : info.time[state];
}

uint64_t vcpu_running_ns(struct test *t)
{
    return time_in(t, RUNSTATE_running);
}

uint64_t vcpu_blocked_ns(struct test *t)
{
    return time_in(t, RUNSTATE_blocked);
}
