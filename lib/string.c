/* SPDX-License-Identifier: MIT */
/*
 * memcpy and memset use the string instructions (Intel SDM vol. 2, REP MOVS and REP STOS). They
 * need no code for unaligned buffers, and a CPU with fast string operations executes them in large
 * blocks. The unit is a word of 8 bytes: a CPU or an emulator that executes them one by one needs
 * an eighth of the steps.
 */
#include "lib/string.h"

/* Eight bytes of any alignment, which may alias objects of any type. */
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
    /* Copies from the end. Each word is read completely before it is written. */
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
