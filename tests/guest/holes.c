/* SPDX-License-Identifier: MIT */
/*
 * Holes of the memory map in the P2M list.
 *
 * Without these tests the P2M list could have frames where the memory map has a hole, for example
 * because frames were not renumbered (given new PFNs because theirs lie in a hole). The memory map
 * is read again, and evaluated entry by entry, independently of the PFN ranges of the kernel. All
 * leaves of the P2M list (pages of 512 entries) without RAM are one shared page of ~0, which must
 * be read-only: a store into this page would change the entries of all holes at once.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "mm/leaves.h"

#include "kernel/selftest/test.h"

/* The first MiB of a domU is RAM, even if its E820 map says otherwise. */
#define LOW_MIB_PFNS 0x100

/*
 * Is the page RAM by the E820 map? A RAM entry must cover the whole page; an entry of another type
 * that overlaps it wins. A page that an UNUSABLE entry overlaps is address space for RAM in a dom0,
 * and missing in a domU.
 */
static bool map_says_ram(const struct memory_map *map, bool initdom, uint64_t pfn)
{
    uint64_t start = pfn * PAGE_SIZE, end = start + PAGE_SIZE;
    bool ram = false, unusable = false;

    for (size_t i = 0; i < map->nr; i++) {
        const struct e820_entry *e = &map->entries[i];
        bool touches = e->len_bytes && e->addr < end && e->addr + e->len_bytes > start;

        if (touches && e->type == E820_UNUSABLE)
            unusable = true;
        else if (touches && e->type != E820_RAM)
            return false;
        else if (touches && e->addr <= start && e->addr + e->len_bytes >= end)
            ram = true;
    }
    return unusable ? initdom : ram;
}

/* The kind of a PFN that is not RAM. Past the last entry, a PFN of a domU is missing. */
static enum range_kind kind_of_hole(const struct memory_map *map, bool initdom, uint64_t pfn)
{
    bool unusable = false, inside = initdom;

    for (size_t i = 0; i < map->nr; i++) {
        const struct e820_entry *e = &map->entries[i];
        uint64_t end = e->addr + e->len_bytes;
        bool touches = e->len_bytes && e->addr < (pfn + 1) * PAGE_SIZE && end > pfn * PAGE_SIZE;

        if (touches && e->type != E820_RAM && e->type != E820_UNUSABLE)
            return RANGE_IDENTITY;
        unusable = unusable || (touches && e->type == E820_UNUSABLE);
        end = e->type == E820_RAM ? end / PAGE_SIZE : DIV_ROUND_UP(end, PAGE_SIZE);
        inside = inside || (e->len_bytes && end > pfn);
    }
    return (unusable && !initdom) || !inside ? RANGE_MISSING : RANGE_IDENTITY;
}

static void lower(uint64_t *next, uint64_t pfn, uint64_t edge)
{
    if (edge > pfn && edge < *next)
        *next = edge;
}

/* The next PFN behind @pfn at which the E820 map or the PFN ranges may change. */
static uint64_t next_edge(const struct domain *d, const struct memory_map *map, uint64_t pfn)
{
    uint64_t next = min_u64(ranges_find(&d->p2m.ranges, pfn).end, d->p2m.nr);

    lower(&next, pfn, LOW_MIB_PFNS);
    for (size_t i = 0; i < map->nr; i++) {
        uint64_t start = map->entries[i].addr, end = start + map->entries[i].len_bytes;

        lower(&next, pfn, start / PAGE_SIZE);
        lower(&next, pfn, start / PAGE_SIZE + 1);
        lower(&next, pfn, end / PAGE_SIZE);
        lower(&next, pfn, end / PAGE_SIZE + 1);
    }
    return next;
}

/* A test that reads the memory map again, and compares the PFNs below the end of the list with it.
 */
struct check {
    struct test *t;
    struct memory_map map;
    bool initdom;
    struct sweep sweep;
    uint64_t next; /* PFN of the sweep */
};

static bool is_ram(const struct check *c, uint64_t pfn)
{
    return map_says_ram(&c->map, c->initdom, pfn) || (!c->initdom && pfn < LOW_MIB_PFNS);
}

/* Calls @check for stretches of PFNs [start, end) that the map and the ranges treat alike. */
static void for_each_stretch(struct test *t, struct check *c,
                             void (*check)(struct check *c, uint64_t start, uint64_t end))
{
    struct domain *d = t->d;
    int rc;

    if (d->nr_misfits) {
        test_skip(t, "%lu PFNs cannot follow the E820 map of this new domain", d->nr_misfits);
        return;
    }
    rc = host_memory_map(&c->map, &d->heap, d->map_source, d->boot.nr_pages);

    if (rc) {
        test_error(t, "host_memory_map (E820): result is %d (%s), expected 0", rc, errno_name(rc));
        return;
    }
    c->t = t;
    c->initdom = boot_info_is_initdomain(&d->boot);
    for (uint64_t pfn = 0, next; pfn < d->p2m.nr; pfn = next) {
        next = next_edge(d, &c->map, pfn);
        check(c, pfn, next);
    }
    heap_free(&d->heap, c->map.entries, c->map.len_bytes);
}

static void check_no_frames(struct check *c, uint64_t start, uint64_t end)
{
    struct test *t = c->t;
    struct sweep *s = &c->sweep;

    if (is_ram(c, start))
        return;
    c->next = sweep_next(s, max_u64(c->next, start));
    for (; c->next < end; c->next = sweep_next(s, c->next + 1))
        CHECK_EQ(p2m_get_ram(&t->d->p2m, to_pfn(c->next)).v, INVALID_ENTRY,
                 "P2M entry of PFN 0x%lx, which is not RAM in the E820 map,", c->next);
}

TEST(holes, "the P2M list has no frame at a PFN that is not RAM in the E820 map")
{
    struct check c = {.next = 0};

    test_sweep(t, &c.sweep, t->d->p2m.nr, 0, "PFNs");
    for_each_stretch(t, &c, check_no_frames);
}

static void check_kind(struct check *c, uint64_t start, uint64_t end)
{
    enum range_kind expected =
        is_ram(c, start) ? RANGE_RAM : kind_of_hole(&c->map, c->initdom, start);
    enum range_kind kind = ranges_find(&c->t->d->p2m.ranges, start).kind;
    struct test *t = c->t;

    CHECK(kind == expected,
          "kernel's PFN ranges: [0x%lx, 0x%lx) is %s, expected %s by the E820 map", start, end,
          range_kind_name(kind), range_kind_name(expected));
}

TEST(holes_kind, "each PFN has the kind (RAM, identity, missing) that the E820 map gives it")
{
    struct check c;

    for_each_stretch(t, &c, check_kind);
}

/* Writes to the shared leaf at one address in each page table that maps it. */
TEST(holes_readonly, "each write to a P2M list page of an E820 hole (one shared page of ~0) faults")
{
    uint64_t *list = t->d->p2m.list;

    for (uint64_t leaf = 0; leaf < t->d->p2m.nr / P2M_PER_PAGE;) {
        struct leaf_run run = leaves_at(&t->d->plan, leaf);

        for (; run.kind == LEAF_NONE && leaf < run.end;
             leaf = ROUND_DOWN(leaf, PTES_PER_TABLE) + PTES_PER_TABLE) {
            uint64_t *entry = &list[leaf * P2M_PER_PAGE];

            CHECK_RC(probe_write(entry, *entry), -EFAULT,
                     "write to the P2M entry of PFN 0x%lx, in an E820 hole, at %p",
                     leaf * P2M_PER_PAGE, (void *)entry);
        }
        leaf = run.end;
    }
}
