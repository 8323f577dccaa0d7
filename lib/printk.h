/* SPDX-License-Identifier: MIT */
/*
 * The kernel's voice. What is said at a level above the log level is not printed; what tests and
 * reports say (print) always is.
 */
#ifndef LIB_PRINTK_H
#define LIB_PRINTK_H

#include "lib/types.h"

enum loglevel { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* The level up to which printk prints; LOG_INFO until the command line says otherwise. */
extern enum loglevel printk_level;

/*
 * Prints a line, or a piece of one, of the kernel's log. A text past 511 bytes is cut, and then
 * ends the line with "...".
 */
void printk(enum loglevel level, const char *fmt, ...) __printf(2, 3);

/* Prints whatever the log level: TAP lines, reports, last words. The same limit. */
void print(const char *fmt, ...) __printf(1, 2);

/*
 * Where the text goes. Not defined in this layer: the machine below provides it (the console in
 * the kernel, standard output in host tests). Writes all @len_bytes, in order, or loses them.
 */
void platform_write(const char *text, size_t len_bytes);

#endif
