/* SPDX-License-Identifier: MIT */
/*
 * The end, for when the machine cannot go on. A panic prints the call trace, and then says in one
 * sentence what was found and what was expected, as TAP's "Bail out!", so that whoever reads the
 * console sees a crash and not a short list of tests.
 */
#ifndef LIB_PANIC_H
#define LIB_PANIC_H

#include "lib/types.h"

void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/*
 * Prints which functions were under way when panic was called, as far as the stack tells. @frame is
 * the address of panic's own stack frame. Never faults. Provided by the machine below.
 */
void platform_call_trace(const void *frame);

/* Ends the domain as crashed. Provided by the machine below, as platform_write is. */
void platform_crash(void) __noreturn;

#endif
