/* SPDX-License-Identifier: MIT */
/*
 * Basic types and macros for all files. lib/ uses neither Xen's headers nor arch/.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a function whose result must not be ignored: every function that can fail has it. */
#define __must_check        __attribute__((warn_unused_result))
#define __noreturn          __attribute__((noreturn))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))

#define DIV_ROUND_UP(n, d)  (((n) + (d)-1) / (d))
#define ROUND_DOWN(n, to)   ((n) / (to) * (to))
#define ROUND_UP(n, to)     (DIV_ROUND_UP(n, to) * (to))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
