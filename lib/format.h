/* SPDX-License-Identifier: MIT */
/*
 * printf's formatting, in the small: %d %u %x %p %c %s %%, with l and z, width, '0' and '-', and
 * .precision (or .*) for %s. Anything else is printed as it stands, so that a mistake is seen. The
 * kernel uses no floating point, and so has no %f.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include "lib/types.h"

#include <stdarg.h>

/*
 * Formats into @buf of @size_bytes, always terminated if there is room for a terminator.
 * Returns the length the whole text has, as C's vsnprintf does: at or past @size_bytes means cut.
 */
size_t format_v(char *buf, size_t size_bytes, const char *fmt, va_list args) __printf(3, 0);
size_t format(char *buf, size_t size_bytes, const char *fmt, ...) __printf(3, 4);

#endif
