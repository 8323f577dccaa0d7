/* SPDX-License-Identifier: MIT */
/*
 * Marks: pages whose contents are known, so that it is seen if the tools lose or mix them up. Each
 * page holds its own number, a generation, and words that follow from both.
 */
#ifndef KERNEL_MARKS_H
#define KERNEL_MARKS_H

#include "kernel/domain.h"

/* Makes as many as the command line asks for (mark=N). As a row of stages.c. */
int marks_stage(struct domain *d) __must_check;

/* Writes every mark anew, in the next generation. */
void marks_renew(struct domain *d);

/* The first mark that is not what it must be; the number of them all if none is. */
uint64_t marks_check(const struct domain *d);

/* A line of JSON: how many, of which generation, and a checksum of all. */
void marks_report(const struct domain *d);

/* A line for each: its PFN and a checksum, to be found in a dump. */
void marks_list(struct domain *d);

#endif
