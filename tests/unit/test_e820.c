/* SPDX-License-Identifier: MIT */
/*
 * E820 sanitizing. Without this test a memory map that some firmware reports, but no test host has,
 * could make the kernel take a hole for RAM and map a device's registers as RAM. Maps found in the
 * field are listed with their expected result. A few thousand random maps are compared with an
 * oracle that applies the rule of mm/e820.h to each page separately.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "arch/x86/page.h"

#include "mm/e820.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 1024
#define RESERVED    2
#define ACPI        3
#define NVS         4
#define TOP         ((uint64_t)1 << 40) /* number of MFNs that a page-table entry can hold */

static struct range found[E820_MAX_RANGES(MAX_ENTRIES)];

/* Sanitises, with arrays of exactly the size that mm/e820.h demands. */
static int sanitize(const struct e820_entry *raw, size_t nr, bool initdom, struct ranges *out)
{
    struct e820_edge *edges = malloc(E820_MAX_EDGES(nr) * sizeof(*edges));
    int rc;

    *out = (struct ranges){.r = found, .cap = E820_MAX_RANGES(nr)};
    rc = e820_sanitize(raw, nr, initdom, edges, out);
    free(edges);
    return rc;
}

struct row {
    const char *what;
    bool initdom;
    struct e820_entry raw[8]; /* ends at the first entry of type 0 */
    struct range want[12];    /* ends at the first empty range */
};

