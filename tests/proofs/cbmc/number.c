/* SPDX-License-Identifier: MIT */
/*
 * lib/number.c for any text of up to NR characters: no read past the text, and no change of the
 * caller's variables after a refusal; and the value of any decimal text of up to NR_DECIMAL ones.
 */
#include "proof.h"

#include "lib/number.h"

#define NR         24
#define NR_DECIMAL 4 /* more digits take CBMC minutes */

static char text[NR + 1];

/* The first @len characters of the text as a decimal number; false if there are none, or if one of
 * them is no digit. */
static bool is_decimal(size_t len, uint64_t *value)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        n = n * 10 + (unsigned int)(text[i] - '0');
    }
    *value = n;
    return len;
}

void check_decimal(void)
{
    uint64_t max = nondet_u64(), old = nondet_u64(), value = old, expected;
    size_t len = nondet_u64();
    bool ok, is_number;

    ASSUME(len <= NR_DECIMAL);
    is_number = is_decimal(len, &expected);
    ok = number_parse_decimal(text, len, max, &value);
    PROVE(ok == (is_number && expected <= max));
    PROVE(value == (ok ? expected : old));
}

void check_next(void)
{
    const char *s = text;
    uint64_t old = nondet_u64(), value = old;
    bool ok = number_next(&s, &value);

    PROVE(s >= text && s <= text + NR);
    PROVE(ok ? *s != ' ' : s == text && value == old);
}

int main(void)
{
    for (size_t i = 0; i < NR; i++)
        text[i] = nondet_char();
    PROOF();
    REACHED();
    return 0;
}
