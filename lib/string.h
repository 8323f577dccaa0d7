/* SPDX-License-Identifier: MIT */
/*
 * The functions of <string.h> that a freestanding compiler may call on its own account (memcpy,
 * memmove, memset, memcmp), and the string functions that this kernel uses. Semantics are those of
 * C11, and of POSIX for strnlen.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t len_bytes);
void *memmove(void *to, const void *from, size_t len_bytes);
void *memset(void *to, int byte, size_t len_bytes);
int memcmp(const void *a, const void *b, size_t len_bytes);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max_bytes);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max_bytes);
char *strchr(const char *s, int c);

#endif
