/* SPDX-License-Identifier: MIT */
/*
 * Without this a save could lose or mix up pages, and the restored guest, whose code and tables
 * happen to be right, would not know.
 */
#include "kernel/marks.h"
#include "kernel/test.h"

TEST(marks, "marked pages hold what was written there")
{
    uint64_t bad = marks_check(t->d);

    if (!t->d->marks.nr)
        test_skip(t, "mark=N was not asked for");
    CHECK(bad == t->d->marks.nr, "of %lu marked pages, page %lu is not what it was", t->d->marks.nr,
          bad);
}
