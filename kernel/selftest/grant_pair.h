/* SPDX-License-Identifier: MIT */
/*
 * Commands with which two domains of this kernel test grants: the granter grants pages, the grantee
 * maps them. The grantee finds all references from one that the granter writes to xenstore:
 *
 *      data/granter = "REF"
 *
 *      REF --> struct grant_pair_top [ nr | refs[0] | refs[1] | ... ]     up to 1022 references
 *                                           |
 *                                           v
 *                                    [ ref | ref | ... ]                  1024 references
 *                                      |
 *                                      v
 *                                    page of known contents
 *
 * Each command prints one line of JSON (tests/scenarios/GrantPair.pm reads it).
 */
#ifndef KERNEL_SELFTEST_GRANT_PAIR_H
#define KERNEL_SELFTEST_GRANT_PAIR_H

#include "kernel/domain.h"

#define GRANT_PAIR_WORDS     (PAGE_SIZE / sizeof(uint64_t)) /* in a page */
#define GRANT_PAIR_REFS      (PAGE_SIZE / sizeof(uint32_t)) /* references in a page */
#define GRANT_PAIR_MAX_DIRS  (GRANT_PAIR_REFS - 2)          /* in struct grant_pair_top */
#define GRANT_PAIR_MAX_PAGES (GRANT_PAIR_MAX_DIRS * GRANT_PAIR_REFS)

/* Word @i of page number @page. @generation: 0 as granted, 1 as written by the grantee. */
static inline uint64_t grant_pair_word(uint64_t page, unsigned int generation, uint64_t i)
{
    return (page << 8 | generation) * 0x9e3779b97f4a7c15 + i;
}

/* True if all words of the page at @words are those of page number @page and @generation. */
static inline bool grant_pair_is(const uint64_t *words, uint64_t page, unsigned int generation)
{
    for (uint64_t i = 0; i < GRANT_PAIR_WORDS; i++)
        if (words[i] != grant_pair_word(page, generation, i))
            return false;
    return true;
}

/* The page that the reference in data/granter grants. */
struct grant_pair_top {
    uint64_t nr; /* pages of known contents */
    uint32_t refs[GRANT_PAIR_MAX_DIRS];
};

/*
 * Commands (kernel/shell/commands.c). Each returns 0, also after an error that it has printed, or
 * -EINVAL for wrong arguments.
 */

/* "DOMAIN PAGES [ro]": allocates PAGES pages and grants them to DOMAIN, read-only with "ro". */
int granter(struct domain *d, const char *arguments) __must_check;
/*
 * Counts the granted pages that hold the granter's contents, that hold the grantee's contents, that
 * the grantee has mapped, and whose grants a restore has dropped.
 */
int granter_look(struct domain *d, const char *arguments) __must_check;
/* Ends all grants. The grant of a page that the grantee has mapped ends when it is unmapped. */
int granter_end(struct domain *d, const char *arguments) __must_check;

/*
 * "DOMAIN [BATCH [ROUNDS]] [ro]": maps all pages that DOMAIN grants, BATCH pages per hypercall,
 * ROUNDS times, with unpopulated PFNs if enough are free. Reads all pages, writes all pages unless
 * read-only, and leaves the pages mapped.
 * "look": counts the pages that are mapped and hold expected contents.
 * "poke": counts the mapped pages, and those on which a write traps.
 */
int grantee(struct domain *d, const char *arguments) __must_check;
/* Unmaps these pages. The report has the counts of all grant mappings since boot. */
int grantee_end(struct domain *d, const char *arguments) __must_check;

#endif
