/* SPDX-License-Identifier: MIT */
#include "kernel/marks.h"

#include "lib/errno.h"
#include "lib/printk.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))

static uint64_t word(uint64_t mark, uint64_t generation, uint64_t i)
{
    return (mark << 32 | generation) * 0x9e3779b97f4a7c15 + i;
}

static uint64_t *page_of(const struct domain *d, uint64_t mark)
{
    return d->marks.pages + mark * WORDS_PER_PAGE;
}

static void fill(const struct domain *d)
{
    for (uint64_t mark = 0; mark < d->marks.nr; mark++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            page_of(d, mark)[i] = word(mark, d->marks.generation, i);
}

int marks_stage(struct domain *d)
{
    d->marks = (struct marks){.nr = d->options.marks};
    if (!d->marks.nr)
        return 0;
    d->marks.pages = heap_alloc(&d->heap, d->marks.nr * PAGE_SIZE);
    if (!d->marks.pages) {
        printk(LOG_ERROR, "marks: no memory for %lu pages\n", d->marks.nr);
        return -ENOMEM;
    }
    fill(d);
    return 0;
}

void marks_renew(struct domain *d)
{
    d->marks.generation++;
    fill(d);
}

uint64_t marks_check(const struct domain *d)
{
    for (uint64_t mark = 0; mark < d->marks.nr; mark++)
        for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
            if (page_of(d, mark)[i] != word(mark, d->marks.generation, i))
                return mark;
    return d->marks.nr;
}

static uint64_t sum_of(const struct domain *d, uint64_t mark)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < WORDS_PER_PAGE; i++)
        sum += page_of(d, mark)[i];
    return sum;
}

void marks_report(const struct domain *d)
{
    uint64_t sum = 0;

    if (!d->marks.nr)
        return;
    for (uint64_t mark = 0; mark < d->marks.nr; mark++)
        sum += (mark + 1) * sum_of(d, mark);
    print("{\"report\":\"marks\",\"pages\":%lu,\"generation\":%lu,\"sum\":\"0x%016lx\"}\n",
          d->marks.nr, d->marks.generation, sum);
}

void marks_list(struct domain *d)
{
    for (uint64_t mark = 0; mark < d->marks.nr; mark++) {
        mfn_t mfn = pt_mfn(&d->pt, (uintptr_t)page_of(d, mark));

        print("mark: PFN 0x%lx sum 0x%016lx\n", m2p_get(&d->host.m2p, mfn).v, sum_of(d, mark));
    }
}
