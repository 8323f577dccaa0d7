/* SPDX-License-Identifier: MIT */
#include "lib/number.h"

static const char *skip_blanks(const char *s)
{
    while (*s == ' ')
        s++;
    return s;
}

/* The value of a digit; more than any base for a character that is no digit. */
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

static bool parse(const char *s, size_t len, unsigned int base, uint64_t max, uint64_t *value)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned int d = digit(s[i]);

        if (d >= base || __builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, d, &n))
            return false;
    }
    if (!len || n > max)
        return false;
    *value = n;
    return true;
}

bool number_parse(const char *s, size_t len, uint64_t max, uint64_t *value)
{
    if (len >= 2 && s[0] == '0' && s[1] == 'x')
        return parse(s + 2, len - 2, 16, max, value);
    return parse(s, len, 10, max, value);
}

bool number_parse_decimal(const char *s, size_t len, uint64_t max, uint64_t *value)
{
    return parse(s, len, 10, max, value);
}

bool number_next(const char **s, uint64_t *value)
{
    const char *word = skip_blanks(*s);
    size_t len = 0;

    while (word[len] && word[len] != ' ')
        len++;
    if (!number_parse(word, len, UINT64_MAX, value))
        return false;
    *s = skip_blanks(word + len);
    return true;
}
