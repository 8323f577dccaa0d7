/* SPDX-License-Identifier: MIT */
/*
 * What every fuzz target needs: an input to take bytes from, checks that end the program, and
 * panics that do not end it. A panic is the kernel's specified answer to data that it cannot use,
 * and so no finding. A finding is an access out of bounds, a wrong result, or an endless loop.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "lib/types.h"

/* libFuzzer calls this function for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An input. Bytes are taken from its front; past its end all bytes read as 0. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* Takes an unsigned little-endian number of @nr_bytes (up to 8) from @in. */
uint64_t take(struct input *in, unsigned int nr_bytes);

/* Have all bytes of @in been taken? */
static inline bool is_empty(const struct input *in)
{
    return in->left == 0;
}

/* Reports a finding: prints "FILE:LINE: expected: WHAT" and aborts; libFuzzer keeps the input. */
void finding(const char *file, int line, const char *what) __noreturn;
#define CHECK(condition, what) ((condition) ? (void)0 : finding(__FILE__, __LINE__, what))

/* Calls @call(@arg). Returns NULL if it returned, or the text of its panic. */
const char *panic_of(void (*call)(void *arg), void *arg);

/*
 * Time and hypercalls for targets that wait for another domain (fake.c). The clock advances only by
 * the time that a hypercall takes and by sleep. More than FAKE_MAX_HYPERCALLS hypercalls without
 * new input count as a hang, which is a finding.
 */
#define FAKE_MAX_HYPERCALLS 20000
#define FAKE_PORT           5

struct shared_info;

struct fake {
    struct shared_info *shared;
    uint64_t call_ns; /* time that one hypercall takes */
    unsigned int nr_hypercalls;
    uint64_t alarm_ns;
    bool (*turn)(void); /* the other end acts, at each hypercall; true: it sends an event */
};

extern struct fake fake;

/* Resets the fake: 1 s after Xen's start, no pending event, no alarm; @turn is the other end. */
void fake_start(bool (*turn)(void));
uint64_t fake_now(void);

#endif
