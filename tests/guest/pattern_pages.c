/* SPDX-License-Identifier: MIT */
/*
 * Without this a save could lose or mix up pages, and the restored guest, whose code and tables
 * happen to be right, would not know.
 */
#include "kernel/selftest/pattern_pages.h"
#include "kernel/selftest/test.h"

TEST(pattern_pages, "marked pages hold what was written there")
{
    uint64_t bad = pattern_pages_check(t->d);

    if (!t->d->selftest.pattern_pages.nr)
        test_skip(t, "pattern_pages=N was not asked for");
    CHECK(bad == t->d->selftest.pattern_pages.nr,
          "of %lu marked pages, page %lu is not what it was", t->d->selftest.pattern_pages.nr, bad);
}
