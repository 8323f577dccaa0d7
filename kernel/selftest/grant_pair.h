/* SPDX-License-Identifier: MIT */
/*
 * Two domains of this kernel that share pages, for the tests: one grants, one maps. They meet in
 * xenstore, where the granter leaves one grant reference for the grantee to read:
 *
 *      data/granter     "REF"
 *         REF ->     [ nr of pages | ref | ref | ... ]         one page: of which
 *                                    ref -> [ ref | ref ... ]   up to 1023 lead to 1024 each
 *                                             ref -> page of known contents
 *
 * Each reports what it has done as one line of JSON.
 */
#ifndef KERNEL_SELFTEST_GRANT_PAIR_H
#define KERNEL_SELFTEST_GRANT_PAIR_H

#include "kernel/domain.h"

/* What a page is worth: 0 as it was lent, 1 as the grantee left it. Word @i of page @page. */
static inline uint64_t grant_pair_word(uint64_t page, unsigned int generation, uint64_t i)
{
    return (page << 8 | generation) * 0x9e3779b97f4a7c15 + i;
}

#define GRANT_PAIR_WORDS     (PAGE_SIZE / sizeof(uint64_t))
#define GRANT_PAIR_REFS      (PAGE_SIZE / sizeof(uint32_t)) /* of a page of references  */
#define GRANT_PAIR_MAX_DIRS  (GRANT_PAIR_REFS - 2)          /* behind the number, in the first */
#define GRANT_PAIR_MAX_PAGES (GRANT_PAIR_MAX_DIRS * GRANT_PAIR_REFS)

/* The first page that the grantee reads. */
struct grant_pair_top {
    uint64_t nr;
    uint32_t refs[GRANT_PAIR_MAX_DIRS];
};

/* Commands (kernel/shell/commands.c): 0, or -EINVAL for arguments that make no sense. */

/* "DOMAIN PAGES [ro]": allocates PAGES pages and grants them to DOMAIN, read-only with "ro". */
int granter(struct domain *d, const char *arguments) __must_check;
/* Counts the granted pages that hold their first contents, the grantee's contents, and are mapped.
 */
int granter_look(struct domain *d, const char *arguments) __must_check;
/* Ends all grants: now, or for a page that the grantee maps as soon as the grantee unmaps it. */
int granter_end(struct domain *d, const char *arguments) __must_check;

/*
 * "DOMAIN [BATCH [ROUNDS]] [ro]": maps all pages that DOMAIN grants, BATCH pages in a hypercall,
 * ROUNDS times, with unpopulated PFNs if there are any. Reads all pages, writes all pages unless
 * read-only, and leaves them mapped. "look" counts the pages that are mapped and hold what they
 * must. "poke" counts the pages on which a write traps.
 */
int grantee(struct domain *d, const char *arguments) __must_check;
/* Unmaps these pages. */
int grantee_end(struct domain *d, const char *arguments) __must_check;

#endif
