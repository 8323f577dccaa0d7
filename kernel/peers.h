/* SPDX-License-Identifier: MIT */
/*
 * Two domains of this kernel that share pages, for the tests: one lends, one borrows. They meet in
 * xenstore, where the lender leaves one grant reference for the borrower to read:
 *
 *      data/lend     "REF"
 *         REF ->     [ nr of pages | ref | ref | ... ]         one page: of which
 *                                    ref -> [ ref | ref ... ]   up to 1023 lead to 1024 each
 *                                             ref -> page of known contents
 *
 * Each reports what it has done as one line of JSON.
 */
#ifndef KERNEL_PEERS_H
#define KERNEL_PEERS_H

#include "kernel/domain.h"

/* What a page is worth: 0 as it was lent, 1 as the borrower left it. Word @i of page @page. */
static inline uint64_t peers_word(uint64_t page, unsigned int generation, uint64_t i)
{
    return (page << 8 | generation) * 0x9e3779b97f4a7c15 + i;
}

#define PEERS_WORDS     (PAGE_SIZE / sizeof(uint64_t))
#define PEERS_REFS      (PAGE_SIZE / sizeof(uint32_t)) /* of a page of references  */
#define PEERS_MAX_DIRS  (PEERS_REFS - 2)               /* behind the number, in the first */
#define PEERS_MAX_PAGES (PEERS_MAX_DIRS * PEERS_REFS)

/* The first page that the borrower reads. */
struct peers_top {
    uint64_t nr;
    uint32_t refs[PEERS_MAX_DIRS];
};

/* Heap addresses are not used again, so their tables go with the pages: this is done many times. */
static inline void peers_free(struct domain *d, void *page, uint64_t len_bytes)
{
    heap_free(&d->heap, page, len_bytes);
    if (page)
        pt_drop_tables(&d->pt, (uintptr_t)page, (uintptr_t)page + len_bytes);
}

/* "DOMAIN PAGES [ro]": makes so many pages, and lends them, read-only if said so. */
void lend(struct domain *d, const char *arguments);
/* How many of them are untouched, how many are as the borrower writes them. */
void lend_look(struct domain *d, const char *arguments);
/* Ends all grants, now or, while the borrower holds on to pages, as soon as it lets go. */
void lend_end(struct domain *d, const char *arguments);

/*
 * "DOMAIN [BATCH [ROUNDS]] [ro]": maps all that DOMAIN lends, so many pages at a time, so many
 * times round; by safe PFNs, if there are any. Reads all, writes all if it may, leaves them mapped.
 * "look": how many of them are mapped, and hold what they should. "poke": on how many of them a
 * write traps.
 */
void borrow(struct domain *d, const char *arguments);
/* Unmaps them. */
void borrow_end(struct domain *d, const char *arguments);

#endif
