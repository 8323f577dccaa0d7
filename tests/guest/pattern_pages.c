/* SPDX-License-Identifier: MIT */
/*
 * Without this test, a save could lose or mix up pages and nobody would notice: the code and page
 * tables of the restored guest may happen to be right. Pattern pages (pattern_pages=N) are pages of
 * known contents; each of their words is compared.
 */
#include "kernel/selftest/pattern_pages.h"
#include "kernel/selftest/test.h"

TEST(pattern_pages,
     "each of the pages that pattern_pages=N allocated at boot holds the words last written")
{
    const struct pattern_pages *p = &t->d->selftest.pattern_pages;
    uint64_t i = pattern_pages_check(t->d), va = (uintptr_t)p->pages + i * PAGE_SIZE;

    if (!p->nr)
        test_skip(t, "boot argument pattern_pages=N is not given");
    if (i != p->nr)
        test_fail(t,
                  "pattern page %lu of %lu (address 0x%lx, PFN 0x%lx) has other words than those "
                  "written, expected the pattern of generation %lu",
                  i, p->nr, va, m2p_get(&t->d->host.m2p, pt_mfn(&t->d->pt, va)).v, p->generation);
}
