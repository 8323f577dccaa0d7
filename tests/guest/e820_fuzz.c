/* SPDX-License-Identifier: MIT */
/*
 * e820_sanitize (mm/e820.h) with random E820 maps.
 *
 * Without this test e820_sanitize would be tested only with maps that somebody thought of. A domain
 * may set any E820 map on itself (XENMEM_set_memory_map; <xen/memory.h>: the "pseudo-physical
 * memory map of a domain"). The test sets random maps (a hundred, with test=full a thousand) and
 * reads each back from Xen. e820_sanitize turns each map into PFN ranges. For many PFNs the test
 * compares the kind of the range with the kind that follows from the raw entries, which it computes
 * anew for each PFN, without the sorting and counting of e820_sanitize. The test prints its seed;
 * seed=N repeats it.
 */
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/clock.h"

#include "tests/guest/abi_room.h"

#define NR_MAPS      100
#define NR_MAPS_FULL 1000 /* with test=full                               */
#define MAX_ENTRIES  1024 /* Xen's limit for a map                        */
#define FEW_ENTRIES  12   /* the limit for all but one of 64 random maps  */
#define LOW_MIB_PFNS 0x100
#define NR_QUESTIONS 16             /* random PFNs checked in each map                       */
#define MAX_EDGES    64             /* ranges, and entries, whose edges are checked in a map */
#define MAX_NS       (2 * NS_PER_S) /* the test stops after this time           */
#define SPARE_PAGES  24             /* for page tables, and for the map read back from Xen   */

struct fuzz {
    struct test *t;
    struct heap *heap;
    uint64_t seed;
    bool initdom;
    struct memory_map raw;          /* the random map that is set on this domain       */
    struct e820_edge *edges;        /* working memory of e820_sanitize                 */
    struct ranges ranges, again;    /* of the map read back, and of its shuffled copy  */
    uint64_t nr_maps;               /* to be tried                                     */
    uint64_t nr_map;                /* number of the map, from 0, for messages         */
    uint64_t nr_entries, nr_ranges; /* of all maps so far                           */
};

/* A random address: mostly small, at a page boundary or close to one; sometimes any 64 bits. */
static uint64_t draw_addr(struct fuzz *f)
{
    uint64_t x = draw(&f->seed), kind = x % 16;

    x >>= 8;
    if (kind == 0)
        return x << 8 | kind; /* all 64 bits */
    if (kind < 4)
        return x % ((uint64_t)1 << 53); /* also more than 52 bits */
    x = x % 0x400 * PAGE_SIZE;
    return kind < 10 ? x : x + draw(&f->seed) % 7 * 0x2ff - 3;
}

/* A random length: mostly less than 32 pages. */
static uint64_t draw_len(struct fuzz *f)
{
    uint64_t x = draw(&f->seed);

    return x % 32 == 0 ? draw_addr(f) : (x >> 8) % 0x20 * PAGE_SIZE + (x >> 32) % 4 * 0x7ff;
}

static struct e820_entry draw_entry(struct fuzz *f)
{
    uint64_t kind = draw(&f->seed) % 32;
    struct e820_entry e = {.addr = draw_addr(f), .len_bytes = draw_len(f)};

    if (draw(&f->seed) % 64 == 0)
        e.len_bytes -= e.addr; /* the entry ends at or past 2^64 */
    if (kind < 16)
        e.type = E820_RAM;
    else if (kind < 30)
        e.type = (uint32_t)(kind - 14) / 2; /* 1 to 7: reserved, ACPI, NVS, unusable, ... */
    else
        e.type = (uint32_t)draw(&f->seed);
    return e;
}

static void draw_map(struct fuzz *f)
{
    uint64_t x = draw(&f->seed);

    f->raw.nr = x % 64 ? x / 64 % (FEW_ENTRIES + 1) : x / 64 % MAX_ENTRIES + 1;
    for (size_t i = 0; i < f->raw.nr; i++)
        f->raw.entries[i] = draw_entry(f);
}

/*
 * Does the entry overlap the page at @pfn; or, if @whole, cover all of it? An entry that wraps past
 * 2^64 counts as ending there.
 */
static bool touches(const struct e820_entry *e, uint64_t pfn, bool whole)
{
    uint64_t start = pfn * PAGE_SIZE, last = start + PAGE_SIZE - 1;
    uint64_t e_last = e->addr + e->len_bytes - 1;

    if (!e->len_bytes)
        return false;
    if (e_last < e->addr)
        e_last = UINT64_MAX;
    return whole ? e->addr <= start && e_last >= last : e->addr <= last && e_last >= start;
}

