/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the running kernel, reported as TAP 14. A test is a file under tests/guest: prose
 * that says what would break without the test, a function, and TEST, which registers the function.
 *
 *      TEST(p2m, "each RAM PFN's M2P entry names that PFN")
 *      {
 *          CHECK_EQ(m2p_get(m2p, mfn).v, pfn, "M2P entry of MFN 0x%lx", mfn.v);
 *      }
 *
 * The title is one claim that can be false. "not ok" is printed at the first failed check, and the
 * diagnostics of the test follow that line as they come:
 *
 *      not ok 52 - p2m: each RAM PFN's M2P entry names that PFN
 *      # M2P entry of MFN 0x3e89e is 0x9f, expected 0x9e
 *
 * A diagnostic names the step, the object, what was found and what was expected. A result only gets
 * worse: a test that skipped a part of its work and failed elsewhere has failed.
 */
#ifndef KERNEL_SELFTEST_TEST_H
#define KERNEL_SELFTEST_TEST_H

#include "kernel/domain.h"
#include "kernel/selftest/sweep.h"

/* In ascending severity. The names are those that the Xen Test Framework prints. */
enum test_result { TEST_SUCCESS, TEST_SKIP, TEST_ERROR, TEST_FAILURE, TEST_CRASH };

const char *test_result_name(enum test_result result);

struct guest_test;

/* A running test. */
struct test {
    struct domain *d;
    const struct guest_test *test;
    unsigned int number; /* in the TAP plan, from 1; 0: a benchmark, which is not in the plan */
    enum test_result result;
    unsigned int nr_messages;
    char title[40];   /* "# NAME", which begins the progress lines */
    char reason[120]; /* why the test was skipped */
};

struct guest_test {
    const char *name, *what;
    void (*run)(struct test *t);
    bool rule; /* see TEST_RULE */
};

/* The linker collects pointers: it would be free to put gaps between structures. */
#define TEST(ident, description) GUEST_TEST(test, ident, description, ".guest_tests." #ident, false)
/*
 * For a test of a rule of Xen's interface on which this kernel does not depend. A dom0 runs it with
 * the others. A domU, which tests itself after each suspend and each change of its size, runs it
 * only if test= has the name or "full".
 */
#define TEST_RULE(ident, description) \
    GUEST_TEST(test, ident, description, ".guest_tests." #ident, true)
/* For a test that checks what the other tests have left. */
#define TEST_LAST(ident, description) \
    GUEST_TEST(test, ident, description, ".guest_tests_last." #ident, false)
/*
 * For a benchmark: a function that prints a line of JSON. The description says what is measured. A
 * benchmark makes no claim, is no part of the TAP plan, and runs only if it is named by bench=NAME.
 */
#define BENCH(ident, description) \
    GUEST_TEST(bench, ident, description, ".guest_benches." #ident, false)
#define GUEST_TEST(kind, ident, description, where, is_rule)                                      \
    static void kind##_##ident(struct test *t);                                                   \
    static const struct guest_test guest_##kind##_##ident = {#ident, description, kind##_##ident, \
                                                             is_rule};                            \
    static const struct guest_test *const guest_##kind##_at_##ident                               \
        __attribute__((used, section(where))) = &guest_##kind##_##ident;                          \
    static void kind##_##ident(struct test *t)

/* Runs the tests that the command line names. Returns the worst result. */
enum test_result tests_run(struct domain *d);

/*
 * Runs the benchmark that bench= names, if there is one. TEST_ERROR: there is no benchmark of that
 * name, the benchmark cannot run in this domain, or one of its checks failed.
 */
enum test_result bench_run(struct domain *d);

/*
 * Begins a sweep (sweep.h) over the indices [0, @nr). Each index stands for 1 << @shift PFNs, and
 * @unit is the plural noun for what an index counts.
 */
void test_sweep(const struct test *t, struct sweep *s, uint64_t nr, unsigned int shift,
                const char *unit);

/* Fails the test with a diagnostic. Only the first few diagnostics of a test are printed. */
void test_fail(struct test *t, const char *fmt, ...) __printf(2, 3);

/* Skips the test: the text is the reason why the test cannot run in this domain. */
void test_skip(struct test *t, const char *fmt, ...) __printf(2, 3);

/* Ends the test in error: something failed that the test needs but does not test. */
void test_error(struct test *t, const char *fmt, ...) __printf(2, 3);

#define CHECK(condition, ...)          \
    do {                               \
        if (!(condition))              \
            test_fail(t, __VA_ARGS__); \
    } while (0)

/* "OBJECT is 0x1, expected 0x2": the arguments behind @expected name the object. */
#define CHECK_EQ(found, expected, ...) test_check_eq(t, found, expected, __VA_ARGS__)
void test_check_eq(struct test *t, uint64_t found, uint64_t expected, const char *fmt, ...)
    __printf(4, 5);

/*
 * "STEP: result is -22 (EINVAL), expected 0 (success)": the arguments behind @expected name the
 * step, with the hypercall. @rc is 0, a positive count, or a negative errno.
 */
#define CHECK_RC(rc, expected, ...) test_check_rc(t, rc, expected, __VA_ARGS__)
void test_check_rc(struct test *t, long rc, long expected, const char *fmt, ...) __printf(4, 5);

/* The same for a status of <xen/grant_table.h>: "STEP: status is -3 (GNTST_bad_gntref), ...". */
#define CHECK_GNTST(status, expected, ...) test_check_gntst(t, status, expected, __VA_ARGS__)
void test_check_gntst(struct test *t, int16_t status, int16_t expected, const char *fmt, ...)
    __printf(4, 5);

#endif
