/* SPDX-License-Identifier: MIT */
/* Numbers as people write them. */
#ifndef LIB_NUMBER_H
#define LIB_NUMBER_H

#include "lib/types.h"

/*
 * Takes the word that *@s begins with, behind blanks, as a number: decimal, or with 0x in front
 * hexadecimal. True if it is one and 64 bits hold it; then *@s is moved behind it and the blanks
 * that follow. Else nothing is changed.
 */
bool number_next(const char **s, uint64_t *value) __must_check;

#endif