/*
 * The kind of one page by the raw entries, from the rules in mm/e820.h. *@said: an entry, or the
 * rule for the first MiB of a domU, determines the kind.
 */
static enum range_kind kind_of(const struct fuzz *f, const struct memory_map *map, uint64_t pfn,
                               bool *said)
{
    bool ram = !f->initdom && pfn < LOW_MIB_PFNS, low = ram, unusable = false, other = false;

    for (size_t i = 0; i < map->nr; i++) {
        const struct e820_entry *e = &map->entries[i];
        bool wraps = e->addr + e->len_bytes < e->addr;

        if (e->type == E820_UNUSABLE)
            unusable |= touches(e, pfn, false);
        else if (e->type != E820_RAM)
            other |= touches(e, pfn, false);
        else
            ram |= !wraps && touches(e, pfn, true);
    }
    *said = ram || unusable || other;
    if (low)
        return RANGE_RAM;
    if (unusable && !other)
        return f->initdom ? RANGE_RAM : RANGE_MISSING;
    return ram && !other ? RANGE_RAM : RANGE_IDENTITY;
}

static void ask(struct fuzz *f, const struct memory_map *map, uint64_t pfn)
{
    struct test *t = f->t;
    enum range_kind expected, found;
    bool said;

    if (pfn >> MFN_BITS)
        return;
    expected = kind_of(f, map, pfn, &said), found = ranges_find(&f->ranges, pfn).kind;
    /* past the last range the kind is that of ranges.beyond */
    if (!said && (!f->ranges.nr || pfn >= f->ranges.r[f->ranges.nr - 1].end))
        expected = f->ranges.beyond;
    CHECK(found == expected, "random E820 map %lu: PFN 0x%lx is %s by e820_sanitize, expected %s",
          f->nr_map, pfn, range_kind_name(found), range_kind_name(expected));
}

/* Checks PFNs at the edges of up to MAX_EDGES entries. */
static void ask_entries(struct fuzz *f, const struct memory_map *map)
{
    size_t step = map->nr / MAX_EDGES + 1;

    for (size_t i = draw(&f->seed) % step; i < map->nr; i += step) {
        const struct e820_entry *e = &map->entries[i];

        ask(f, map, e->addr / PAGE_SIZE);
        ask(f, map, e->addr / PAGE_SIZE + 1);
        ask(f, map, (e->addr + e->len_bytes) / PAGE_SIZE - 1);
        ask(f, map, (e->addr + e->len_bytes) / PAGE_SIZE);
    }
}

static void check_ranges(struct fuzz *f, const struct memory_map *map)
{
    const struct ranges *r = &f->ranges;
    struct test *t = f->t;
    size_t step = r->nr / MAX_EDGES + 1;

    for (size_t i = 0; i < r->nr; i++) {
        CHECK_EQ(r->r[i].start, i ? r->r[i - 1].end : 0,
                 "random E820 map %lu: first PFN of PFN range %lu of e820_sanitize", f->nr_map, i);
        CHECK(r->r[i].start < r->r[i].end && r->r[i].end <= (uint64_t)1 << MFN_BITS,
              "random E820 map %lu: PFN range %lu of e820_sanitize is [0x%lx, 0x%lx), expected not "
              "empty, end <= 0x%lx",
              f->nr_map, i, r->r[i].start, r->r[i].end, (uint64_t)1 << MFN_BITS);
        CHECK(!i || r->r[i].kind != r->r[i - 1].kind,
              "random E820 map %lu: PFN ranges %lu and %lu of e820_sanitize are both %s, expected "
              "one joined range",
              f->nr_map, i - 1, i, range_kind_name(r->r[i].kind));
    }
    for (size_t i = draw(&f->seed) % step; i < r->nr; i += step) {
        ask(f, map, r->r[i].start);
        ask(f, map, r->r[i].end - 1);
    }
    ask_entries(f, map);
    for (unsigned int i = 0; i < NR_QUESTIONS; i++)
        ask(f, map, draw(&f->seed) % 0x480);
}