/* clang-format off */
static const struct row rows[] = {
    {"QEMU pc, 3 GiB",
     true,
     {{0, 0x9fc00, E820_RAM},
      {0x9fc00, 0x400, RESERVED},
      {0xf0000, 0x10000, RESERVED},
      {0x100000, 0xbfee0000, E820_RAM},
      {0xbffe0000, 0x20000, RESERVED},
      {0xfffc0000, 0x40000, RESERVED}},
     {{0, 0x9f, RANGE_RAM},
      {0x9f, 0x100, RANGE_IDENTITY},
      {0x100, 0xbffe0, RANGE_RAM},
      {0xbffe0, 0x100000, RANGE_IDENTITY}}},

    {"unsorted; a gap is identity",
     true,
     {{0x8000, 0x1000, E820_RAM}, {0, 0x4000, E820_RAM}, {0x6000, 0x1000, NVS}},
     {{0, 4, RANGE_RAM}, {4, 8, RANGE_IDENTITY}, {8, 9, RANGE_RAM}}},

    {"a gap in the memory map of a domU is identity",
     false,
     {{0, 0x200000, E820_RAM}, {0x300000, 0x100000, E820_RAM}},
     {{0, 0x200, RANGE_RAM}, {0x200, 0x300, RANGE_IDENTITY}, {0x300, 0x400, RANGE_RAM}}},

    {"overlap: an entry that is not RAM wins, in any order",
     true,
     {{0, 0x10000, E820_RAM}, {0x4000, 0x4000, ACPI}, {0x6000, 0x1000, E820_RAM}},
     {{0, 4, RANGE_RAM}, {4, 8, RANGE_IDENTITY}, {8, 16, RANGE_RAM}}},

    {"one RAM entry listed three times",
     true,
     {{0, 0x5000, E820_RAM}, {0, 0x5000, E820_RAM}, {0, 0x5000, E820_RAM}},
     {{0, 5, RANGE_RAM}}},

    {"zero-size entries, as libxl can emit them",
     true,
     {{0x2000, 0, RESERVED}, {0, 0x4000, E820_RAM}, {0x4000, 0, E820_UNUSABLE}, {0x2800, 0, NVS}},
     {{0, 4, RANGE_RAM}}},

    {"RAM is rounded inward, other types outward",
     true,
     {{0x800, 0x9f400, E820_RAM}, {0x100000, 0xff234, E820_RAM}, {0x1ff234, 0x1000, ACPI}},
     {{0, 1, RANGE_IDENTITY},
      {1, 0x9f, RANGE_RAM},
      {0x9f, 0x100, RANGE_IDENTITY},
      {0x100, 0x1ff, RANGE_RAM},
      {0x1ff, 0x201, RANGE_IDENTITY}}},

    {"NVS entries smaller than a page: inside a page, across a page boundary",
     true,
     {{0, 0x100000, E820_RAM}, {0x5400, 0x300, NVS}, {0x7fff, 2, NVS}},
     {{0, 5, RANGE_RAM},
      {5, 6, RANGE_IDENTITY},
      {6, 7, RANGE_RAM},
      {7, 9, RANGE_IDENTITY},
      {9, 0x100, RANGE_RAM}}},

    {"RAM smaller than a page is dropped",
     true,
     {{0, 0x2000, E820_RAM}, {0x2800, 0x7ff, E820_RAM}, {0x3001, 0xfff, E820_RAM}},
     {{0, 2, RANGE_RAM}}},

    {"entries that wrap around: RAM is dropped, reserved reaches to the top",
     true,
     {{0, 0x4000, E820_RAM}, {0x1000, UINT64_MAX, E820_RAM}, {0x8000, UINT64_MAX, RESERVED}},
     {{0, 4, RANGE_RAM}, {4, TOP, RANGE_IDENTITY}}},

    {"RAM beyond the largest MFN is cut",
     true,
     {{0, 0x1000, E820_RAM}, {0x000ffffffffff000, 0x8000, E820_RAM}},
     {{0, 1, RANGE_RAM}, {1, TOP - 1, RANGE_IDENTITY}, {TOP - 1, TOP, RANGE_RAM}}},

    {"unknown types are identity",
     true,
     {{0, 0x8000, E820_RAM}, {0x2000, 0x1000, 255}, {0x4000, 0x1000, 6}, {0x6000, 1, UINT32_MAX}},
     {{0, 2, RANGE_RAM},
      {2, 3, RANGE_IDENTITY},
      {3, 4, RANGE_RAM},
      {4, 5, RANGE_IDENTITY},
      {5, 6, RANGE_RAM},
      {6, 7, RANGE_IDENTITY},
      {7, 8, RANGE_RAM}}},

    {"UNUSABLE is address space in a dom0 (Xen's mem=)",
     true,
     {{0, 0x200000, E820_RAM}, {0x200000, 0x200000, E820_UNUSABLE}, {0x300000, 0x1000, RESERVED}},
     {{0, 0x300, RANGE_RAM}, {0x300, 0x301, RANGE_IDENTITY}, {0x301, 0x400, RANGE_RAM}}},

    {"UNUSABLE is missing in a domU (libxl's e820_host)",
     false,
     {{0, 0x200000, E820_RAM}, {0x200000, 0x200000, E820_UNUSABLE}, {0x400000, 0x1000, E820_RAM}},
     {{0, 0x200, RANGE_RAM}, {0x200, 0x400, RANGE_MISSING}, {0x400, 0x401, RANGE_RAM}}},

    {"UNUSABLE overlaps RAM in a domU",
     false,
     {{0, 0x400000, E820_RAM}, {0x200800, 0x800, E820_UNUSABLE}},
     {{0, 0x200, RANGE_RAM}, {0x200, 0x201, RANGE_MISSING}, {0x201, 0x400, RANGE_RAM}}},

    {"the low MiB of a domU is RAM although the memory map ends below it",
     false,
     {{0, 0x8000, E820_RAM}},
     {{0, 0x100, RANGE_RAM}}},

    {"the low MiB of a domU is RAM although the memory map has reserved there",
     false,
     {{0xa0000, 0x60000, RESERVED}, {0x100000, 0x100000, E820_RAM}},
     {{0, 0x200, RANGE_RAM}}},

    {"the low MiB of a dom0 is what the memory map says",
     true,
     {{0xa0000, 0x60000, RESERVED}, {0x100000, 0x100000, E820_RAM}},
     {{0, 0x100, RANGE_IDENTITY}, {0x100, 0x200, RANGE_RAM}}},

    {"AMD's reserved 12 GiB below 1 TiB",
     true,
     {{0, 0xfd00000000, E820_RAM},
      {0xfd00000000, 0x300000000, RESERVED},
      {0x10000000000, 0x10000000000, E820_RAM}},
     {{0, 0xfd00000, RANGE_RAM},
      {0xfd00000, 0x10000000, RANGE_IDENTITY},
      {0x10000000, 0x20000000, RANGE_RAM}}},

    {"Xen's reserved range at the top of the address space",
     true,
     {{0, 0x40000000, E820_RAM}, {0x3ffd00000000, 0x300000000, RESERVED}},
     {{0, 0x40000, RANGE_RAM}, {0x40000, 0x400000000, RANGE_IDENTITY}}},
};
/* clang-format on */

