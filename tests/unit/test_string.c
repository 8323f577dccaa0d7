/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own string functions, under other names beside the C library's, which are the
 * oracle: what the other tests call by these names is the C library's.
 */
#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

#include <string.h>

#include "tests/unit/harness.h"

#define SIZE 96

static uint8_t ours[SIZE], theirs[SIZE];

static void fill_both(struct rng *r)
{
    for (size_t i = 0; i < SIZE; i++)
        ours[i] = theirs[i] = (uint8_t)rng_next(r);
}

/* Every length, distance and direction of overlap that a word-wise copy could get wrong. */
static void test_moving(void **state)
{
    struct rng r = {1};

    (void)state;
    for (size_t len = 0; len <= 40; len++)
        for (size_t from = 0; from <= 40; from++)
            for (size_t to = 0; to <= 40; to++) {
                fill_both(&r);
                assert_ptr_equal(our_memmove(ours + to, ours + from, len), ours + to);
                memmove(theirs + to, theirs + from, len);
                if (memcmp(ours, theirs, SIZE))
                    fail_msg("memmove of %zu bytes from %zu to %zu", len, from, to);
            }
}

static void test_copying_and_setting(void **state)
{
    struct rng r = {2};

    (void)state;
    for (size_t len = 0; len <= 40; len++)
        for (size_t at = 0; at < 16; at++) {
            fill_both(&r);
            our_memcpy(ours + at, ours + 50 + at / 2, len > 30 ? 30 : len);
            memcpy(theirs + at, theirs + 50 + at / 2, len > 30 ? 30 : len);
            our_memset(ours + at + 30, 0x100 + (int)len * 5, len);
            memset(theirs + at + 30, 0x100 + (int)len * 5, len);
            if (memcmp(ours, theirs, SIZE))
                fail_msg("memcpy or memset of %zu bytes at %zu", len, at);
        }
}

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void test_comparing(void **state)
{
    static const char *const words[] = {"",    "a",      "b",      "ab",
                                        "abc", "ab\x80", "ab\x7f", "abcdefghij"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        check_equal(words[i], our_strlen(words[i]), strlen(words[i]));
        check_equal(words[i], our_strnlen(words[i], 2), strnlen(words[i], 2));
        assert_ptr_equal(our_strchr(words[i], 'b'), strchr(words[i], 'b'));
        assert_ptr_equal(our_strchr(words[i], 0), strchr(words[i], 0));
        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
            const char *a = words[i], *b = words[k];
            size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

            check_equal(a, sign(our_strcmp(a, b)), sign(strcmp(a, b)));
            check_equal(a, sign(our_strncmp(a, b, 2)), sign(strncmp(a, b, 2)));
            check_equal(a, sign(our_memcmp(a, b, len)), sign(memcmp(a, b, len)));
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moving),
        cmocka_unit_test(test_copying_and_setting),
        cmocka_unit_test(test_comparing),
    };

    return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
