/* SPDX-License-Identifier: MIT */
/*
 * Orders and nodes of xenstore hold numbers that others wrote. Without this "12x" could be 12, and
 * a number of 65 bits a small one.
 */
#include "lib/number.h"

#include "tests/unit/harness.h"

static const struct {
    const char *text;
    bool is_number;
    uint64_t value;
    size_t len; /* what is taken of the text */
} rows[] = {
    {"0",                     true,  0,                 1 },
    {"7",                     true,  7,                 1 },
    {"007",                   true,  7,                 3 },
    {"1234567890",            true,  1234567890,        10},
    {"  42  next",            true,  42,                6 },
    {"42 43",                 true,  42,                3 },
    {"18446744073709551615",  true,  UINT64_MAX,        20},
    {"18446744073709551616",  false, 0,                 0 },
    {"184467440737095516150", false, 0,                 0 },
    {"99999999999999999999",  false, 0,                 0 },
    {"0x0",                   true,  0,                 3 },
    {"0xff",                  true,  255,               4 },
    {"0xFf",                  true,  255,               4 },
    {"0xAbCdEf",              true,  0xabcdef,          8 },
    {"0x0123456789abcdef ",   true,  0x123456789abcdef, 19},
    {"0xffffffffffffffff",    true,  UINT64_MAX,        18},
    {"0x10000000000000000",   false, 0,                 0 },
    {"0x",                    false, 0,                 0 },
    {"0x ",                   false, 0,                 0 },
    {"0xg",                   false, 0,                 0 },
    {"0X1",                   false, 0,                 0 },
    {"x1",                    false, 0,                 0 },
    {"1x",                    false, 0,                 0 },
    {"9a",                    false, 0,                 0 },
    {"ff",                    false, 0,                 0 },
    {"-1",                    false, 0,                 0 },
    {"+1",                    false, 0,                 0 },
    {"1,2",                   false, 0,                 0 },
    {"1\t2",                  false, 0,                 0 },
    {"\t1",                   false, 0,                 0 },
    {"/",                     false, 0,                 0 },
    {":",                     false, 0,                 0 },
    {"0x@",                   false, 0,                 0 },
    {"0x`",                   false, 0,                 0 },
    {"0xG",                   false, 0,                 0 },
    {"",                      false, 0,                 0 },
    {"   ",                   false, 0,                 0 },
};

static void test_every_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *s = rows[i].text;
        uint64_t value = 77;

        check_equal(rows[i].text, number_next(&s, &value), rows[i].is_number);
        check_equal(rows[i].text, value, rows[i].is_number ? rows[i].value : 77);
        check_equal(rows[i].text, s - rows[i].text, rows[i].len);
    }
}

/* One word after the other, up to the end. */
static void test_words_in_turn(void **state)
{
    const char *s = " 1 0x2   3 ";
    uint64_t value;

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        check_equal("a number", number_next(&s, &value), true);
        check_equal("its value", value, i);
    }
    check_equal("the end", *s, 0);
    check_equal("no more", number_next(&s, &value), false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word),
        cmocka_unit_test(test_words_in_turn),
    };

    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
