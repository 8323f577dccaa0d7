/* SPDX-License-Identifier: MIT */
/*
 * The times of vCPU 0 that Xen keeps (VCPUOP_get_runstate_info, <xen/vcpu.h>), for limits of
 * self-tests. System time runs on while a tool has paused the domain; the times do not. Xen counts
 * a pause as RUNSTATE_offline, also if the vCPU was blocked before: then from the event on that
 * would have woken it (vcpu_wake of Xen xen/common/sched/core.c).
 */
#ifndef TESTS_GUEST_VCPU_TIME_H
#define TESTS_GUEST_VCPU_TIME_H

#include "kernel/selftest/test.h"

#include <xen/vcpu.h>

/* VCPUOP_get_runstate_info of @vcpu. If Xen returns an error, the test fails, and state is -1. */
struct vcpu_runstate_info vcpu_runstate(struct test *t, unsigned int vcpu);

/*
 * Nanoseconds for which vCPU 0 has run, or has been blocked (asleep in Xen), since Xen made the
 * domain. If Xen returns an error, the test fails, and the result is UINT64_MAX.
 */
uint64_t vcpu_running_ns(struct test *t);
uint64_t vcpu_blocked_ns(struct test *t);

#endif
