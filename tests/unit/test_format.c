/* SPDX-License-Identifier: MIT */
/*
 * The text formatter. Every test report, panic and JSON line goes through it, so without this test
 * a wrong digit of the formatter would be a wrong digit in all of them. A text longer than its
 * buffer must be truncated, not written past the end of the buffer. Compared with expected strings.
 */
#include "tests/unit/harness.h"

#include "lib/format.h"
#include "lib/panic.h"
#include "lib/printk.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Formats, and compares the text and the returned length with @expected. */
#define CHECK(expected, ...)                                                                \
    do {                                                                                    \
        char buf[128];                                                                      \
                                                                                            \
        check_equal(#__VA_ARGS__, format(buf, sizeof(buf), __VA_ARGS__), strlen(expected)); \
        assert_string_equal(buf, expected);                                                 \
    } while (0)

/* Hides a format string from the compiler, which would report its deliberate errors. */
static const char *hide(const char *fmt)
{
    static const char *volatile hidden;

    hidden = fmt;
    return hidden;
}

static void test_numbers(void **state)
{
    (void)state;
    CHECK("0 7 -7", "%d %d %d", 0, 7, -7);
    CHECK("2147483647 -2147483648", "%d %d", INT_MAX, INT_MIN);
    CHECK("9223372036854775807 -9223372036854775808", "%ld %ld", LONG_MAX, LONG_MIN);
    CHECK("0 4294967295", "%u %u", 0u, UINT_MAX);
    CHECK("18446744073709551615 ffffffffffffffff", "%lu %lx", ULONG_MAX, ULONG_MAX);
    CHECK("18446744073709551615", "%zu", SIZE_MAX);
    CHECK("-1", "%zd", (ssize_t)-1);
    CHECK("0 ff deadbeef", "%x %x %x", 0u, 255u, 0xdeadbeefu);
    CHECK("4294967295", "%llu", 4294967295ull);
    CHECK("0x0 0x123456789abc", "%p %p", NULL, (void *)0x123456789abc);
}

static void test_width_and_padding(void **state)
{
    (void)state;
    CHECK("[   42][42   ][00042]", "[%5d][%-5d][%05d]", 42, 42, 42);
    CHECK("[  -42][-42  ][-0042]", "[%5d][%-5d][%05d]", -42, -42, -42);
    CHECK("[-42][-42]", "[%02d][%01d]", -42, -42);
    CHECK("[0000000000001234]", "[%016lx]", 0x1234ul);
    CHECK("[123456]", "[%3d]", 123456);
    CHECK("[7  ]", hide("[%-03d]"), 7);
    CHECK("[  x][x  ]", "[%3c][%-3c]", 'x', 'x');
    CHECK("[   ab][ab   ]", "[%5s][%-5s]", "ab", "ab");
}

static void test_strings(void **state)
{
    static const char not_terminated[4] = {'x', 'e', 'n', '-'};

    (void)state;
    CHECK("", "%s", "");
    CHECK("(null)", hide("%s"), NULL);
    CHECK("ab||abc", "%.2s|%.0s|%.9s", "abc", "abc", "abc");
    CHECK("abc", "%.*s", 3, "abcdef");
    CHECK("[  ab]", "[%4.2s]", "abcdef");
    CHECK("xen-", "%.*s", 4, not_terminated);
    CHECK("100%", "100%%");
}

static void test_unknown_is_printed_as_it_stands(void **state)
{
    (void)state;
    CHECK("%f", hide("%f"));
    CHECK("%q is 3", hide("%q is %d"), 3);
    CHECK("%-08y", hide("%-08y"));
    CHECK("100%", hide("100%"));
    CHECK("100%5", hide("100%5"));
}

static void test_every_cut(void **state)
{
    static const char whole[] = "pfn 0x1234 is -7, abc";
    char buf[64];

    (void)state;
    for (size_t size = 0; size < sizeof(whole) + 4; size++) {
        size_t fits = size ? min_u64(size - 1, sizeof(whole) - 1) : 0;

        memset(buf, 'Z', sizeof(buf));
        check_equal("length returned for a truncated text",
                    format(buf, size, "pfn 0x%x is %d, %s", 0x1234, -7, "abc"), sizeof(whole) - 1);
        check_equal("bytes of the truncated text", memcmp(buf, whole, fits), 0);
        if (size)
            check_equal("terminating 0 of the truncated text", buf[fits], '\0');
        check_equal("byte after the buffer", buf[size], 'Z');
    }
}

/* Compares with C's printf for the conversions that both know. */
static void test_against_libc(void **state)
{
    static const char *const specs[] = {"%ld", "%lu", "%lx", "%8ld", "%-8lu", "%016lx", "%021ld"};
    struct rng r = {20};
    char ours[64], libc[64];

    (void)state;
    for (unsigned int i = 0; i < 5000; i++) {
        const char *spec = hide(specs[i % ARRAY_SIZE(specs)]);
        unsigned long value = rng_next(&r) >> rng_below(&r, 64);

        value = i & 1 ? -value : value;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        format(ours, sizeof(ours), spec, value);
        snprintf(libc, sizeof(libc), spec, value);
#pragma GCC diagnostic pop
        assert_string_equal(ours, libc);
    }
}

static void test_log_level(void **state)
{
    (void)state;
    output_clear();
    printk_level = LOG_WARN;
    printk(LOG_ERROR, "stage: %d\n", 1);
    printk(LOG_WARN, "stage: 2\n");
    printk(LOG_INFO, "stage: 3\n");
    print("always\n");
    printk_level = LOG_DEBUG;
    printk(LOG_INFO, "stage: 4\n");
    printk(LOG_DEBUG, "stage: 5\n");
    printk_level = LOG_INFO;
    printk(LOG_DEBUG, "stage: 6\n");
    assert_string_equal(output(), "error: stage: 1\nwarning: stage: 2\nalways\n"
                                  "stage: 4\nstage: 5\n");
}

static void test_a_long_line_is_cut(void **state)
{
    char line[1000];

    (void)state;
    memset(line, 'a', sizeof(line));
    line[999] = '\0';
    output_clear();
    print("%s", line);
    check_equal("length of a truncated line of print", strlen(output()), 511 + strlen("...\n"));
    check_true("a truncated line ends with a newline", output()[strlen(output()) - 1] == '\n');
    output_clear();
    printk(LOG_WARN, "%s", line);
    check_equal("length with a prefix", strlen(output()), 511 + strlen("...\n"));
    check_says("the prefix is in front", output(), "warning: aaa");
}

static void die(void *why)
{
    panic("found %s, expected %d", (const char *)why, 0);
}

static void test_panic(void **state)
{
    (void)state;
    assert_string_equal(panic_of(die, "this"),
                        "Bail out! found this, expected 0\nTest result: CRASH\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_width_and_padding),
        cmocka_unit_test(test_strings),   cmocka_unit_test(test_unknown_is_printed_as_it_stands),
        cmocka_unit_test(test_every_cut), cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_log_level), cmocka_unit_test(test_a_long_line_is_cut),
        cmocka_unit_test(test_panic),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
