/* SPDX-License-Identifier: MIT */
#include "tests/guest/vcpu_time.h"

#include "arch/x86/hypercall.h"

struct vcpu_runstate_info vcpu_runstate(struct test *t, unsigned int vcpu)
{
    struct vcpu_runstate_info info = {.state = -1};

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, vcpu, &info), 0,
             "VCPUOP_get_runstate_info of vCPU %u", vcpu);
    return info;
}

static uint64_t time_in(struct test *t, unsigned int state)
{
    struct vcpu_runstate_info info = vcpu_runstate(t, 0);

    return info.state < 0 ? UINT64_MAX : info.time[state];
}

uint64_t vcpu_running_ns(struct test *t)
{
    return time_in(t, RUNSTATE_running);
}

uint64_t vcpu_blocked_ns(struct test *t)
{
    return time_in(t, RUNSTATE_blocked);
}
