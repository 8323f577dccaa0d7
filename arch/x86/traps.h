/* SPDX-License-Identifier: MIT */
/*
 * Exceptions. A trap that no probe (probe.h) expected prints its registers and a call trace
 * (call_trace.h), and ends the domain as crashed.
 */
#ifndef ARCH_X86_TRAPS_H
#define ARCH_X86_TRAPS_H

#include "lib/types.h"

#define TRAP_PAGE_FAULT 14

/* What entry.S leaves on the stack, lowest address first. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Called with the frame when a trap is fatal, to add what the layer above knows; may be NULL. */
typedef void (*trap_witness_t)(const struct trap_frame *frame, uint64_t fault_va);
extern trap_witness_t trap_witness;

/*
 * Sees each trap and each upcall first, if it is set: for self-tests. True: it is dealt with, and
 * the frame, changed or not, is returned to. The vector of an upcall is VECTOR_EVENT (vectors.h).
 */
typedef bool (*trap_hook_t)(struct trap_frame *frame, uint64_t fault_va);
extern trap_hook_t trap_hook;

/* The entry point for the exception @vector, below NR_VECTORS, as Xen is told. */
#define NR_VECTORS 32
uintptr_t trap_entry(unsigned int vector);

/* Upcalls: for Xen's IRET they are masked from here on. */
void trap_mask_events(struct trap_frame *frame);

/*
 * Registers a handler for every exception vector. May be called again, to undo what a test
 * registered. Returns 0 or Xen's negative errno.
 */
int traps_start(void) __must_check;

/* Called by entry.S. */
void trap_handler(struct trap_frame *frame);

#endif
