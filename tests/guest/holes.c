/* SPDX-License-Identifier: MIT */
/*
 * Without this the map could be right and the P2M deaf to it. Every PFN below the list's end that
 * the machine's map (read again, and walked entry by entry, with no table of ranges between) does
 * not call RAM must hold no frame; so a kernel that never renumbered fails here. And what all
 * holes share must be unwritable: a store there would change them all at once.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "mm/leaves.h"

#include "kernel/selftest/test.h"

/* A domU's first MiB is RAM, though its map may not say so. */
#define LOW_MIB_PFNS 0x100

/*
 * Is the page RAM, by the map alone? Whole pages only; what else touches it decides. UNUSABLE, also
 * a part of a page, is address space for RAM in a dom0, and nothing at all in a domU.
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

/* What the map makes of a PFN that is not RAM: a domU has nothing past the last entry. */
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

/* The next PFN at which the map, or what we made of it, may change. */
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

/* PFNs [start, end), all alike by the map: are they for us too, and empty if they are no RAM? */
static void check_stretch(struct test *t, struct sweep *s, const struct memory_map *map,
                          bool initdom, uint64_t start, uint64_t end)
{
    bool ram = map_says_ram(map, initdom, start) || (!initdom && start < LOW_MIB_PFNS);
    enum range_kind kind = ranges_find(&t->d->p2m.ranges, start).kind;
    enum range_kind expected = ram ? RANGE_RAM : kind_of_hole(map, initdom, start);

    CHECK(kind == expected, "PFNs [0x%lx, 0x%lx) are %s, by the map they are %s", start, end,
          range_kind_name(kind), range_kind_name(expected));
    if (ram)
        return;
    for (uint64_t pfn = sweep_next(s, start); pfn < end; pfn = sweep_next(s, pfn + 1)) {
        mfn_t mfn = p2m_get_ram(&t->d->p2m, to_pfn(pfn));

        CHECK(mfn_eq(mfn, INVALID_MFN), "PFN 0x%lx has frame 0x%lx, the map does not call it RAM",
              pfn, mfn.v);
    }
}

/* A page in each of its tables: it is mapped by many entries. */
static void check_shared_leaf(struct test *t)
{
    uint64_t *list = t->d->p2m.list;

    for (uint64_t leaf = 0; leaf < t->d->p2m.nr / P2M_PER_PAGE;) {
        struct leaf_run run = leaves_at(&t->d->plan, leaf);

        for (; run.kind == LEAF_NONE && leaf < run.end;
             leaf = ROUND_DOWN(leaf, PTES_PER_TABLE) + PTES_PER_TABLE) {
            uint64_t *entry = &list[leaf * P2M_PER_PAGE];

            CHECK(probe_write(entry, *entry) == -EFAULT,
                  "entry 0x%lx of the list, in a hole, can be written", leaf * P2M_PER_PAGE);
        }
        leaf = run.end;
    }
}

TEST(holes, "a PFN is RAM just where the map says so; in holes the list is empty, and read-only")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    struct memory_map map;
    struct sweep s;
    int rc = host_memory_map(&map, &t->d->heap, t->d->map_source, t->d->boot.nr_pages);

    if (rc) {
        test_error(t, "the memory map cannot be read again: %d", rc);
        return;
    }
    test_sweep(t, &s, t->d->p2m.nr, 0, "PFNs");
    for (uint64_t pfn = 0; pfn < t->d->p2m.nr;) {
        uint64_t next = next_edge(t->d, &map, pfn);

        check_stretch(t, &s, &map, initdom, pfn, next);
        pfn = next;
    }
    heap_free(&t->d->heap, map.entries, map.len_bytes);
    check_shared_leaf(t);
}