/* A map with the same entries in another order must give the same result and ranges. */
static void check_shuffled(struct fuzz *f, struct memory_map *map, int rc)
{
    struct test *t = f->t;
    const struct ranges *a = &f->ranges, *b = &f->again;
    int rc_again;

    for (size_t i = map->nr; i > 1; i--) {
        size_t j = draw(&f->seed) % i;
        struct e820_entry e = map->entries[i - 1];

        map->entries[i - 1] = map->entries[j];
        map->entries[j] = e;
    }
    rc_again = e820_sanitize(map->entries, map->nr, f->initdom, f->edges, &f->again);
    CHECK_RC(rc_again, rc, "random E820 map %lu, entries shuffled: e820_sanitize", f->nr_map);
    CHECK_EQ(b->nr, a->nr,
             "random E820 map %lu, entries shuffled: number of PFN ranges of e820_sanitize",
             f->nr_map);
    CHECK(b->beyond == a->beyond,
          "random E820 map %lu, entries shuffled: kind past the last PFN range is %s, expected %s",
          f->nr_map, range_kind_name(b->beyond), range_kind_name(a->beyond));
    for (size_t i = 0; i < a->nr && a->nr == b->nr; i++)
        CHECK(a->r[i].start == b->r[i].start && a->r[i].end == b->r[i].end &&
                  a->r[i].kind == b->r[i].kind,
              "random E820 map %lu, entries shuffled: PFN range %lu is [0x%lx, 0x%lx) %s, expected "
              "[0x%lx, 0x%lx) %s",
              f->nr_map, i, b->r[i].start, b->r[i].end, range_kind_name(b->r[i].kind),
              a->r[i].start, a->r[i].end, range_kind_name(a->r[i].kind));
}

static void check_map(struct fuzz *f, struct memory_map *back)
{
    struct test *t = f->t;
    char name[64];
    int rc, expected;

    format(name, sizeof(name), "random E820 map %lu, read back from Xen", f->nr_map);
    if (f->raw.nr) { /* host_memory_map makes up a map of RAM in place of an empty map */
        CHECK_EQ(back->nr, f->raw.nr, "random E820 map %lu: number of entries read back from Xen",
                 f->nr_map);
        for (size_t i = 0; i < back->nr && back->nr == f->raw.nr; i++)
            check_e820_entry(t, name, i, &back->entries[i], &f->raw.entries[i]);
    }
    rc = e820_sanitize(back->entries, back->nr, f->initdom, f->edges, &f->ranges);
    expected = ranges_count(&f->ranges, RANGE_RAM, UINT64_MAX) ? 0 : -EINVAL;
    CHECK_RC(rc, expected, "random E820 map %lu, whose ranges have %s RAM: e820_sanitize",
             f->nr_map, expected ? "no" : "some");
    check_ranges(f, back);
    check_shuffled(f, back, rc);
    f->nr_entries += back->nr;
    f->nr_ranges += f->ranges.nr;
}

/* Sets a random map, reads it back and checks it. False: a check failed, or Xen lacks memory. */
static bool round_trip(struct fuzz *f)
{
    struct test *t = f->t;
    struct memory_map back;
    int rc;

    draw_map(f);
    rc = host_set_memory_map(&f->raw);
    if (rc == -ENOMEM) { /* after balloon=max */
        test_skip(t, "Xen has no memory for an E820 map of %lu entries", f->raw.nr);
        return false;
    }
    CHECK_RC(rc, 0, "XENMEM_set_memory_map of random E820 map %lu, %lu entries", f->nr_map,
             f->raw.nr);
    if (rc)
        return false;
    rc = host_memory_map(&back, f->heap, MAP_OWN, t->d->boot.nr_pages);
    CHECK_RC(rc, 0, "XENMEM_memory_map of random E820 map %lu, %lu entries", f->nr_map, f->raw.nr);
    if (rc)
        return false;
    check_map(f, &back);
    heap_free(f->heap, back.entries, back.len_bytes);
    return t->result == TEST_SUCCESS;
}

/* Makes round trips until f->nr_maps or MAX_NS is reached. f->nr_map is how many succeeded. */
static void make_round_trips(struct fuzz *f)
{
    uint64_t until = clock_ns() + MAX_NS, heap_next = f->heap->next;

    for (f->nr_map = 0; f->nr_map < f->nr_maps && clock_ns() < until && round_trip(f); f->nr_map++)
        f->heap->next = heap_next; /* nothing is allocated behind it: its addresses are reused */
}

/* Reads the E820 map of this domain. The result is an empty map if there is none, as in a dom0. */
static int read_own(struct heap *heap, struct memory_map *map)
{
    int rc = host_memory_map(map, heap, MAP_OWN, 0);

    if (!rc && map->nr == 1 && map->entries[0].len_bytes == 0)
        map->nr = 0; /* host_memory_map made this entry up: there is no map */
    return rc;
}