static void test_maps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        size_t nr = 0, want = 0;
        struct ranges got;

        while (nr < ARRAY_SIZE(row->raw) && row->raw[nr].type)
            nr++;
        while (want < ARRAY_SIZE(row->want) && row->want[want].end)
            want++;
        check_equal(row->what, sanitize(row->raw, nr, row->initdom, &got), 0);
        for (size_t k = 0; k < min_u64(want, got.nr); k++) {
            check_equal(row->what, got.r[k].start, row->want[k].start);
            check_equal(row->what, got.r[k].end, row->want[k].end);
            check_equal(row->what, got.r[k].kind, row->want[k].kind);
        }
        check_equal(row->what, got.nr, want);
        check_equal(row->what, got.beyond, row->initdom ? RANGE_IDENTITY : RANGE_MISSING);
    }
}

static void test_maps_without_ram(void **state)
{
    static const struct e820_entry reserved = {0, 0x100000, RESERVED};
    static const struct e820_entry wrapping = {0x1000, UINT64_MAX, E820_RAM};
    struct ranges got;

    (void)state;
    check_equal("dom0 memory map without an entry", sanitize(NULL, 0, true, &got), -EINVAL);
    check_equal("domU memory map without an entry", sanitize(NULL, 0, false, &got), 0);
    check_equal("RAM pages of a domU without an entry: the first MiB",
                ranges_count(&got, RANGE_RAM, UINT64_MAX), 0x100);
    check_equal("dom0 memory map without RAM", sanitize(&reserved, 1, true, &got), -EINVAL);
    check_equal("dom0 memory map whose only RAM entry wraps around",
                sanitize(&wrapping, 1, true, &got), -EINVAL);
}

static void test_a_table_that_is_too_small(void **state)
{
    static const struct e820_entry raw[] = {
        {0,      0x4000, E820_RAM},
        {0x2000, 0x1000, RESERVED}
    };
    struct e820_edge edges[E820_MAX_EDGES(ARRAY_SIZE(raw))];
    struct range r[2];
    struct ranges out = {.r = r, .cap = ARRAY_SIZE(r)};

    (void)state;
    check_equal("e820_sanitize of three ranges into an array of two",
                e820_sanitize(raw, ARRAY_SIZE(raw), true, edges, &out), -ENOMEM);
}

/* The most ranges that a memory map of this size can make: RAM, ACPI, RAM, ..., descending. */
static void test_many_entries(void **state)
{
    static const size_t sizes[] = {1, 2, 127, 128, 129, 1023, 1024};
    static struct e820_entry raw[MAX_ENTRIES];
    struct ranges got;

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        size_t nr = sizes[s];

        for (size_t i = 0; i < nr; i++)
            raw[nr - 1 - i] = (struct e820_entry){i * 0x200000, 0x200000, i % 2 ? ACPI : E820_RAM};
        check_equal("sanitize of alternating RAM and ACPI", sanitize(raw, nr, true, &got), 0);
        check_equal("ranges of alternating RAM and ACPI", got.nr, nr);
        for (size_t i = 0; i < nr; i++) {
            check_equal("start of a range", got.r[i].start, i * 512);
            check_equal("kind of a range", got.r[i].kind, i % 2 ? RANGE_IDENTITY : RANGE_RAM);
        }

        for (size_t i = 0; i < nr;
             i++) /* RAM pages with gaps; 7 divides no size, so each page comes once */
            raw[i] = (struct e820_entry){(i * 7 % nr) * 0x2000 + 0x1000, 0x1000, E820_RAM};
        check_equal("sanitize of single RAM pages with gaps", sanitize(raw, nr, true, &got), 0);
        check_equal("RAM pages of single pages with gaps",
                    ranges_count(&got, RANGE_RAM, UINT64_MAX), nr);
    }
}

