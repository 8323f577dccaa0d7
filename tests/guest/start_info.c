/* SPDX-License-Identifier: MIT */
/*
 * Without this a kernel that misread start_info or the memory map could still look healthy: what
 * the other tests compare would be wrong on both sides. So the facts are held against others that
 * come by another way: Xen's own count of our pages, and the map as the ranges have it.
 */
#include "lib/string.h"

#include "kernel/selftest/test.h"

/* Asked again, Xen says the same; and it is not nothing. */
static void check_map(struct test *t)
{
    const struct memory_map *first = &t->d->map;
    struct memory_map again;
    int rc = host_memory_map(&again, &t->d->heap, t->d->map_source, t->d->boot.nr_pages);

    if (rc) {
        test_error(t, "the memory map cannot be read again: %d", rc);
        return;
    }
    CHECK(again.nr == first->nr, "the map had %lu entries, and now %lu", first->nr, again.nr);
    CHECK(again.nr != first->nr ||
              !memcmp(again.entries, first->entries, first->nr * sizeof(*first->entries)),
          "the map's entries are not what they were");
    heap_free(&t->d->heap, again.entries, again.len_bytes);
}

TEST(start_info, "start_info and the memory map say what Xen says")
{
    const struct domain *d = t->d;

    CHECK(d->balloon.nr_pages == host_current_pages(),
          "start_info said 0x%lx pages, by our count it is 0x%lx now, Xen counts 0x%lx",
          d->boot.nr_pages, d->balloon.nr_pages, host_current_pages());
    check_map(t);
}
