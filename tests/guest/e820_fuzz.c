/* SPDX-License-Identifier: MIT */
/*
 * Without this the sanitiser of memory maps would be right for the maps that somebody thought of.
 * A domain may set any map on itself (XENMEM_set_memory_map; <xen/memory.h> calls it the
 * "pseudo-physical memory map of a domain"), so a thousand random ones go to Xen and come back, and
 * of each the ranges that it becomes are asked, PFN by PFN, what the raw entries say: the question
 * is put to every entry anew, with none of the sanitiser's sorting and counting. The seed is
 * printed, and seed=N repeats it.
 */
#include "lib/errno.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/clock.h"

#include "tests/guest/abi_room.h"

#define NR_MAPS      1000
#define MAX_ENTRIES  1024 /* that Xen takes            */
#define FEW_ENTRIES  12   /* of all but one map in 64  */
#define LOW_MIB_PFNS 0x100
#define NR_QUESTIONS 16 /* at random PFNs, beside those at the ranges' edges, of which */
#define MAX_EDGES    64 /* this many are asked about                                   */
#define MAX_NS       (2 * NS_PER_S) /* then the rest is left out                           */
#define SPARE_PAGES  24 /* for tables, and for a map that comes back                        */

struct fuzz {
    struct test *t;
    struct heap *heap;
    uint64_t seed;
    bool initdom;
    struct memory_map raw;   /* what is sent     */
    struct e820_edge *edges; /* scratch          */
    struct ranges ranges, again;
    uint64_t nr_entries, nr_ranges;
};

/* An address: mostly small, and at page boundaries or just beside them; sometimes anything. */
static uint64_t draw_addr(struct fuzz *f)
{
    uint64_t x = draw(&f->seed), kind = x % 16;

    x >>= 8;
    if (kind == 0)
        return x << 8 | kind; /* all 64 bits */
    if (kind < 4)
        return x % ((uint64_t)1 << 53); /* past what an entry can name, too */
    x = x % 0x400 * PAGE_SIZE;
    return kind < 10 ? x : x + draw(&f->seed) % 7 * 0x2ff - 3;
}

/* A length: seldom so large that it covers all the rest. */
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
        e.len_bytes -= e.addr; /* to the top, or past it and round */
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

/* Does the entry touch the page at @pfn, or cover it whole? One that wraps reaches to the top. */
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
 * What the page is by the raw entries: the rule in mm/e820.h, put as a question about one page.
 * *@said: there is an entry that makes it so.
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
    /* past the last entry that says something there is what lies beyond */
    if (!said && (!f->ranges.nr || pfn >= f->ranges.r[f->ranges.nr - 1].end))
        expected = f->ranges.beyond;
    CHECK(found == expected, "of a map of %lu entries PFN 0x%lx is %s, expected %s", map->nr, pfn,
          range_kind_name(found), range_kind_name(expected));
}

/* At the edges of the entries, of as many as of the ranges. */
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

    CHECK(!r->nr || r->r[0].start == 0, "the ranges begin at PFN 0x%lx", r->r[0].start);
    for (size_t i = 0; i < r->nr; i++) {
        CHECK(r->r[i].start < r->r[i].end && r->r[i].end <= (uint64_t)1 << MFN_BITS,
              "range %lu is [0x%lx, 0x%lx)", i, r->r[i].start, r->r[i].end);
        CHECK(!i || (r->r[i].start == r->r[i - 1].end && r->r[i].kind != r->r[i - 1].kind),
              "range %lu does not begin where the one before ends, or is of its kind", i);
    }
    for (size_t i = draw(&f->seed) % step; i < r->nr; i += step) {
        ask(f, map, r->r[i].start);
        ask(f, map, r->r[i].end - 1);
    }
    ask_entries(f, map);
    for (unsigned int i = 0; i < NR_QUESTIONS; i++)
        ask(f, map, draw(&f->seed) % 0x480);
}

/* The entries in another order make the same ranges. */
static void check_command(struct fuzz *f, struct memory_map *map, int rc)
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
    CHECK(rc == rc_again && a->nr == b->nr && a->beyond == b->beyond &&
              (!a->nr || !memcmp(a->r, b->r, a->nr * sizeof(*a->r))),
          "another order of %lu entries makes other ranges: %lu, and %lu before", map->nr, b->nr,
          a->nr);
}

