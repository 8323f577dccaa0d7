/* SPDX-License-Identifier: MIT */
/*
 * A timer of 1 ms, for which Xen preempts a long hypercall: for the tests of continuations.
 *
 *      preemption_start(t);
 *      preemption_let_in(t);
 *      rc = HYPERVISOR_...;
 *      preemption_keep_out(t);
 *      if (preemption_seen() == UPCALL_PREEMPTED) ...
 *      preemption_stop(t);
 *
 * Upcalls are masked, except during the one hypercall. The first upcall masks them again.
 */
#ifndef TESTS_GUEST_PREEMPTION_H
#define TESTS_GUEST_PREEMPTION_H

#include "xen/clock.h"

#include "kernel/selftest/test.h"

/* <xen/vcpu.h>: "periods smaller than one millisecond may not be supported". */
#define PREEMPTION_PERIOD NS_PER_MS

/*
 * Where the upcall of the last hypercall came. Xen preempts a hypercall by setting RIP back to the
 * SYSCALL instruction. RIP is behind SYSCALL if Xen delivered the event after the last operation.
 */
enum upcall { UPCALL_NONE, UPCALL_AT_END, UPCALL_PREEMPTED };

/* Starts and stops the timer. Without the timer, no hypercall of a test is preempted. */
void preemption_start(struct test *t);
void preemption_stop(struct test *t);

/* Before and after the hypercall. */
void preemption_let_in(const struct test *t);
void preemption_keep_out(const struct test *t);

enum upcall preemption_seen(void);

#endif
