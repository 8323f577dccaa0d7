/* SPDX-License-Identifier: MIT */
/*
 * Without this test, a domain might not be able to grow: the P2M list must have an entry of its
 * own for each page that may come, and XENMEM_populate_physmap (<xen/memory.h>) must fill RAM PFNs
 * that have no frame. The domain grows in a stage of boot (balloon=max), so that every other test
 * runs with the result.
 */
#include "kernel/boot/balloon.h"
#include "kernel/selftest/test.h"

/*
 * Asks Xen for @nr pages for PFNs without a frame, without the balloon, and gives them back.
 * Returns the number of pages that Xen had.
 */
static uint64_t take_from_xen(struct test *t, uint64_t nr)
{
    const struct pfn_runs *empty = &t->d->balloon.empty;
    uint64_t *pages = heap_alloc(&t->d->heap, nr * sizeof(*pages)), nr_asked = 0, got;

    if (!pages) {
        test_error(t, "heap_alloc for %lu PFNs: no memory", nr);
        return 0;
    }
    for (size_t i = 0; i < empty->nr_runs; i++)
        for (uint64_t pfn = empty->runs[i].start; pfn < empty->runs[i].end && nr_asked < nr; pfn++)
            pages[nr_asked++] = pfn;
    got = host_populate(pages, nr_asked);
    CHECK_EQ(host_release(pages, got), got, "number of released pages of %lu", got);
    heap_free(&t->d->heap, pages, nr * sizeof(*pages));
    return got;
}

TEST(balloon,
     "balloon=max: this domain has min(XENMEM_maximum_reservation, number of RAM PFNs) pages")
{
    struct domain *d = t->d;
    uint64_t room = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr), nr;
    uint64_t planned = min_u64(d->plan_max, d->max_pages);
    uint64_t expected = min_u64(room, d->max_pages), current = host_current_pages();

    if (d->options.balloon == BALLOON_NONE) {
        test_skip(t, "boot argument balloon=max is not given");
        return;
    }
    CHECK(current <= expected,
          "XENMEM_current_reservation is 0x%lx pages, expected at most 0x%lx (RAM PFNs 0x%lx, "
          "XENMEM_maximum_reservation 0x%lx)",
          current, expected, room, d->max_pages);
    CHECK(room >= planned || ranges_next_ram(&d->p2m.ranges, d->p2m.nr).start == UINT64_MAX,
          "P2M list has 0x%lx RAM PFNs, expected 0x%lx (domain size that it was made for at boot) "
          "or more",
          room, planned);
    if (current >= expected)
        return;

    /* The domain may be smaller only if Xen had no page left but those that it got back. */
    nr = take_from_xen(t, BALLOON_XEN_PAGES + 1);
    CHECK(nr <= BALLOON_XEN_PAGES,
          "XENMEM_current_reservation is 0x%lx pages, expected 0x%lx, since Xen had more than its "
          "reserve left: 0x%lx pages",
          current, expected, nr);
    test_skip(
        t, "Xen has only its reserve of %u pages left: this domain has %lu pages, its limit is %lu",
        BALLOON_XEN_PAGES, current, expected);
}
