/* SPDX-License-Identifier: MIT */
/*
 * mm/e820.c on every map of up to three entries whose edges are among a few addresses: half pages
 * around 1 MiB, where a domU's map begins to count, and the end of the PFNs. An entry may be empty
 * or wrap. The expected kind of each PFN comes from the rules in mm/e820.h, entry by entry.
 */
#include "exhaustive.h"

#include "lib/errno.h"

#include "arch/x86/page.h"

#include "mm/e820.h"

#define NR       3
#define LOW_MIB  0x100
#define LAST_PFN (((uint64_t)1 << MFN_BITS) - 1)

static const uint64_t addresses[] = {0xff000,  0xff800,  0x100000,           0x100800,
                                     0x101000, 0x101800, LAST_PFN *PAGE_SIZE};
static const uint32_t types[] = {E820_RAM, 2, E820_UNUSABLE};

static struct e820_entry raw[NR];
static size_t nr_entries;
static bool initdom;

static struct e820_edge edges[E820_MAX_EDGES(NR)];
static struct range table[E820_MAX_RANGES(NR)];

static void print_input(void)
{
    printf(" %s", initdom ? "dom0" : "domU");
    for (size_t i = 0; i < nr_entries; i++)
        printf(", 0x%lx + 0x%lx type %u", raw[i].addr, raw[i].len_bytes, raw[i].type);
}

/* Does the entry have a byte in the page, or, for RAM, the whole page? */
static bool has_page(const struct e820_entry *e, uint64_t pfn)
{
    uint64_t first = pfn * PAGE_SIZE, last = first + PAGE_SIZE - 1;
    bool wraps = e->addr + e->len_bytes < e->addr;
    uint64_t end = wraps ? UINT64_MAX : e->addr + e->len_bytes;

    if (!e->len_bytes)
        return false;
    if (e->type == E820_RAM)
        return !wraps && e->addr <= first && last < end;
    return e->addr <= last && first < end;
}

/* What may not be RAM is not RAM: the type that forbids most wins. */
static enum range_kind expected_kind(uint64_t pfn)
{
    bool ram = false, unusable = false;

    if (!initdom && pfn < LOW_MIB)
        return RANGE_RAM;
    for (size_t i = 0; i < nr_entries; i++) {
        if (!has_page(&raw[i], pfn))
            continue;
        if (raw[i].type != E820_RAM && raw[i].type != E820_UNUSABLE)
            return RANGE_IDENTITY;
        ram |= raw[i].type == E820_RAM;
        unusable |= raw[i].type == E820_UNUSABLE;
    }
    if (unusable)
        return initdom ? RANGE_RAM : RANGE_MISSING;
    return ram ? RANGE_RAM : RANGE_IDENTITY;
}

static void check_pfn(const struct ranges *t, uint64_t pfn)
{
    CLAIM(pfn < ranges_end(t) ? ranges_find(t, pfn).kind == expected_kind(pfn)
                              : expected_kind(pfn) == RANGE_IDENTITY);
}

static void check_map(size_t cap)
{
    struct ranges t = {.r = table, .cap = cap};
    int rc = e820_sanitize(raw, nr_entries, initdom, edges, &t);

    nr_cases++;
    CLAIM(rc == 0 || (rc == -EINVAL && initdom) ||
          (rc == -ENOMEM && cap < E820_MAX_RANGES(nr_entries)));
    CLAIM(t.nr <= cap);
    for (size_t i = 0; i < t.nr; i++) {
        CLAIM(table[i].start == (i ? table[i - 1].end : 0) && table[i].start < table[i].end);
        CLAIM(table[i].end <= LAST_PFN + 1 && (!i || table[i].kind != table[i - 1].kind));
    }
    if (rc == -ENOMEM)
        return;
    CLAIM(t.beyond == (initdom ? RANGE_IDENTITY : RANGE_MISSING));
    CLAIM((ranges_count(&t, RANGE_RAM, UINT64_MAX) == 0) == (rc == -EINVAL));
    for (uint64_t pfn = LOW_MIB - 3; pfn < LOW_MIB + 3; pfn++)
        check_pfn(&t, pfn);
    check_pfn(&t, 0);
    check_pfn(&t, LAST_PFN - 1);
    check_pfn(&t, LAST_PFN);
}

static void each_map(void)
{
    for (int dom0 = 0; dom0 < 2; dom0++) {
        initdom = dom0;
        check_map(E820_MAX_RANGES(nr_entries));
    }
    if (nr_entries < 2)
        for (size_t cap = 0; cap < E820_MAX_RANGES(nr_entries); cap++)
            check_map(cap);
    if (nr_entries == NR)
        return;
    nr_entries++;
    for (size_t from = 0; from < ARRAY_SIZE(addresses); from++)
        for (size_t to = 0; to < ARRAY_SIZE(addresses); to++)
            for (size_t type = 0; type < ARRAY_SIZE(types); type++) {
                raw[nr_entries - 1] = (struct e820_entry){
                    addresses[from], addresses[to] - addresses[from], types[type]};
                each_map();
            }
    nr_entries--;
}

int main(void)
{
    each_map();
    return end_of_proof();
}
