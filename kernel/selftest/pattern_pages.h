/* SPDX-License-Identifier: MIT */
/*
 * Marks: pages whose contents are known, so that it is seen if the tools lose or mix them up. Each
 * page holds its own number, a generation, and words that follow from both.
 */
#ifndef KERNEL_SELFTEST_PATTERN_PAGES_H
#define KERNEL_SELFTEST_PATTERN_PAGES_H

#include "kernel/domain.h"

/* Makes as many as the command line asks for (pattern_pages=N). As a row of stages.c. */
int pattern_pages_stage(struct domain *d) __must_check;

/* Writes every mark anew, in the next generation. */
void pattern_pages_renew(struct domain *d);

/* The first mark that is not what it must be; the number of them all if none is. */
uint64_t pattern_pages_check(const struct domain *d);

/* A line of JSON: how many, of which generation, and a checksum of all. */
void pattern_pages_report(const struct domain *d);

/* A line for each: its PFN and a checksum, to be found in a dump. */
void pattern_pages_list(struct domain *d);

#endif
