/* SPDX-License-Identifier: MIT */
/*
 * Used by every unit test: cmocka, the captured output of the kernel, and panics that end a
 * function call instead of the program.
 */
#ifndef TESTS_UNIT_HARNESS_H
#define TESTS_UNIT_HARNESS_H

#include "lib/types.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* All output of the code under test since output_clear(), or since the program began. */
const char *output(void);
void output_clear(void);

/*
 * Calls @call(@arg). Returns NULL if the call returned, or the output from the panic message on if
 * the call ended in a panic. A panic outside of panic_of() fails the test.
 */
const char *panic_of(void (*call)(void *arg), void *arg);

/* A random-number generator with a fixed seed, so that a failure can be reproduced. */
struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* A random number from 0 to @below - 1. */
uint64_t rng_below(struct rng *r, uint64_t below);

/* Like assert_int_equal, but also prints @what: the object, the table row, or the random case. */
#define check_equal(what, got, expected) \
    check_equal_at(what, #got, (uint64_t)(got), (uint64_t)(expected), __FILE__, __LINE__)
void check_equal_at(const char *what, const char *text, uint64_t got, uint64_t expected,
                    const char *file, int line);

#define check_true(what, condition) check_equal(what, (condition) ? 1 : 0, 1)

/* Checks that the text @in contains @part. */
#define check_says(what, in, part) check_says_at(what, in, part, __FILE__, __LINE__)
void check_says_at(const char *what, const char *in, const char *part, const char *file, int line);

#endif
