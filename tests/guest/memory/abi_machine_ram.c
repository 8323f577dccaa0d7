/* SPDX-License-Identifier: MIT */
/*
 * The RAM of the machine, as Xen names it in four places: the machine E820 map, the end of RAM, the
 * end of the M2P (<xen/memory.h>), and the frames that it gave to this domain.
 *
 * A dom0 decides by the map what is RAM and what is a device. Without this test Xen could leave out
 * an entry of the map, or the last page of RAM, and the dom0 would take RAM for a device.
 */
#include "lib/errno.h"

#include "tests/guest/abi_room.h"

static bool is_ram(const struct e820_entry *e)
{
    return e->type == E820_RAM || e->type == E820_UNUSABLE;
}

/* The entry that holds the whole page @mfn; NULL: there is none. */
static const struct e820_entry *entry_of(const struct memory_map *m, uint64_t mfn)
{
    for (size_t i = 0; i < m->nr; i++) {
        const struct e820_entry *e = &m->entries[i];

        if (e->addr <= mfn * PAGE_SIZE && (mfn + 1) * PAGE_SIZE <= e->addr + e->len_bytes)
            return e;
    }
    return NULL;
}

static void check_order(struct test *t, const struct memory_map *m)
{
    for (size_t i = 0; i < m->nr; i++) {
        const struct e820_entry *e = &m->entries[i];
        uint64_t end = i ? m->entries[i - 1].addr + m->entries[i - 1].len_bytes : 0;

        CHECK(e->addr >= end && e->len_bytes && e->addr + e->len_bytes - 1 >= e->addr && e->type,
              "machine E820 map: entry %lu is [0x%lx, +0x%lx) type %u, expected one that starts at "
              "0x%lx or later and is not empty",
              i, e->addr, e->len_bytes, e->type, end);
    }
}

static void check_pfn(struct test *t, const struct memory_map *m, uint64_t pfn)
{
    const struct domain *d = t->d;
    uint64_t mfn = p2m_get_ram(&d->p2m, to_pfn(pfn)).v;

    if (mfn == INVALID_ENTRY)
        return;
    CHECK(entry_of(m, mfn) && entry_of(m, mfn)->type == E820_RAM,
          "MFN 0x%lx of PFN 0x%lx is in no RAM entry of the machine E820 map, expected one entry "
          "with the whole page",
          mfn, pfn);
    CHECK(mfn < d->host.ram_end,
          "frame of PFN 0x%lx is MFN 0x%lx, expected one below 0x%lx, by XENMEM_maximum_ram_page",
          pfn, mfn, d->host.ram_end);
}

/* Each 64th frame and the last one. */
static void check_frames(struct test *t, const struct memory_map *m)
{
    for (uint64_t pfn = 0; pfn < t->d->boot.nr_pages; pfn += 64)
        check_pfn(t, m, pfn);
    check_pfn(t, m, t->d->boot.nr_pages - 1);
}

TEST_RULE(
    abi_machine_ram,
    "dom0: the machine E820 map is sorted, and has the last page of RAM and the frames of dom0")
{
    const struct host *h = &t->d->host;
    struct memory_map m;
    int rc;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU may not read the machine's map");
        return;
    }
    rc = host_memory_map(&m, &t->d->heap, MAP_MACHINE, 0);
    if (rc) {
        test_error(t, "host_memory_map (E820): result is %d (%s), expected 0", rc, errno_name(rc));
        return;
    }
    check_order(t, &m);
    check_frames(t, &m);
    CHECK(entry_of(&m, h->ram_end - 1) && is_ram(entry_of(&m, h->ram_end - 1)),
          "MFN 0x%lx, the last one by XENMEM_maximum_ram_page, is in no RAM entry of the machine "
          "E820 map, expected one entry with the whole page",
          h->ram_end - 1);
    if (h->max_mfn + 1 < MACH2PHYS_NR_ENTRIES) /* else memory may be added while Xen runs */
        CHECK_EQ(
            h->max_mfn + 1, h->ram_end,
            "end of the M2P by XENMEM_machphys_mapping, compared with XENMEM_maximum_ram_page,");
    heap_free(&t->d->heap, m.entries, m.len_bytes);
}
