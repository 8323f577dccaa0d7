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

#include "kernel/test.h"

/* UNUSABLE is address space for RAM in a dom0, and nothing at all in a domU. */
static bool map_says_ram(const struct memory_map *map, bool initdom, uint64_t pfn)
{
    uint64_t start = pfn * PAGE_SIZE, end = start + PAGE_SIZE;
    bool ram = false;

    for (size_t i = 0; i < map->nr; i++) {
        const struct e820_entry *e = &map->entries[i];
        bool is_ram = e->type == E820_RAM || (initdom && e->type == E820_UNUSABLE);

        if (is_ram && e->addr <= start && e->addr + e->len_bytes >= end)
            ram = true;
        else if (!is_ram && e->len_bytes && e->addr < end && e->addr + e->len_bytes > start)
            return false;
    }
    return ram;
}

static void check_shared_leaf(struct test *t)
{
    uint64_t *list = t->d->p2m.list;

    for (uint64_t leaf = 0; leaf < t->d->p2m.nr / P2M_PER_PAGE;) {
        struct leaf_run run = leaves_at(&t->d->plan, leaf);

        if (run.kind == LEAF_NONE) {
            uint64_t *entry = &list[run.start * P2M_PER_PAGE];

            CHECK(probe_write(entry, *entry) == -EFAULT,
                  "entry 0x%lx of the list, in a hole, can be written", run.start * P2M_PER_PAGE);
        }
        leaf = run.end;
    }
}

TEST(holes, "no PFN that the machine's map does not call RAM has a frame; shared pages are R/O")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    struct memory_map map;
    int rc = host_memory_map(&map, &t->d->heap, t->d->map_source, t->d->boot.nr_pages);

    if (rc) {
        test_error(t, "the memory map cannot be read again: %d", rc);
        return;
    }
    for (uint64_t pfn = 0; pfn < t->d->p2m.nr; pfn++) {
        mfn_t mfn = p2m_get_ram(&t->d->p2m, to_pfn(pfn));

        CHECK(mfn_eq(mfn, INVALID_MFN) || map_says_ram(&map, initdom, pfn) ||
                  (!initdom && pfn < 0x100),
              "PFN 0x%lx has frame 0x%lx, but the map does not call it RAM", pfn, mfn.v);
    }
    heap_free(&t->d->heap, map.entries, map.len_bytes);
    check_shared_leaf(t);
}
