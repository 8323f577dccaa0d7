/* SPDX-License-Identifier: MIT */
/*
 * Progress of long work: kicks Xen's watchdog, and from the third second on prints one line a
 * second, "renumber: 1000 of 2000 frames".
 */
#ifndef KERNEL_PROGRESS_H
#define KERNEL_PROGRESS_H

#include "lib/types.h"

struct progress {
    const char *what;    /* begins each line: the stage, or "# NAME" for a self-test */
    const char *unit;    /* plural noun for what total counts: "frames", "PFNs" */
    uint64_t total;      /* in units */
    uint64_t started_ns; /* clock_ns() at the start */
    uint64_t line_ns;    /* earliest time of the next line */
    uint64_t alive_ns;   /* earliest time of the next watchdog_kick() */
};

/* Starts with 0 of @total done. Keeps the pointers @what and @unit. */
void progress_start(struct progress *p, const char *what, const char *unit, uint64_t total);

/* Records that @done units are done. Call this every few milliseconds: it reads the clock. */
void progress_at(struct progress *p, uint64_t done);

#endif
