/* SPDX-License-Identifier: MIT */
/*
 * Unpopulated PFNs: names for pages that are not ours, for whoever needs a PFN and not only an
 * address.
 *
 *      RAM  | IDENTITY | RAM, no frame    | RAM   |  ...  | beyond the map
 *                       [ SAFE ]                            [ SAFE ]
 *                       taken first: the balloon is told    then: below the CPU's width
 *
 * They come from what is missing, never from what has a frame. (Beyond a dom0's map a PFN stands
 * for the machine's frame of that number; a device that no map names may be there. Whoever wants
 * that maps it by machine address, foreign.h, not by PFN.) In the list a unpopulated PFN is ~0, for
 * the tools know nothing of it; p2m_get has no frame for it, since what is behind it can be mapped
 * by its owner's reference only. What is behind it is a range of the foreign window, page by page:
 * unpopulated_page gives the address, and with it a unpopulated PFN can be read and written like
 * RAM.
 *
 * Unpopulated PFNs are taken in whole leaves of the list, so that none of those is half RAM, half
 * not.
 */
#ifndef MM_UNPOPULATED_H
#define MM_UNPOPULATED_H

#include "mm/foreign.h"

#define MAX_UNPOPULATED 16 /* runs that may be taken at a time */

/* Each makes two ranges of one at most; and the last needs room to be put in. */
#define UNPOPULATED_MAX_RANGES (2 * MAX_UNPOPULATED + 2)

struct unpopulated {
    struct p2m *p2m;
    struct pfn_runs *empty; /* the balloon's: RAM PFNs without a frame; NULL: there are none */
    uint64_t map_end;       /* where the memory map ends */
    uint64_t limit;         /* no PFN is safe from here on */
    struct {
        struct pfn_run run;
        const struct foreign_range *range;
    } taken[MAX_UNPOPULATED];
};

/*
 * Begins with what the map names, and machine addresses of @cpu_bits (CPUID 0x80000008). The
 * ranges of @p2m need room for UNPOPULATED_MAX_RANGES more.
 */
void unpopulated_init(struct unpopulated *s, struct p2m *p2m, struct pfn_runs *empty,
                      unsigned int cpu_bits);

/*
 * Takes PFNs for the pages of @range, a multiple of 512, from *@start on. -ENOSPC if there are not
 * so many side by side; -ENOMEM if a table is full. No frame is taken in either case.
 */
int unpopulated_alloc(struct unpopulated *s, const struct foreign_range *range,
                      uint64_t *start) __must_check;

/* Gives back what unpopulated_alloc gave at @start. The range is the caller's to release. */
int unpopulated_free(struct unpopulated *s, uint64_t start) __must_check;

/* The page behind @pfn; NULL if it is not safe, or nothing is mapped there. */
void *unpopulated_page(const struct unpopulated *s, pfn_t pfn);

/*
 * Shows the page behind @pfn read-only: a RAM page of this domain, in the fixmap's scratch slot, or
 * the foreign page behind an unpopulated PFN. The address is good until the next call. NULL: there
 * is no page behind @pfn.
 */
const void *page_show(struct fixmap *f, const struct unpopulated *u, pfn_t pfn) __must_check;

#endif
