/* SPDX-License-Identifier: MIT */
/*
 * Numbers in text: arguments of the kernel and of its commands, and values of xenstore nodes. The
 * only parser of numbers in this kernel. No function accepts a sign, a suffix or an empty text.
 */
#ifndef LIB_NUMBER_H
#define LIB_NUMBER_H

#include "lib/types.h"

/*
 * Parses all @len bytes of @s as a number of at most @max, decimal ("64") or hexadecimal with 0x in
 * front ("0x40", upper or lower case digits). False leaves *@value unchanged.
 */
bool number_parse(const char *s, size_t len, uint64_t max, uint64_t *value) __must_check;

/* The same, decimal only: for protocols that define the number so, as xenstore does. */
bool number_parse_decimal(const char *s, size_t len, uint64_t max, uint64_t *value) __must_check;

/*
 * Skips blanks at *@s and parses the word there, which ends before a blank or the 0 byte, as
 * number_parse does, without an upper bound. Moves *@s behind the word and the blanks that follow
 * it. False leaves *@s and *@value unchanged.
 */
bool number_next(const char **s, uint64_t *value) __must_check;

#endif
