/* SPDX-License-Identifier: MIT */
/*
 * lib/number.c: commands, arguments and xenstore nodes hold numbers that others wrote. Without this
 * test "12x" could be read as 12, and a number of 65 bits as a small one.
 */
#include "lib/number.h"

#include "tests/unit/harness.h"

static const struct {
    const char *text;
    bool is_number;
    uint64_t value;
    size_t len; /* bytes of the text that number_next takes */
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

/* number_parse takes all of the text: no blanks, and nothing behind the number. */
static void test_parse(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        uint64_t max, hexadecimal, decimal; /* expected values; 77: no number */
    } bounds[] = {
        {"12",                    2,  UINT64_MAX,     12,         12        },
        {"123",                   2,  UINT64_MAX,     12,         12        },
        {"12",                    0,  UINT64_MAX,     77,         77        },
        {"",                      0,  UINT64_MAX,     77,         77        },
        {" 12",                   3,  UINT64_MAX,     77,         77        },
        {"12 ",                   3,  UINT64_MAX,     77,         77        },
        {"12x",                   3,  UINT64_MAX,     77,         77        },
        {"0x1f",                  4,  UINT64_MAX,     0x1f,       77        },
        {"0x1f",                  3,  UINT64_MAX,     1,          77        },
        {"0x1f",                  2,  UINT64_MAX,     77,         77        },
        {"0x1f",                  1,  UINT64_MAX,     0,          0         },
        {"999999999",             9,  999999999,      999999999,  999999999 },
        {"1000000000",            10, 999999999,      77,         77        },
        {"0x3b9ac9ff",            10, 999999999,      999999999,  77        },
        {"0x3b9aca00",            10, 999999999,      77,         77        },
        {"0000000005",            10, 5,              5,          5         },
        {"6",                     1,  5,              77,         77        },
        {"0",                     1,  0,              0,          0         },
        {"18446744073709551615",  20, UINT64_MAX,     UINT64_MAX, UINT64_MAX},
        {"18446744073709551615",  20, UINT64_MAX - 1, 77,         77        },
        {"18446744073709551616",  20, UINT64_MAX,     77,         77        },
        {"184467440737095516150", 21, UINT64_MAX,     77,         77        },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
        const char *text = bounds[i].text;
        size_t len = bounds[i].len;
        uint64_t value = 77;

        check_equal(text, number_parse(text, len, bounds[i].max, &value),
                    bounds[i].hexadecimal != 77);
        check_equal(text, value, bounds[i].hexadecimal);
        value = 77;
        check_equal(text, number_parse_decimal(text, len, bounds[i].max, &value),
                    bounds[i].decimal != 77);
        check_equal(text, value, bounds[i].decimal);
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
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_words_in_turn),
    };

    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
