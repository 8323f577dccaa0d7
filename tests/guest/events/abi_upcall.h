/* SPDX-License-Identifier: MIT */
/*
 * Counts the upcalls of vCPU 0, for the self-tests of hypercalls that deliver one (abi_poll.c,
 * abi_sched_op.c). The kernel runs with upcalls masked; between upcalls_begin and upcalls_end, the
 * hypercall or the test unmasks them, and the first upcall masks them again.
 */
#ifndef TESTS_GUEST_EVENTS_ABI_UPCALL_H
#define TESTS_GUEST_EVENTS_ABI_UPCALL_H

#include "kernel/selftest/test.h"

void upcalls_begin(void);
/* Expects that one upcall came since upcalls_begin. @step names the hypercall. */
void upcalls_end(struct test *t, const char *step);

#endif
