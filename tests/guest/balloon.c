/* SPDX-License-Identifier: MIT */
/*
 * Without this test, a domain might not be able to grow: the P2M list must have an entry of its
 * own for each page that may come, and XENMEM_populate_physmap (<xen/memory.h>) must fill RAM PFNs
 * that have no frame. The domain grows in a stage of boot (balloon=max), so that every other test
 * runs with the result.
 */
#include "kernel/selftest/test.h"

TEST(balloon,
     "balloon=max: this domain has min(XENMEM_maximum_reservation, number of RAM PFNs) pages")
{
    struct domain *d = t->d;
    uint64_t room = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr), pfn = 0;
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

    /* The domain may be smaller only if Xen has no free page: ask for one, without the balloon. */
    while (pfn < d->p2m.nr && (ranges_find(&d->p2m.ranges, pfn).kind != RANGE_RAM ||
                               !mfn_eq(p2m_get_ram(&d->p2m, to_pfn(pfn)), INVALID_MFN)))
        pfn++;
    CHECK(host_populate(&pfn, 1) == 0,
          "XENMEM_current_reservation is 0x%lx pages, expected 0x%lx: Xen has memory left (it "
          "populated one page more)",
          current, expected);
    test_skip(t, "Xen has no memory left: this domain has 0x%lx pages, its limit is 0x%lx", current,
              expected);
}
