/* SPDX-License-Identifier: MIT */
/*
 * Records every store to a page, in order: the page is read-only, a store raises SIGSEGV, the
 * handler makes the page writable for one instruction, and a single-step trap protects it again.
 */
#ifndef TESTS_UNIT_WATCH_H
#define TESTS_UNIT_WATCH_H

#include "lib/types.h"

#define WATCH_MAX 64

struct watch {
    void *page;
    unsigned int nr; /* number of stores; only the first WATCH_MAX are recorded */
    struct {
        uint64_t offset; /* offset in the page */
        uint64_t value;  /* the aligned 8 bytes there, after the store */
    } stores[WATCH_MAX];
};

/* Watches @page, one whole page of this process, until watch_end(). One page at a time. */
void watch_begin(struct watch *w, void *page);
void watch_end(void);

#endif
