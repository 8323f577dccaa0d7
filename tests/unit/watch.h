/* SPDX-License-Identifier: MIT */
/*
 * Sees every store to a page, in order: the page is read only, a store to it is a SIGSEGV, after
 * which the page is opened for that one instruction and closed by the trap behind it.
 */
#ifndef TESTS_UNIT_WATCH_H
#define TESTS_UNIT_WATCH_H

#include "lib/types.h"

#define WATCH_MAX 64

struct watch {
    void *page;
    unsigned int nr; /* stores; of more than WATCH_MAX only the count is right */
    struct {
        uint64_t offset; /* in the page */
        uint64_t value;  /* of the aligned 8 bytes there, afterwards */
    } stores[WATCH_MAX];
};

/* Watches @page, which is one whole page of this process, until watch_end(). One at a time. */
void watch_begin(struct watch *w, void *page);
void watch_end(void);

#endif
