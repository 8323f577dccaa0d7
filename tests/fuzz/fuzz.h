/* SPDX-License-Identifier: MIT */
/*
 * What every fuzz target needs: bytes that run out, checks that end the program, and panics that
 * do not. A panic is the kernel's specified answer to what it cannot work with, and so no finding;
 * a read out of bounds, a wrong result, or a loop without end is one.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "lib/types.h"

/* libFuzzer calls it for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, taken from the front. Past its end everything is 0. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* An unsigned number of @nr_bytes (up to 8), little end first. */
uint64_t take(struct input *in, unsigned int nr_bytes);

/* Is there nothing left? */
static inline bool is_empty(const struct input *in)
{
    return in->left == 0;
}

/* A finding, said in one line; libFuzzer keeps the input. */
void finding(const char *file, int line, const char *what) __noreturn;
#define CHECK(condition, what) ((condition) ? (void)0 : finding(__FILE__, __LINE__, what))

/* Calls @call(@arg): NULL if it came back, or what it said in its panic. */
const char *panic_of(void (*call)(void *arg), void *arg);

/*
 * Time and hypercalls of targets that wait for somebody (fake.c). The clock stands still but for
 * what a hypercall takes and for sleep. Whoever makes more than FAKE_MAX_HYPERCALLS of them hangs:
 * a finding.
 */
#define FAKE_MAX_HYPERCALLS 20000
#define FAKE_PORT           5

struct shared_info;

struct fake {
    struct shared_info *shared;
    uint64_t call_ns; /* that a hypercall takes */
    unsigned int nr_hypercalls;
    uint64_t alarm_ns;
    bool (*turn)(void); /* of the other end, at each hypercall: has it done anything? */
};

extern struct fake fake;

/* At one second past Xen's start, with no port, no alarm, and the other end's @turn. */
void fake_start(bool (*turn)(void));
uint64_t fake_now(void);

#endif
