/* SPDX-License-Identifier: MIT */
/*
 * start_info and the memory map, compared with what Xen says now.
 *
 * Without these tests a kernel that misread start_info or the memory map could look healthy, since
 * both sides of the comparisons in other tests would be wrong. The number of pages is compared with
 * Xen's own count, and the memory map is read again.
 */
#include "lib/errno.h"
#include "tests/guest/abi_room.h"

TEST(start_info, "the kernel's count of this domain's pages equals XENMEM_current_reservation")
{
    const struct domain *d = t->d;

    CHECK(
        d->balloon.nr_pages == host_current_pages(),
        "kernel's page count (0x%lx of start_info, then changed by the balloon) is 0x%lx, expected "
        "XENMEM_current_reservation 0x%lx",
        d->boot.nr_pages, d->balloon.nr_pages, host_current_pages());
}

TEST(memory_map,
     "XENMEM_memory_map (dom0: XENMEM_machine_memory_map) returns the map of this domain's start")
{
    const struct memory_map *first = &t->d->map;
    struct memory_map again;
    int rc = host_memory_map(&again, &t->d->heap, t->d->map_source, t->d->boot.nr_pages);

    if (rc) {
        test_error(t, "host_memory_map (E820): result is %d (%s), expected 0", rc, errno_name(rc));
        return;
    }
    CHECK_EQ(again.nr, first->nr,
             "number of E820 entries that %s returns now, compared with before,",
             t->d->map_source == MAP_OWN ? "XENMEM_memory_map" : "XENMEM_machine_memory_map");
    for (size_t i = 0; i < first->nr && i < again.nr; i++)
        check_e820_entry(t, "E820 map that Xen returns now", i, &again.entries[i],
                         &first->entries[i]);
    heap_free(&t->d->heap, again.entries, again.len_bytes);
}
