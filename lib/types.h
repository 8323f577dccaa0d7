/* SPDX-License-Identifier: MIT */
/*
 * The few words every file uses. No Xen, no CPU: this layer would build for a toaster.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A result that must not be dropped: every function that can fail bears it. */
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