static void check_map(struct fuzz *f, struct memory_map *back)
{
    struct test *t = f->t;
    int rc;

    if (f->raw.nr) { /* a map of none is no map, and then one of RAM is made up */
        CHECK(back->nr == f->raw.nr, "a map of %lu entries was set, one of %lu came back",
              f->raw.nr, back->nr);
        CHECK(back->nr != f->raw.nr ||
                  !memcmp(back->entries, f->raw.entries, back->nr * sizeof(*back->entries)),
              "a map of %lu entries came back changed", f->raw.nr);
    }
    rc = e820_sanitize(back->entries, back->nr, f->initdom, f->edges, &f->ranges);
    CHECK(rc == 0 || rc == -EINVAL, "a map of %lu entries: %d (%s)", back->nr, rc, errno_name(rc));
    CHECK((rc == 0) == (ranges_count(&f->ranges, RANGE_RAM, UINT64_MAX) > 0),
          "a map of %lu entries: %d, and there is%s RAM", back->nr, rc, rc ? "" : " no");
    check_ranges(f, back);
    check_command(f, back, rc);
    f->nr_entries += back->nr;
    f->nr_ranges += f->ranges.nr;
}

/* One map to Xen and back. False: that went wrong, or Xen has no memory for it. */
static bool round_trip(struct fuzz *f)
{
    struct test *t = f->t;
    struct memory_map back;
    int rc;

    draw_map(f);
    rc = host_set_memory_map(&f->raw);
    if (rc == -ENOMEM) { /* after balloon=max */
        test_skip(t, "Xen has no memory for a map of %lu entries", f->raw.nr);
        return false;
    }
    CHECK(rc == 0, "Xen does not take a map of %lu entries: %d", f->raw.nr, rc);
    if (!rc)
        rc = host_memory_map(&back, f->heap, MAP_OWN, t->d->boot.nr_pages);
    CHECK(rc == 0, "a map of %lu entries does not come back: %d", f->raw.nr, rc);
    if (rc)
        return false;
    check_map(f, &back);
    heap_free(f->heap, back.entries, back.len_bytes);
    return t->result == TEST_SUCCESS;
}

/* Until the time is up. How many maps that were. */
static unsigned int make_round_trips(struct fuzz *f)
{
    uint64_t until = clock_ns() + MAX_NS, heap_next = f->heap->next;
    unsigned int nr = 0;

    while (nr < NR_MAPS && clock_ns() < until && round_trip(f)) {
        f->heap->next = heap_next; /* there is nothing left on it */
        nr++;
    }
    return nr;
}

/* The map that the domain has of its own; one of no entries if it has none, as a dom0. */
static int read_own(struct heap *heap, struct memory_map *map)
{
    int rc = host_memory_map(map, heap, MAP_OWN, 0);

    if (!rc && map->nr == 1 && map->entries[0].len_bytes == 0)
        map->nr = 0; /* what host_memory_map makes up for none */
    return rc;
}

/* The buffers, in @r; without one, how many pages they are. */
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

/* The domain gets its @own map again. */
static void put_back(struct fuzz *f, const struct memory_map *own)
{
    struct memory_map again, none = {.entries = f->raw.entries};
    struct test *t = f->t;

    /* one of no entries first: it makes room for the other, if Xen is out of memory */
    CHECK(!host_set_memory_map(&none), "a map of no entries cannot be set");
    CHECK(!host_set_memory_map(own), "the domain's own map cannot be set again");
    if (read_own(f->heap, &again)) {
        test_error(t, "the domain's own memory map cannot be read again");
        return;
    }
    CHECK(again.nr == own->nr &&
              !memcmp(again.entries, own->entries, own->nr * sizeof(*own->entries)),
          "the domain's own map is not what it was");
    heap_free(f->heap, again.entries, again.len_bytes);
}

static void fuzz(struct fuzz *f)
{
    uint64_t seed = f->t->d->options.seed;
    struct test *t = f->t;
    struct memory_map own;
    unsigned int nr;

    if (read_own(f->heap, &own)) {
        test_error(t, "the domain's own memory map cannot be read");
        return;
    }
    if (!seed)
        seed = clock_ns() % 999999999 + 1; /* as long as seed= takes */
    f->seed = seed;
    nr = make_round_trips(f);
    print("# e820_fuzz: seed=%lu: %u maps of %lu entries became %lu ranges\n", seed, nr,
          f->nr_entries, f->nr_ranges);
    if (nr < NR_MAPS && t->result == TEST_SUCCESS)
        print("# e820_fuzz: after 2 s the other %u were left out\n", NR_MAPS - nr);
    CHECK(nr || t->result == TEST_SKIP, "not one map was tried");
    put_back(f, &own);
    heap_free(f->heap, own.entries, own.len_bytes);
}

TEST(e820_fuzz, "random memory maps go to Xen and back, and their ranges are what the entries say")
{
    struct fuzz f = {.t = t, .initdom = boot_info_is_initdomain(&t->d->boot)};
    uint64_t nr_pages = set_up(&f, NULL);
    struct room r;

    if (!room_open(&r, t, nr_pages + SPARE_PAGES))
        return;
    set_up(&f, &r);
    fuzz(&f);
    room_free(&r, f.ranges.r, nr_pages);
    room_close(&r);
}
