/* SPDX-License-Identifier: MIT */
/*
 * Accesses and instructions that may trap. Each function returns 0, or -EFAULT if its own
 * instruction trapped; the trap has no other effect. A trap elsewhere ends in a panic (traps.h).
 */
#ifndef ARCH_X86_PROBE_H
#define ARCH_X86_PROBE_H

#include "lib/types.h"

/* Reads 8 bytes at @from, of any alignment, into *@value. *@value is unchanged after a trap. */
int probe_read(const void *from, uint64_t *value) __must_check;
/* Writes the 8 bytes of @value at @to, of any alignment. */
int probe_write(void *to, uint64_t value) __must_check;
/* Calls the C function without arguments at @code; *@result is its return value. */
int probe_exec(const void *code, uint64_t *result) __must_check;

/*
 * Each executes one instruction at the function's own address: int3, ud2, div by @by, int
 * PROBE_INTERRUPT (vectors.h), fnop, and a load of DS or SS with @selector.
 */
int probe_breakpoint(void) __must_check;
int probe_undefined(void) __must_check;
int probe_divide(uint64_t by) __must_check;
int probe_interrupt(void) __must_check;
int probe_fpu(void) __must_check;
int probe_ds(unsigned int selector) __must_check;
int probe_ss(unsigned int selector) __must_check;

#endif
