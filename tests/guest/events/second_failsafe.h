/* SPDX-License-Identifier: MIT */
/*
 * The first thing that vCPU 1 does is a failsafe callback: its context has a selector in FS that
 * cannot be loaded. The self-test second_vcpu_failsafe compares what the callback found.
 */
#ifndef TESTS_GUEST_EVENTS_SECOND_FAILSAFE_H
#define TESTS_GUEST_EVENTS_SECOND_FAILSAFE_H

#include "kernel/domain.h"

#include <xen/vcpu.h>

/* Puts the selector into a context of vCPU 1 that is otherwise complete. */
void second_failsafe_prepare(struct vcpu_guest_context *context);

/* Before and after the first run of vCPU 1. In between, trap_hook is taken. */
void second_failsafe_expect(const struct domain *d);
void second_failsafe_end(void);

#endif
