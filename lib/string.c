/* SPDX-License-Identifier: MIT */
/*
 * memcpy and memset use the CPU's string instructions: no alignment cases, and as fast as anything
 * on a CPU with fast strings. By words, which is an eighth of the steps where the CPU, or an
 * emulator that counts, takes them one by one.
 */
#include "lib/string.h"

/* Eight bytes of any alignment, that may be part of anything. */
typedef uint64_t __attribute__((aligned(1), may_alias)) word_t;

void *memcpy(void *restrict to, const void *restrict from, size_t len_bytes)
{
    void *d = to;
    size_t words = len_bytes / 8;

    len_bytes %= 8;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(len_bytes) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t len_bytes)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if (d <= s || d >= s + len_bytes)
        return memcpy(to, from, len_bytes);
    /* from the end; a word is read before any of it is written */
    for (; len_bytes >= sizeof(word_t); len_bytes -= sizeof(word_t))
        *(word_t *)(d + len_bytes - sizeof(word_t)) =
            *(const word_t *)(s + len_bytes - sizeof(word_t));
    while (len_bytes--)
        d[len_bytes] = s[len_bytes];
    return to;
}

void *memset(void *to, int byte, size_t len_bytes)
{
    void *d = to;
    size_t words = len_bytes / 8;
    uint64_t bytes = (uint8_t)byte * (uint64_t)0x0101010101010101;

    len_bytes %= 8;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(bytes) : "memory");
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(len_bytes) : "a"(bytes) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t len_bytes)
{
    const unsigned char *p = a, *q = b;

    for (; len_bytes; len_bytes--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

size_t strnlen(const char *s, size_t max_bytes)
{
    size_t n = 0;

    while (n < max_bytes && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t max_bytes)
{
    for (; max_bytes && *a && *a == *b; max_bytes--)
        a++, b++;
    return max_bytes ? (unsigned char)*a - (unsigned char)*b : 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}