/* The rule of mm/e820.h for one page. The memory map ends where its last entry ends. */
static enum range_kind oracle(const struct e820_entry *raw, size_t nr, bool initdom, uint64_t pfn)
{
    uint64_t first = pfn * PAGE_SIZE, last = first + PAGE_SIZE - 1;
    bool ram = false, unusable = false, other = false;

    for (size_t i = 0; i < nr; i++) {
        uint64_t start = raw[i].addr, end = start + raw[i].len_bytes - 1; /* the last byte */
        bool wraps = raw[i].len_bytes && end + 1 < start;

        if (raw[i].len_bytes == 0)
            continue;
        if (raw[i].type == E820_RAM)
            ram = ram || (!wraps && start <= first && end >= last);
        else if (start <= last && (wraps || end >= first))
            *(raw[i].type == E820_UNUSABLE ? &unusable : &other) = true;
    }
    if (!initdom && pfn < 0x100)
        return RANGE_RAM;
    if (other || (!ram && !unusable))
        return RANGE_IDENTITY;
    if (unusable)
        return initdom ? RANGE_RAM : RANGE_MISSING;
    return RANGE_RAM;
}

static struct e820_entry random_entry(struct rng *r, uint64_t pages)
{
    static const uint32_t types[] = {E820_RAM, E820_RAM, E820_RAM, E820_RAM, RESERVED,
                                     ACPI,     NVS,      5,        0,        255};
    struct e820_entry e = {
        .addr = rng_below(r, pages) * PAGE_SIZE,
        .len_bytes = rng_below(r, pages / 2) * PAGE_SIZE,
        .type = types[rng_below(r, ARRAY_SIZE(types))],
    };

    if (rng_below(r, 3) == 0)
        e.addr += rng_below(r, PAGE_SIZE);
    if (rng_below(r, 3) == 0)
        e.len_bytes += rng_below(r, PAGE_SIZE);
    if (rng_below(r, 40) == 0)
        e.len_bytes = -rng_below(r, pages * PAGE_SIZE);
    return e;
}

static void test_random_maps(void **state)
{
    enum { PAGES = 0x180 };
    struct e820_entry raw[13];
    struct rng rng = {820};
    char what[40];

    (void)state;
    for (unsigned int n = 0; n < 4000; n++) {
        size_t nr = 1 + rng_below(&rng, ARRAY_SIZE(raw) - 1);
        bool initdom = n % 2;
        struct ranges got;
        uint64_t at = 0;

        for (size_t i = 0; i < nr; i++)
            raw[i] = random_entry(&rng, PAGES);
        raw[nr - 1] = (struct e820_entry){(PAGES - 1) * PAGE_SIZE, PAGE_SIZE, E820_RAM};
        snprintf(what, sizeof(what), "random map %u", n);
        if (sanitize(raw, nr, initdom, &got))
            check_equal(what, ranges_count(&got, RANGE_RAM, UINT64_MAX), 0);
        for (size_t i = 0; i < got.nr; at = got.r[i++].end) {
            check_equal(what, got.r[i].start, at);
            check_true(what, got.r[i].end > at);
        }
        check_true(what, at >= PAGES);
        for (uint64_t pfn = 0; pfn < PAGES; pfn++)
            check_equal(what, ranges_find(&got, pfn).kind, oracle(raw, nr, initdom, pfn));
        check_equal(what, ranges_find(&got, TOP - 1).kind,
                    at < TOP ? got.beyond : oracle(raw, nr, initdom, TOP - 1));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_maps_without_ram),
        cmocka_unit_test(test_a_table_that_is_too_small),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_random_maps),
    };

    return cmocka_run_group_tests_name("E820", tests, NULL, NULL);
}
