/* SPDX-License-Identifier: MIT */
/*
 * The kernel's string functions, compared with the C library's. Without this test an error in one
 * of them would be found only on Xen: all other unit tests call the C library's functions by these
 * names. Here the kernel's functions are compiled under other names.
 */
#define memcpy  kernel_memcpy
#define memmove kernel_memmove
#define memset  kernel_memset
#define memcmp  kernel_memcmp
#define strlen  kernel_strlen
#define strnlen kernel_strnlen
#define strcmp  kernel_strcmp
#define strncmp kernel_strncmp
#define strchr  kernel_strchr
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

static uint8_t kernels[SIZE], libc[SIZE];

static void fill_both(struct rng *r)
{
    for (size_t i = 0; i < SIZE; i++)
        kernels[i] = libc[i] = (uint8_t)rng_next(r);
}

/* All small lengths and distances, in both directions of overlap, for a copy by words. */
static void test_moving(void **state)
{
    struct rng r = {1};

    (void)state;
    for (size_t len = 0; len <= 40; len++)
        for (size_t from = 0; from <= 40; from++)
            for (size_t to = 0; to <= 40; to++) {
                fill_both(&r);
                assert_ptr_equal(kernel_memmove(kernels + to, kernels + from, len), kernels + to);
                memmove(libc + to, libc + from, len);
                if (memcmp(kernels, libc, SIZE))
                    fail_msg(
                        "memmove of %zu bytes from %zu to %zu: result differs from the C library's",
                        len, from, to);
            }
}

static void test_copying_and_setting(void **state)
{
    struct rng r = {2};

    (void)state;
    for (size_t len = 0; len <= 40; len++)
        for (size_t at = 0; at < 16; at++) {
            fill_both(&r);
            kernel_memcpy(kernels + at, kernels + 50 + at / 2, len > 30 ? 30 : len);
            memcpy(libc + at, libc + 50 + at / 2, len > 30 ? 30 : len);
            kernel_memset(kernels + at + 30, 0x100 + (int)len * 5, len);
            memset(libc + at + 30, 0x100 + (int)len * 5, len);
            if (memcmp(kernels, libc, SIZE))
                fail_msg(
                    "memcpy or memset of %zu bytes at %zu: result differs from the C library's",
                    len, at);
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
        check_equal(words[i], kernel_strlen(words[i]), strlen(words[i]));
        check_equal(words[i], kernel_strnlen(words[i], 2), strnlen(words[i], 2));
        assert_ptr_equal(kernel_strchr(words[i], 'b'), strchr(words[i], 'b'));
        assert_ptr_equal(kernel_strchr(words[i], 0), strchr(words[i], 0));
        for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
            const char *a = words[i], *b = words[k];
            size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

            check_equal(a, sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
            check_equal(a, sign(kernel_strncmp(a, b, 2)), sign(strncmp(a, b, 2)));
            check_equal(a, sign(kernel_memcmp(a, b, len)), sign(memcmp(a, b, len)));
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
