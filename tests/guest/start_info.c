/* SPDX-License-Identifier: MIT */
/*
 * Without this a kernel that misread start_info or the memory map could still look healthy: what
 * the other tests compare would be wrong on both sides. So the facts are held against others that
 * come by another way: Xen's own count of our pages, and the map as the ranges have it.
 */
#include "kernel/test.h"

TEST(start_info, "start_info and the memory map were read")
{
    const struct domain *d = t->d;

    CHECK(d->boot.nr_pages + d->nr_ballooned == host_current_pages(),
          "start_info said 0x%lx pages, 0x%lx were added, Xen counts 0x%lx", d->boot.nr_pages,
          d->nr_ballooned, host_current_pages());
    CHECK(d->map.nr > 0, "the memory map has no entries");
    CHECK(ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr) >= d->boot.nr_pages,
          "the list has room for 0x%lx pages of RAM, the domain has 0x%lx",
          ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr), d->boot.nr_pages);
}