/* Allocates the buffers in @r. Returns their number of pages, also if @r is NULL. */
static uint64_t set_up(struct fuzz *f, struct room *r)
{
    uint64_t entries_bytes = MAX_ENTRIES * sizeof(struct e820_entry);
    uint64_t edges_bytes = E820_MAX_EDGES(MAX_ENTRIES) * sizeof(struct e820_edge);
    uint64_t ranges_bytes = E820_MAX_RANGES(MAX_ENTRIES) * sizeof(struct range);
    uint64_t nr_pages = DIV_ROUND_UP(entries_bytes + edges_bytes + 2 * ranges_bytes, PAGE_SIZE);
    uint8_t *at = r ? room_alloc(r, nr_pages) : NULL;

    if (!r)
        return nr_pages;
    f->heap = &r->heap;
    f->ranges = (struct ranges){.r = (struct range *)at, .cap = E820_MAX_RANGES(MAX_ENTRIES)};
    f->again = (struct ranges){.r = (struct range *)(at + ranges_bytes), .cap = f->ranges.cap};
    f->edges = (struct e820_edge *)(at + 2 * ranges_bytes);
    f->raw.entries = (struct e820_entry *)(at + 2 * ranges_bytes + edges_bytes);
    return nr_pages;
}

/* Sets the domain's @own map again. */
static void put_back(struct fuzz *f, const struct memory_map *own)
{
    struct memory_map again, none = {.entries = f->raw.entries};
    struct test *t = f->t;
    int rc;

    /* an empty map first: Xen frees the memory of the map before */
    CHECK_RC(host_set_memory_map(&none), 0, "XENMEM_set_memory_map of an empty E820 map");
    CHECK_RC(host_set_memory_map(own), 0, "XENMEM_set_memory_map of this domain's %lu E820 entries",
             own->nr);
    rc = read_own(f->heap, &again);
    if (rc) {
        test_error(t, "host_memory_map (E820): result is %d (%s), expected 0", rc, errno_name(rc));
        return;
    }
    CHECK_EQ(again.nr, own->nr, "after self-test e820_fuzz: number of E820 entries of this domain");
    for (size_t i = 0; i < own->nr && again.nr == own->nr; i++)
        check_e820_entry(t, "this domain's E820 map after self-test e820_fuzz", i,
                         &again.entries[i], &own->entries[i]);
    heap_free(f->heap, again.entries, again.len_bytes);
}

static void fuzz(struct fuzz *f)
{
    uint64_t seed = f->t->d->options.seed;
    struct test *t = f->t;
    struct memory_map own;
    int rc = read_own(f->heap, &own);

    if (rc) {
        test_error(t, "host_memory_map (E820): result is %d (%s), expected 0", rc, errno_name(rc));
        return;
    }
    if (host_set_memory_map(&own) == -EACCES) {
        test_skip(t, "XSM/FLASK denies XENMEM_set_memory_map (EACCES)");
        heap_free(f->heap, own.entries, own.len_bytes);
        return;
    }
    if (!seed)
        seed = clock_ns() % 999999999 + 1; /* nine digits: the limit of seed= */
    f->seed = seed;
    make_round_trips(f);
    print("# e820_fuzz: seed=%lu: %lu maps of %lu entries became %lu ranges\n", seed, f->nr_map,
          f->nr_entries, f->nr_ranges);
    if (f->nr_map < f->nr_maps && t->result == TEST_SUCCESS)
        print("# e820_fuzz: stopped after 2 s: %lu of %lu maps were not tried\n",
              f->nr_maps - f->nr_map, f->nr_maps);
    CHECK(f->nr_map || t->result == TEST_SKIP,
          "number of random E820 maps that e820_sanitize accepted is 0, expected at least 1");
    put_back(f, &own);
    heap_free(f->heap, own.entries, own.len_bytes);
}

TEST(
    e820_fuzz,
    "e820_sanitize gives each PFN the kind (RAM, identity, missing) that a random E820 map implies")
{
    struct fuzz f = {
        .t = t,
        .initdom = boot_info_is_initdomain(&t->d->boot),
        .nr_maps = cmdline_wants_full(&t->d->options) ? NR_MAPS_FULL : NR_MAPS,
    };
    uint64_t nr_pages = set_up(&f, NULL);
    struct room r;

    if (!room_open(&r, t, nr_pages + SPARE_PAGES))
        return;
    set_up(&f, &r);
    fuzz(&f);
    room_free(&r, f.ranges.r, nr_pages);
    room_close(&r);
}
