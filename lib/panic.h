/* SPDX-License-Identifier: MIT */
/*
 * The end, for when the machine cannot go on. A panic says in one sentence what was found and
 * what was expected, as TAP's "Bail out!", so that whoever reads the console sees a crash and
 * not a short list of tests.
 */
#ifndef LIB_PANIC_H
#define LIB_PANIC_H

#include "lib/types.h"

void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

/* Ends the domain as crashed. Provided by the machine below, as platform_write is. */
void platform_crash(void) __noreturn;

#endif
