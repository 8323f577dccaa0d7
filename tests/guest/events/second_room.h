/* SPDX-License-Identifier: MIT */
/*
 * vCPU 1 for self-tests (second_vcpu*.c). It runs one job at a time, from VCPUOP_up to the
 * VCPUOP_down that it calls when the job returns:
 *
 *      vCPU 0   second_start(job)  VCPUOP_up ....................... second_wait()
 *      vCPU 1                                job(), VCPUOP_down                     (is down)
 *
 * Xen allows VCPUOP_initialise of a vCPU once (<xen/vcpu.h>), so the vCPU keeps its stack, which is
 * static, and its page tables for the life of the domain. The first job initialises the vCPU. A job
 * runs with upcalls masked. It must not use evtchn.h, which is for vCPU 0.
 */
#ifndef TESTS_GUEST_EVENTS_SECOND_ROOM_H
#define TESTS_GUEST_EVENTS_SECOND_ROOM_H

#include "kernel/selftest/test.h"

#include <xen/vcpu.h>

#define SECOND 1 /* the number of the second vCPU */

/*
 * Starts @job(@arg) on vCPU 1, which must be down. False: the test is skipped, because the domain
 * has one vCPU, or has failed.
 */
bool second_start(struct test *t, void (*job)(void *arg), void *arg) __must_check;

/* Waits until the job has returned and vCPU 1 is down. If it does not go down, the test fails. */
bool second_wait(struct test *t);

/* Waits until *@value is @expected; false after 10 s for which vCPU 0 has run. */
bool second_wait_for(struct test *t, const volatile uint64_t *value,
                     uint64_t expected) __must_check;

/*
 * Waits until vCPU 1, which has been started, is in the state @state (RUNSTATE_*). False after 10 s
 * as above, or if vCPU 1 is offline.
 */
bool second_wait_state(struct test *t, int state) __must_check;

/* As second_wait_state(RUNSTATE_offline), after @step. If vCPU 1 is not offline, the test fails. */
bool second_wait_offline(struct test *t, const char *step) __must_check;

/* False: the test is skipped, because the domain has one vCPU. */
bool second_exists(struct test *t) __must_check;

/* Prepares the first registers of vCPU 1 at @context, for VCPUOP_initialise. */
void second_context(const struct test *t, struct vcpu_guest_context *context);

/* From now on no job starts: Xen has accepted an invalid context for vCPU 1. */
void second_give_up(void);

/* The stack of vCPU 1: the address behind it, and its size. */
#define SECOND_STACK_BYTES 0x2000
uintptr_t second_stack_end(void);

#endif
