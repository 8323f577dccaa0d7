/* SPDX-License-Identifier: MIT */
/*
 * Another memory map after a restore (kernel/boot/new_map.c, mm/follow.c). Without this test a PFN
 * that is a device of the new host could get a frame, or RAM of the new map a write to the shared
 * page of ~0; the balloon could lose or invent PFNs; and a map that cannot be followed could end
 * the domain, or change half of it.
 *
 *      PFN    0       600          1700            3500       4608 ...    10700
 *      map    | RAM   | identity   | RAM                                          |
 *      list   | frames|   shared leaf 2  | frames and ~0 | ~0        | end of the list
 */
#include "lib/errno.h"

#include "kernel/boot/balloon.h"
#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_tools.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>
#include <xen/errno.h>

#define PAGES(start, end, type)                                                      \
    {                                                                                \
        (uint64_t)(start) * PAGE_SIZE, ((end) - (uint64_t)(start)) * PAGE_SIZE, type \
    }

#define RESERVED 2

static const struct e820_entry *next_map;
static unsigned int nr_next_map;

static long restored_elsewhere(uint64_t start_info)
{
    long rc = live_restored(start_info);

    live_set_map(next_map, nr_next_map);
    return rc;
}

#define RESTORE(map) restore(map, ARRAY_SIZE(map))

static void restore(const struct e820_entry *map, unsigned int nr)
{
    next_map = map;
    nr_next_map = nr;
    output_clear();
    check_equal("suspend to a domain with another map", suspend(&live), 0);
    live_count_in_use(); /* the tables of ranges and runs are on the heap now, and longer */
}

static void start(void)
{
    live_start_suspending(restored_elsewhere);
}

static void check_kind(uint64_t start, uint64_t end, enum range_kind kind)
{
    struct range first = ranges_find(&live.p2m.ranges, start);

    check_equal("kind of the range", first.kind, kind);
    check_equal("start of the range", first.start, start);
    check_equal("end of the range", first.end, end);
}

static void test_same_map(void **state)
{
    struct range *ranges;

    (void)state;
    start();
    ranges = live.p2m.ranges.r;
    RESTORE(live_map);
    check_true("no message on the same map", !strstr(output(), "map: "));
    check_true("the table of ranges is the same one", live.p2m.ranges.r == ranges);
    live_check("guest with the same map");
}

/* The hole is RAM in the new map: PFNs of leaf 2, which is the shared page of ~0, are missing. */
static void test_hole_becomes_ram(void **state)
{
    static const struct e820_entry map[] = {PAGES(0, 12000, E820_RAM)};
    uint64_t empty;

    (void)state;
    start();
    empty = live.balloon.empty.nr_pfns;
    RESTORE(map);
    check_says("message on another map", output(),
               "map: the E820 map of this new domain is not that of the old domain");
    check_says("message on RAM without entries", output(),
               "warning: map: 512 PFNs of RAM of the new E820 map stay without a frame");
    check_kind(0, 1024, RANGE_RAM);
    check_kind(1024, 1536, RANGE_MISSING);
    check_kind(1536, 12000, RANGE_RAM);
    check_equal("kind of a PFN past the new map", ranges_find(&live.p2m.ranges, 12000).kind,
                RANGE_MISSING);
    check_equal("PFNs that do not follow the map", live.nr_misfits, 512);
    check_equal("RAM PFNs without a frame", live.balloon.empty.nr_pfns, empty + 424 + 164);
    check_true("a PFN of the former hole can get a frame",
               pfn_runs_has(&live.balloon.empty, to_pfn(600)) &&
                   pfn_runs_has(&live.balloon.empty, to_pfn(1699)));
    live_check("guest without the hole");
    fake.max_pages = 5000;
    balloon_go(&live, live.balloon.nr_pages + live.balloon.empty.nr_pfns);
    check_equal("RAM PFNs without a frame, after the balloon filled them",
                live.balloon.empty.nr_pfns, 0);
    check_true("a PFN of the former hole has a frame",
               !mfn_eq(p2m_get_ram(&live.p2m, to_pfn(600)), INVALID_MFN));
    RESTORE(live_map);
    check_says("message on the first map, with frames in its hole", output(),
               "warning: map: 588 PFNs stay RAM, although they are a hole of the new E820 map");
    check_kind(0, 1024, RANGE_RAM);
    check_kind(1024, 1536, RANGE_IDENTITY);
}

