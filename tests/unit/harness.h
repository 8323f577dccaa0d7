/* SPDX-License-Identifier: MIT */
/*
 * What every unit test needs: cmocka, the kernel's printed words, and panics that end a function
 * call and not the program.
 */
#ifndef TESTS_UNIT_HARNESS_H
#define TESTS_UNIT_HARNESS_H

#include "lib/types.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* All that the code under test has printed since output_clear(), or since the program began. */
const char *output(void);
void output_clear(void);

/*
 * Calls @call(@arg). Returns NULL if it came back, or what it said from its panic on, if it ended
 * in one. Outside of this a panic fails the test.
 */
const char *panic_of(void (*call)(void *arg), void *arg);

/* Numbers that are the same whenever a test runs: a failure must be seen again. */
struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* One of 0 .. @below - 1. */
uint64_t rng_below(struct rng *r, uint64_t below);

/* Like assert_int_equal, but says of what: the row of a table, the number of a random case. */
#define check_equal(what, got, expected) \
    check_equal_at(what, #got, (uint64_t)(got), (uint64_t)(expected), __FILE__, __LINE__)
void check_equal_at(const char *what, const char *text, uint64_t got, uint64_t expected,
                    const char *file, int line);

#define check_true(what, condition) check_equal(what, (condition) ? 1 : 0, 1)

/* Does the text @in hold @part? */
#define check_says(what, in, part) check_says_at(what, in, part, __FILE__, __LINE__)
void check_says_at(const char *what, const char *in, const char *part, const char *file, int line);

#endif
