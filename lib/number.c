/* SPDX-License-Identifier: MIT */
#include "lib/number.h"

static const char *skip_blanks(const char *s)
{
    while (*s == ' ')
        s++;
    return s;
}

/* The value of a digit; something larger than any base for what is none. */
static unsigned int digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned int)(c - 'A') + 10;
    return 99;
}

bool number_next(const char **s, uint64_t *value)
{
    const char *p = skip_blanks(*s), *first;
    unsigned int base = 10;
    uint64_t n = 0;

    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    for (first = p; digit(*p) < base; p++)
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit(*p), &n))
            return false;
    if (p == first || (*p && *p != ' '))
        return false;
    *value = n;
    *s = skip_blanks(p);
    return true;
}