/* New holes: where no frame is, the PFNs follow; a stretch with a frame stays RAM. */
static void test_ram_becomes_hole(void **state)
{
    static const struct e820_entry map[] = {
        PAGES(0, 600, E820_RAM),     PAGES(600, 1700, RESERVED),  PAGES(1700, 1800, E820_RAM),
        PAGES(1800, 1900, RESERVED), PAGES(1900, 3800, E820_RAM), PAGES(3800, 3900, RESERVED),
        PAGES(3900, 4000, E820_RAM),
    };
    uint64_t empty, pages;

    (void)state;
    start();
    empty = live.balloon.empty.nr_pfns;
    pages = live.balloon.nr_pages;
    RESTORE(map);
    check_says("message on frames in a hole", output(), "warning: map: 100 PFNs stay RAM");
    check_true("no message on entries", !strstr(output(), "has no entries"));
    check_kind(600, 1700, RANGE_IDENTITY);
    check_kind(1700, 3800, RANGE_RAM);
    check_kind(3800, 3900, RANGE_IDENTITY);
    check_kind(3900, 4000, RANGE_RAM);
    check_equal("p2m_get in the new hole", p2m_get(&live.p2m, to_pfn(3850)).v, 3850);
    check_equal("p2m_get past the new map", p2m_get(&live.p2m, to_pfn(4100)).v, INVALID_ENTRY);
    check_equal("p2m_set in the new hole", p2m_set(&live.p2m, to_pfn(3850), to_mfn(1)), -EINVAL);
    check_equal("RAM PFNs without a frame", live.balloon.empty.nr_pfns,
                empty - 100 - (live.p2m.nr - 4000));
    check_equal("frames of the domain", live.balloon.nr_pages, pages);
    live_check("guest with new holes");
    RESTORE(live_map);
    check_equal("RAM PFNs without a frame, with the first map again", live.balloon.empty.nr_pfns,
                empty);
    check_equal("PFNs that do not follow the map", live.nr_misfits, 0);
    check_kind(1700, 10700, RANGE_RAM);
    live_check("guest with the first map again");
    pages = live.frame_pool.free.nr_pfns;
    for (int i = 0; i < 5; i++) {
        RESTORE(map);
        RESTORE(live_map);
    }
    check_equal("free frames after ten more maps", live.frame_pool.free.nr_pfns, pages);
}

/* No memory for the new tables: the map of the old domain stays, with a warning. */
static void test_no_memory(void **state)
{
    static const struct e820_entry map[] = {PAGES(0, 12000, E820_RAM)};
    unsigned int n, nr_failed = 0;

    (void)state;
    for (n = 1; n < 100; n++) {
        uint64_t empty, nr_free;
        struct range *ranges;

        start();
        nr_free = live.frame_pool.free.nr_pfns + live.pt.nr_tables;
        empty = live.balloon.empty.nr_pfns;
        ranges = live.p2m.ranges.r;
        live.frame_pool.fail_at = live.frame_pool.nr_requests + n;
        RESTORE(map);
        live.frame_pool.fail_at = 0;
        if (live.p2m.ranges.r == ranges) {
            nr_failed++;
            check_says("message on missing memory", output(),
                       "warning: map: the E820 map of the new domain cannot be used: -12 (ENOMEM");
            check_equal("RAM PFNs without a frame", live.balloon.empty.nr_pfns, empty);
            check_equal("entries of the map", live.map.nr, 3);
            check_equal("frames that are free or page tables",
                        live.frame_pool.free.nr_pfns + live.pt.nr_tables, nr_free);
        }
        live_check("guest after a request for a frame failed");
        live_stop();
    }
    check_true("more than 3 requests for a frame matter", nr_failed > 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_same_map, live_teardown),
        cmocka_unit_test_teardown(test_hole_becomes_ram, live_teardown),
        cmocka_unit_test_teardown(test_ram_becomes_hole, live_teardown),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("new map", tests, NULL, NULL);
}
