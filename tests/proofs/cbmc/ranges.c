/* SPDX-License-Identifier: MIT */
/*
 * mm/range.c for tables of up to four ranges of any 64-bit PFNs and any kinds, and any arguments.
 * ranges_set is left out: its loops over memmove are too much for CBMC;
 * tests/proofs/exhaustive/ranges.c has it. PROOF is the check_ function that main calls.
 */
#include "proof.h"

#include "lib/errno.h"

#include "mm/range.h"

#define NR 4

static struct range before[NR], after[NR + 1];
static struct ranges table, old;

static bool is_table(const struct ranges *t)
{
    for (size_t i = 0; i < t->nr; i++) {
        const struct range *r = &t->r[i];

        if (r->start != (i ? r[-1].end : 0) || r->end <= r->start || r->kind >= NR_RANGE_KINDS)
            return false;
        if (i && r->kind == r[-1].kind)
            return false;
    }
    return t->nr <= t->cap && t->beyond < NR_RANGE_KINDS;
}

static enum range_kind kind_at(const struct ranges *t, uint64_t pfn)
{
    for (size_t i = 0; i < t->nr; i++)
        if (pfn < t->r[i].end)
            return t->r[i].kind;
    return t->beyond;
}

/* Any table with up to NR ranges, and its copy in @old. */
static void make_table(size_t nr, size_t cap)
{
    for (size_t i = 0; i < NR; i++)
        before[i] = after[i] = (struct range){nondet_u64(), nondet_u64(), nondet_u32()};
    old = (struct ranges){.r = before, .nr = nondet_u64(), .cap = cap, .beyond = nondet_u32()};
    ASSUME(old.nr <= nr && is_table(&old));
    table = old;
    table.r = after;
}

void check_find(void)
{
    uint64_t pfn = nondet_u64(), other = nondet_u64();
    struct range r, ram;

    make_table(NR, NR);
    r = ranges_find(&table, pfn);
    PROVE(r.start <= pfn && (pfn < r.end || pfn == UINT64_MAX) && r.kind == kind_at(&old, pfn));
    ram = ranges_next_ram(&table, pfn);
    PROVE(ram.start == UINT64_MAX || (ram.kind == RANGE_RAM && ram.end > pfn));
    PROVE(ram.start == UINT64_MAX || kind_at(&old, ram.start) == RANGE_RAM);
    /* No RAM was passed over. */
    if (other >= pfn && other < ranges_end(&old) && kind_at(&old, other) == RANGE_RAM)
        PROVE(other >= ram.start);
}

void check_append(void)
{
    uint64_t end = nondet_u64(), pfn = nondet_u64(), start;
    enum range_kind kind = nondet_u32();
    int rc;

    ASSUME(kind < NR_RANGE_KINDS);
    make_table(NR, nondet_u64());
    ASSUME(table.cap <= NR + 1);
    start = ranges_end(&table);
    rc = ranges_append(&table, start, end, kind);
    PROVE(rc == 0 || (rc == -ENOMEM && old.nr == old.cap));
    PROVE(is_table(&table));
    PROVE(kind_at(&table, pfn) == (!rc && start <= pfn && pfn < end ? kind : kind_at(&old, pfn)));
}

void check_trim(void)
{
    uint64_t end = nondet_u64(), pfn = nondet_u64();

    make_table(NR, NR);
    ranges_trim(&table, end);
    PROVE(is_table(&table));
    PROVE(kind_at(&table, pfn) == kind_at(&old, pfn));
    PROVE(ranges_end(&table) >= min_u64(end, ranges_end(&old)));
}

/* By induction over the end: one PFN more is one more if it has the kind, and else none. */
void check_count(void)
{
    uint64_t end = nondet_u64(), n, more;
    enum range_kind kind = nondet_u32();

    ASSUME(kind < NR_RANGE_KINDS && end < UINT64_MAX);
    make_table(2, NR); /* CBMC takes much longer for three */
    n = ranges_count(&table, kind, end);
    more = ranges_count(&table, kind, end + 1);
    PROVE(ranges_count(&table, kind, 0) == 0);
    PROVE(more - n == (end < ranges_end(&old) && kind_at(&old, end) == kind));
}

int main(void)
{
    PROOF();
    REACHED();
    return 0;
}
