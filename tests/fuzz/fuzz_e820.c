/* SPDX-License-Identifier: MIT */
/*
 * mm/e820.c: any E820 map becomes a range table without gaps, in which only those PFNs are RAM that
 * the entries say are RAM. The oracle asks every entry about one page at a time, and so needs no
 * edges, ranks or sorting.
 *
 *      input   [flags][entry][entry]...
 *      flags   bit 0: dom0; bit 1: raw entries of 20 bytes, else small entries of 5 bytes;
 *              bits 7:2: number of ranges by which the range table is too short
 */
#include "tests/fuzz/fuzz.h"

#include "lib/errno.h"

#include "arch/x86/page.h"

#include "mm/e820.h"

#define MAX_ENTRIES 24
#define SMALL_START 0xe0 /* small entries lie in these pages, around the end of the first MiB */
#define SMALL_PAGES 64
#define GRANULE     256 /* unit of the numbers of a small entry, in bytes */
#define LAST_PFN    ((uint64_t)1 << MFN_BITS)

static struct e820_entry entries[MAX_ENTRIES];
static struct e820_edge edges[E820_MAX_EDGES(MAX_ENTRIES)];
static struct range table[E820_MAX_RANGES(MAX_ENTRIES)];

static struct e820_entry take_entry(struct input *in, bool raw)
{
    struct e820_entry e;

    if (raw) {
        e.addr = take(in, 8);
        e.len_bytes = take(in, 8);
        e.type = (uint32_t)take(in, 4);
    } else {
        e.addr = SMALL_START * PAGE_SIZE;
        e.addr += take(in, 2) % (SMALL_PAGES * PAGE_SIZE / GRANULE) * GRANULE;
        e.len_bytes = take(in, 2) % (SMALL_PAGES * PAGE_SIZE / GRANULE) * GRANULE;
        e.type = take(in, 1) & 7;
    }
    return e;
}

/* The kind of the page by the rule in e820.h, from one entry after the other. */
static enum range_kind oracle(const struct e820_entry *e, size_t nr, bool initdom, uint64_t pfn)
{
    unsigned __int128 from = (unsigned __int128)pfn * PAGE_SIZE, to = from + PAGE_SIZE;
    bool is_ram = false, is_unusable = false;

    if (!initdom && pfn < 0x100)
        return RANGE_RAM;
    for (size_t i = 0; i < nr; i++) {
        unsigned __int128 start = e[i].addr, end = start + e[i].len_bytes;
        bool wraps = end >> 64;

        if (start == end)
            continue;
        if (e[i].type == E820_RAM)
            is_ram |= !wraps && start <= from && to <= end;
        else if (start < to && end > from && e[i].type != E820_UNUSABLE)
            return RANGE_IDENTITY;
        else if (start < to && end > from)
            is_unusable = true;
    }
    if (is_unusable)
        return initdom ? RANGE_RAM : RANGE_MISSING;
    return is_ram ? RANGE_RAM : RANGE_IDENTITY;
}

static enum range_kind kind_at(const struct ranges *t, uint64_t pfn)
{
    for (size_t i = 0; i < t->nr; i++)
        if (pfn >= t->r[i].start && pfn < t->r[i].end)
            return t->r[i].kind;
    return t->beyond;
}

static void check_page(const struct e820_entry *e, size_t nr, bool initdom, const struct ranges *t,
                       uint64_t pfn)
{
    uint64_t end = t->nr ? t->r[t->nr - 1].end : 0;

    if (pfn >= LAST_PFN)
        return;
    /* past the last range no PFN is RAM; @beyond has the kind of these PFNs */
    if (pfn < end)
        CHECK(kind_at(t, pfn) == oracle(e, nr, initdom, pfn),
              "the range of a PFN has the kind that the E820 entries give");
    else
        CHECK(oracle(e, nr, initdom, pfn) == RANGE_IDENTITY,
              "no E820 entry lies past the last range");
}

static void check_table(const struct ranges *t, bool initdom)
{
    CHECK(t->nr <= t->cap, "the range table has at most @cap ranges");
    CHECK(t->beyond == (initdom ? RANGE_IDENTITY : RANGE_MISSING),
          "@beyond is identity in dom0, missing in a domU");
    for (size_t i = 0; i < t->nr; i++) {
        CHECK(t->r[i].start == (i ? t->r[i - 1].end : 0),
              "a range starts where the range before ends");
        CHECK(t->r[i].end > t->r[i].start && t->r[i].end <= LAST_PFN,
              "a range is not empty and ends at most at LAST_PFN");
        CHECK(t->r[i].kind < NR_RANGE_KINDS, "the kind of a range is a value of enum range_kind");
        CHECK(!i || t->r[i].kind != t->r[i - 1].kind, "neighbouring ranges have different kinds");
    }
}

static void check_result(const struct e820_entry *e, size_t nr, bool initdom, bool raw,
                         const struct ranges *t)
{
    uint64_t nr_ram = initdom ? 0 : SMALL_START; /* no small entry lies below */

    for (uint64_t pfn = SMALL_START; !raw && pfn < SMALL_START + 2 * SMALL_PAGES; pfn++) {
        check_page(e, nr, initdom, t, pfn);
        nr_ram += kind_at(t, pfn) == RANGE_RAM;
    }
    if (!raw)
        CHECK(ranges_count(t, RANGE_RAM, UINT64_MAX) == nr_ram,
              "ranges_count of RAM is the number of RAM pages");
    check_page(e, nr, initdom, t, 0);
    /* the first and the last page of each entry, and the pages on both sides */
    for (size_t i = 0; raw && i < nr; i++)
        for (uint64_t j = 0; j < 3; j++) {
            check_page(e, nr, initdom, t, e[i].addr / PAGE_SIZE + j - 1);
            check_page(e, nr, initdom, t, (e[i].addr + e[i].len_bytes) / PAGE_SIZE + j - 1);
        }
    for (size_t i = 0; i < t->nr; i++) {
        check_page(e, nr, initdom, t, t->r[i].start);
        check_page(e, nr, initdom, t, t->r[i].end - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint64_t flags = take(&in, 1);
    bool initdom = flags & 1, raw = flags & 2;
    size_t each = raw ? 20 : 5, nr = min_u64(DIV_ROUND_UP(in.left, each), MAX_ENTRIES);
    size_t less = min_u64(flags >> 2, E820_MAX_RANGES(nr));
    /* each array ends where ASan has poisoned the memory */
    struct e820_entry *e = entries + MAX_ENTRIES - nr;
    struct ranges t = {.cap = E820_MAX_RANGES(nr) - less};
    int rc;

    t.r = table + ARRAY_SIZE(table) - t.cap;
    for (size_t i = 0; i < nr; i++)
        e[i] = take_entry(&in, raw);
    rc = e820_sanitize(e, nr, initdom, edges + ARRAY_SIZE(edges) - E820_MAX_EDGES(nr), &t);

    if (rc == -ENOMEM) {
        CHECK(less, "no -ENOMEM with a range table of E820_MAX_RANGES ranges");
        CHECK(t.nr == t.cap, "-ENOMEM only with a full range table");
        return 0;
    }
    check_table(&t, initdom);
    check_result(e, nr, initdom, raw, &t);
    CHECK(rc == (ranges_count(&t, RANGE_RAM, UINT64_MAX) ? 0 : -EINVAL),
          "0 if the map has RAM, else -EINVAL");
    CHECK(initdom || rc == 0, "a domU has RAM");
    return 0;
}
