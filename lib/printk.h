/* SPDX-License-Identifier: MIT */
/*
 * Text output: printk for the kernel's log, which has levels, and print for the lines that programs
 * read (TAP, reports, the answers of the shell).
 */
#ifndef LIB_PRINTK_H
#define LIB_PRINTK_H

#include "lib/types.h"

enum loglevel { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* printk prints this level and the levels before it; LOG_INFO until loglevel= has been parsed. */
extern enum loglevel printk_level;

/*
 * Prints a line of the kernel's log, or the first piece of a line that print continues. The text is
 * "STAGE: sentence\n". For LOG_ERROR and LOG_WARN, "error: " or "warning: " is put in front of the
 * text: an error ends the stage, the command or the boot; after a warning the kernel continues
 * without what the text names. A text of more than 511 bytes is cut, and ends with "...\n".
 */
void printk(enum loglevel level, const char *fmt, ...) __printf(2, 3);

/* Prints at every log level, without a prefix: TAP lines, reports, panics. The same limit. */
void print(const char *fmt, ...) __printf(1, 2);

/*
 * Writes @len_bytes of @text to the output. xen/console.c defines this function in the kernel,
 * tests/unit/harness.c in the unit tests. There is no error: bytes that cannot be written are lost.
 */
void platform_write(const char *text, size_t len_bytes);

#endif
