/* SPDX-License-Identifier: MIT */
/*
 * A subset of printf formatting: %d %u %x %p %c %s %%; the length modifiers l and z; a width; the
 * flags '0' and '-'; and .N or .* as the precision of %s. An unsupported conversion is copied to
 * the output unchanged, so that the mistake is visible. There is no %f: the kernel uses no floating
 * point.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include "lib/types.h"

#include <stdarg.h>

/*
 * Formats into @buf of @size_bytes; the result ends with a 0 if @size_bytes is not 0. Returns the
 * length of the complete text without the 0, as vsnprintf of C11 does: a result of @size_bytes or
 * more means that the text in @buf is truncated.
 */
size_t format_v(char *buf, size_t size_bytes, const char *fmt, va_list args) __printf(3, 0);
size_t format(char *buf, size_t size_bytes, const char *fmt, ...) __printf(3, 4);

#endif
