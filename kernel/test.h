/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the running kernel, reported as TAP 14. A test is one file under tests/guest:
 * prose that says what would break without it, a function, and TEST, which registers it.
 *
 *      TEST(p2m, "every RAM PFN has a frame whose PFN it is")
 *      {
 *          CHECK(pfn == expected, "PFN is 0x%lx, expected 0x%lx", pfn, expected);
 *      }
 *
 * A result only gets worse: a test that skipped part of its work and failed elsewhere has failed.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include "kernel/domain.h"
#include "kernel/sweep.h"

/* In order of badness; the names are those that the Xen Test Framework prints. */
enum test_result { TEST_SUCCESS, TEST_SKIP, TEST_ERROR, TEST_FAILURE, TEST_CRASH };

const char *test_result_name(enum test_result result);

/* One test under way. */
struct test {
    struct domain *d;
    enum test_result result;
    unsigned int nr_messages;
    char title[40];   /* "# NAME", before what is said on the way */
    char reason[120]; /* why it was skipped */
};

struct guest_test {
    const char *name, *what;
    void (*run)(struct test *t);
};

/* The linker collects pointers: structures of 24 bytes it would be free to space out. */
#define TEST(ident, description) GUEST_TEST(ident, description, ".guest_tests." #ident)
/* For a test that looks at what the others have left. */
#define TEST_LAST(ident, description) GUEST_TEST(ident, description, ".guest_tests_last." #ident)
#define GUEST_TEST(ident, description, where)                                                \
    static void test_##ident(struct test *t);                                                \
    static const struct guest_test guest_test_##ident = {#ident, description, test_##ident}; \
    static const struct guest_test *const guest_test_at_##ident                              \
        __attribute__((used, section(where))) = &guest_test_##ident;                         \
    static void test_##ident(struct test *t)

/* Runs the tests that the command line asks for; the worst result of all. */
enum test_result tests_run(struct domain *d);

/* Begins a sweep (sweep.h) of [0, @nr), of @unit that stand for 1 << @shift PFNs each. */
void test_sweep(const struct test *t, struct sweep *s, uint64_t nr, unsigned int shift,
                const char *unit);

/* Says why a test fails; only the first few times, so that a broken list is not a million lines. */
void test_fail(struct test *t, const char *fmt, ...) __printf(2, 3);

/* Says why a test cannot be made here. */
void test_skip(struct test *t, const char *fmt, ...) __printf(2, 3);

/* Something that the test needs, and does not test, went wrong. */
void test_error(struct test *t, const char *fmt, ...) __printf(2, 3);

#define CHECK(condition, ...)          \
    do {                               \
        if (!(condition))              \
            test_fail(t, __VA_ARGS__); \
    } while (0)

#endif
