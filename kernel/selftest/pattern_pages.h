/* SPDX-License-Identifier: MIT */
/*
 * Pattern pages: pages of known contents. A save, restore, migration or dump that loses, mixes up
 * or ages a page changes the pattern. Each word follows from the page's number, a generation and
 * the word's index.
 */
#ifndef KERNEL_SELFTEST_PATTERN_PAGES_H
#define KERNEL_SELFTEST_PATTERN_PAGES_H

#include "kernel/domain.h"

/* As the row of stages.c: allocates and fills pattern_pages=N pages. -ENOMEM without frames. */
int pattern_pages_stage(struct domain *d) __must_check;

/* Fills all pattern pages with the next generation. */
void pattern_pages_renew(struct domain *d);

/*
 * Number of the first pattern page with a wrong word; the number of pattern pages if all are right.
 */
uint64_t pattern_pages_check(const struct domain *d);

/* Prints {"report":"pattern_pages",...}: number, generation and checksum; nothing without pages. */
void pattern_pages_report(const struct domain *d);

/* Prints PFN and checksum of each page, to be compared with a dump (tests/scenarios/Life.pm). */
void pattern_pages_list(struct domain *d);

#endif
