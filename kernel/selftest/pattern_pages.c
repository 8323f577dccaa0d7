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

static uint64_t *page_of(const struct pattern_pages *p, uint64_t n)
{
    return p->pages + n * WORDS_PER_PAGE;
}

static void fill(const struct pattern_pages *p)
{
    for (uint64_t n = 0; n < p->nr; n++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            page_of(p, n)[i] = word(n, p->generation, i);
}

int pattern_pages_stage(struct domain *d)
{
    struct pattern_pages *p = &d->selftest.pattern_pages;

    *p = (struct pattern_pages){.nr = d->options.pattern_pages};
    if (!p->nr)
        return 0;
    p->pages = heap_alloc(&d->heap, p->nr * PAGE_SIZE);
    if (!p->pages) {
        printk(LOG_ERROR,
               "argument pattern_pages=%lu: %lu pages could not be allocated: the frame pool has "
               "%lu free frames\n",
               p->nr, p->nr, d->frame_pool.free.nr_pfns);
        return -ENOMEM;
    }
    fill(p);
    return 0;
}

void pattern_pages_renew(struct domain *d)
{
    struct pattern_pages *p = &d->selftest.pattern_pages;

    p->generation++;
    fill(p);
}

uint64_t pattern_pages_check(const struct domain *d)
{
    const struct pattern_pages *p = &d->selftest.pattern_pages;

    for (uint64_t n = 0; n < p->nr; n++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            if (page_of(p, n)[i] != word(n, p->generation, i))
                return n;
    return p->nr;
}

static uint64_t sum_of(const struct pattern_pages *p, uint64_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
        sum += page_of(p, n)[i];
    return sum;
}

void pattern_pages_report(const struct domain *d)
{
    const struct pattern_pages *p = &d->selftest.pattern_pages;
    uint64_t sum = 0;

    if (!p->nr)
        return;
    for (uint64_t n = 0; n < p->nr; n++)
        sum += (n + 1) * sum_of(p, n);
    print("{\"report\":\"pattern_pages\",\"pages\":%lu,\"generation\":%lu,\"sum\":\"0x%016lx\"}\n",
          p->nr, p->generation, sum);
}

void pattern_pages_list(struct domain *d)
{
    const struct pattern_pages *p = &d->selftest.pattern_pages;

    for (uint64_t n = 0; n < p->nr; n++) {
        mfn_t mfn = pt_mfn(&d->pt, (uintptr_t)page_of(p, n));

        print("pattern_pages: PFN 0x%lx sum 0x%016lx\n", m2p_get(&d->host.m2p, mfn).v,
              sum_of(p, n));
    }
}
