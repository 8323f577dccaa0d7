/* SPDX-License-Identifier: MIT */
/*
 * Touching memory that may not be there. Each returns 0, or -EFAULT if the access trapped, in
 * which case the trap is forgotten. Other traps on the way end in a panic as always.
 */
#ifndef ARCH_X86_PROBE_H
#define ARCH_X86_PROBE_H

#include "lib/types.h"

/* Reads 8 bytes at @from, of any alignment, into *@value. */
int probe_read(const void *from, uint64_t *value) __must_check;
/* Writes 8 bytes. */
int probe_write(void *to, uint64_t value) __must_check;
/* Calls the code at @code, which must be a C function of no arguments; *@result is its value. */
int probe_exec(const void *code, uint64_t *result) __must_check;

/*
 * One instruction each, at the function's own address: int3, ud2, div by 0, int PROBE_INTERRUPT
 * (vectors.h), fnop, and a load of DS or SS with @selector.
 */
int probe_breakpoint(void) __must_check;
int probe_undefined(void) __must_check;
int probe_divide(uint64_t by) __must_check;
int probe_interrupt(void) __must_check;
int probe_fpu(void) __must_check;
int probe_ds(unsigned int selector) __must_check;
int probe_ss(unsigned int selector) __must_check;

#endif
