/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/pattern_pages.h"

#include "lib/errno.h"
#include "lib/printk.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

/* Word @i of pattern page @n. */
static uint64_t word(uint64_t n, uint64_t generation, uint64_t i)
{
    return (n << 32 | generation) * 0x9e3779b97f4a7c15 + i;
}

static uint64_t *page_of(const struct domain *d, uint64_t n)
{
    return d->selftest.pattern_pages.pages + n * WORDS_PER_PAGE;
}

static void fill(const struct domain *d)
{
    for (uint64_t n = 0; n < d->selftest.pattern_pages.nr; n++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            page_of(d, n)[i] = word(n, d->selftest.pattern_pages.generation, i);
}

int pattern_pages_stage(struct domain *d)
{
    d->selftest.pattern_pages = (struct pattern_pages){.nr = d->options.pattern_pages};
    if (!d->selftest.pattern_pages.nr)
        return 0;
    d->selftest.pattern_pages.pages =
        heap_alloc(&d->heap, d->selftest.pattern_pages.nr * PAGE_SIZE);
    if (!d->selftest.pattern_pages.pages) {
        printk(LOG_ERROR,
               "pattern_pages=%lu: the frame pool has too few free frames for these pages\n",
               d->selftest.pattern_pages.nr);
        return -ENOMEM;
    }
    fill(d);
    return 0;
}

void pattern_pages_renew(struct domain *d)
{
    d->selftest.pattern_pages.generation++;
    fill(d);
}

uint64_t pattern_pages_check(const struct domain *d)
{
    for (uint64_t n = 0; n < d->selftest.pattern_pages.nr; n++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            if (page_of(d, n)[i] != word(n, d->selftest.pattern_pages.generation, i))
                return n;
    return d->selftest.pattern_pages.nr;
}

static uint64_t sum_of(const struct domain *d, uint64_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
        sum += page_of(d, n)[i];
    return sum;
}

void pattern_pages_report(const struct domain *d)
{
    uint64_t sum = 0;

    if (!d->selftest.pattern_pages.nr)
        return;
    for (uint64_t n = 0; n < d->selftest.pattern_pages.nr; n++)
        sum += (n + 1) * sum_of(d, n);
    print("{\"report\":\"pattern_pages\",\"pages\":%lu,\"generation\":%lu,\"sum\":\"0x%016lx\"}\n",
          d->selftest.pattern_pages.nr, d->selftest.pattern_pages.generation, sum);
}

void pattern_pages_list(struct domain *d)
{
    for (uint64_t n = 0; n < d->selftest.pattern_pages.nr; n++) {
        mfn_t mfn = pt_mfn(&d->pt, (uintptr_t)page_of(d, n));

        print("pattern_pages: PFN 0x%lx sum 0x%016lx\n", m2p_get(&d->host.m2p, mfn).v,
              sum_of(d, n));
    }
}
