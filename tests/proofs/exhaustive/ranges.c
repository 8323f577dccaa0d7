/* SPDX-License-Identifier: MIT */
/*
 * mm/range.c on every table of up to three ranges of 1 to 3 PFNs, and of up to four ranges of 1 or
 * 2 PFNs, with every kind past the last range. Only the order of PFNs counts, so the few PFNs here
 * stand for all: each edge of an argument can be before, at, inside and behind each range.
 */
#include "exhaustive.h"

#include "lib/errno.h"

#include "mm/range.h"

#include <string.h>

#define NR   4
#define ROOM 2 /* free elements that ranges_set needs */

/* The tables of a run: number and length of the ranges, and the PFNs of the arguments. */
static uint64_t nr_max, len_max, nr_pfns;

/* The table before the call, and the arguments. */
static struct range before[NR + ROOM];
static size_t nr_before, room;
static enum range_kind beyond, kind;
static uint64_t start, end;

/* The table that is passed, with one element behind its room, which must not change. */
static struct range after[NR + ROOM + 1];
static struct ranges table;

static void print_input(void)
{
    for (size_t i = 0; i < nr_before; i++)
        printf(" [%lu, %lu) %s", before[i].start, before[i].end, range_kind_name(before[i].kind));
    printf(", beyond %s, room for %zu; argument [%lu, %lu) %s", range_kind_name(beyond), room,
           start, end, range_kind_name(kind));
}

static void reset(void)
{
    memcpy(after, before, sizeof(before));
    table = (struct ranges){.r = after, .nr = nr_before, .cap = nr_before + room, .beyond = beyond};
    nr_cases++;
}

static enum range_kind kind_in(const struct range *r, size_t nr, uint64_t pfn)
{
    for (size_t i = 0; i < nr; i++)
        if (pfn < r[i].end)
            return r[i].kind;
    return beyond;
}

static uint64_t end_before(void)
{
    return nr_before ? before[nr_before - 1].end : 0;
}

/* No gap, no empty range, no neighbours of one kind, and nothing written past the room. */
static void check_form(void)
{
    CLAIM(table.nr <= table.cap && table.beyond == beyond);
    for (size_t i = 0; i < table.nr; i++) {
        CLAIM(after[i].start == (i ? after[i - 1].end : 0) && after[i].start < after[i].end);
        CLAIM(!i || after[i].kind != after[i - 1].kind);
    }
    CLAIM(table.cap >= NR + ROOM || !memcmp(&after[table.cap], &before[table.cap],
                                            (NR + ROOM - table.cap) * sizeof(before[0])));
}

/* The PFNs of [start, end) have the kind that is set, all others the kind before. */
static void check_kinds(bool is_set)
{
    check_form();
    for (uint64_t pfn = 0; pfn <= nr_pfns; pfn++)
        CLAIM(kind_in(after, table.nr, pfn) ==
              (is_set && start <= pfn && pfn < end ? kind : kind_in(before, nr_before, pfn)));
}

static void check_set(void)
{
    int rc;

    reset();
    rc = ranges_set(&table, start, end, kind);
    CLAIM(rc == (start < end && room < ROOM ? -ENOMEM : 0));
    if (rc || start >= end)
        CLAIM(table.nr == nr_before && !memcmp(after, before, nr_before * sizeof(before[0])));
    check_kinds(!rc);
    CLAIM(ranges_end(&table) == (!rc && start < end ? max_u64(end_before(), end) : end_before()));
}

static void check_append(void)
{
    bool joins = nr_before && before[nr_before - 1].kind == kind;
    int rc;

    if (start != end_before())
        return;
    reset();
    rc = ranges_append(&table, start, end, kind);
    CLAIM(rc == (start < end && !joins && !room ? -ENOMEM : 0));
    CLAIM(!rc || (table.nr == nr_before && !memcmp(after, before, nr_before * sizeof(before[0]))));
    check_kinds(!rc);
}

static void check_trim(void)
{
    bool is_beyond = nr_before && before[nr_before - 1].kind == beyond;
    uint64_t was = end_before(), last = nr_before ? before[nr_before - 1].start : 0;

    reset();
    ranges_trim(&table, end);
    check_kinds(false);
    CLAIM(ranges_end(&table) == (is_beyond && was > end ? max_u64(last, end) : was));
}

/* The functions that only read: all PFNs from @start on, and the number of those below @end. */
static void check_reads(void)
{
    uint64_t pfn = start, n = 0;
    struct range found, ram;

    reset();
    found = ranges_find(&table, pfn);
    CLAIM(found.start <= pfn && pfn < found.end && found.kind == kind_in(before, nr_before, pfn));
    CLAIM(pfn < end_before() || (found.start == end_before() && found.end == UINT64_MAX));

    ram = ranges_next_ram(&table, pfn);
    for (; pfn < end_before() && kind_in(before, nr_before, pfn) != RANGE_RAM; pfn++)
        ;
    if (pfn >= end_before())
        CLAIM(ram.start == UINT64_MAX && ram.end == UINT64_MAX);
    else
        CLAIM(ram.kind == RANGE_RAM && ram.start <= max_u64(pfn, start) && pfn < ram.end);

    for (pfn = 0; pfn < end && pfn < end_before(); pfn++)
        n += kind_in(before, nr_before, pfn) == kind;
    CLAIM(ranges_count(&table, kind, end) == n);
    CLAIM(!memcmp(after, before, nr_before * sizeof(before[0])));
}

static void check_arguments(void)
{
    for (start = 0; start < nr_pfns; start++)
        for (end = 0; end <= nr_pfns; end++)
            for (kind = 0; kind < NR_RANGE_KINDS; kind++) {
                if (end > start || end + 1 == start) /* one empty argument below start is enough */
                    for (room = 0; room <= ROOM; room++)
                        check_set();
                for (room = 0; room < ROOM; room++)
                    check_append();
                room = 0;
                if (kind == 0 && start == 0)
                    check_trim();
                if (end >= start)
                    check_reads();
            }
}

static void each_table(uint64_t from)
{
    check_arguments();
    if (nr_before == nr_max)
        return;
    nr_before++;
    for (uint64_t len = 1; len <= len_max; len++)
        for (unsigned int k = 0; k < NR_RANGE_KINDS; k++) {
            if (nr_before > 1 && before[nr_before - 2].kind == k)
                continue;
            before[nr_before - 1] = (struct range){from, from + len, (enum range_kind)k};
            each_table(from + len);
        }
    before[--nr_before] = (struct range){0};
}

static void each_size(uint64_t nr, uint64_t len)
{
    nr_max = nr;
    len_max = len;
    nr_pfns = nr * len + 2;
    for (beyond = 0; beyond < NR_RANGE_KINDS; beyond++)
        each_table(0);
}

int main(void)
{
    each_size(3, 3);
    each_size(4, 2);
    return end_of_proof();
}
