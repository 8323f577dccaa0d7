/* SPDX-License-Identifier: MIT */
/*
 * Without this the room to grow would be a promise: that the list has entries for all that may
 * come, that they are of pages which nobody else shares, and that Xen's populate fills holes of
 * the right kind. The growing itself is a stage of boot (balloon=max), so that every other test
 * sees its result.
 */
#include "kernel/selftest/test.h"

TEST(balloon, "balloon=max: the domain has grown to its limit, or to the list's stated room")
{
    struct domain *d = t->d;
    uint64_t room = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr), pfn = 0;
    uint64_t expected = min_u64(room, d->max_pages), current = host_current_pages();

    if (d->options.balloon == BALLOON_NONE) {
        test_skip(t, "balloon=max was not asked for");
        return;
    }
    CHECK(current <= expected, "grown to 0x%lx pages, expected at most 0x%lx", current, expected);
    CHECK(room >= min_u64(d->plan_max, d->max_pages) ||
              ranges_next_ram(&d->p2m.ranges, d->p2m.nr).start == UINT64_MAX,
          "the list has room for 0x%lx pages, expected 0x%lx", room,
          min_u64(d->plan_max, d->max_pages));
    if (current >= expected)
        return;

    /* Short of it only if Xen has no page left to give: ask for one, past the code under test. */
    while (pfn < d->p2m.nr && (ranges_find(&d->p2m.ranges, pfn).kind != RANGE_RAM ||
                               !mfn_eq(p2m_get_ram(&d->p2m, to_pfn(pfn)), INVALID_MFN)))
        pfn++;
    CHECK(host_populate(&pfn, 1) == 0, "growing stopped at 0x%lx pages, and Xen had more to give",
          current);
    test_skip(t, "Xen has memory for 0x%lx pages, the limit is 0x%lx", current, expected);
}
