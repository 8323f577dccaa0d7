/* SPDX-License-Identifier: MIT */
/*
 * Long work: tells Xen's watchdog that the domain is alive, and whoever reads the console how far
 * it is. Work of less than two seconds says nothing, longer work a line a second that counts.
 */
#ifndef KERNEL_PROGRESS_H
#define KERNEL_PROGRESS_H

#include "lib/types.h"

struct progress {
    const char *what; /* begins each line; "# ..." among a test's lines */
    const char *unit; /* frames, PFNs, ...                              */
    uint64_t total;
    uint64_t started_ns, line_ns, alive_ns; /* when; when next at the earliest */
};

/* Begins with nothing done of @total. The texts are only mapped. */
void progress_start(struct progress *p, const char *what, const char *unit, uint64_t total);

/* @done of the total is done. Reads the clock: to be called every few milliseconds. */
void progress_at(struct progress *p, uint64_t done);

#endif
