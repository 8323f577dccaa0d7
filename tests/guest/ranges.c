/* SPDX-License-Identifier: MIT */
/*
 * PFN ranges (mm/range.h) and p2m_get.
 *
 * Without these tests p2m_get could return a wrong kind of frame for a PFN: RAM of this domain
 * where the host has a device, or a frame of the host where this domain has RAM. The test calls
 * p2m_get for the first and last PFN of each range, and for the PFNs next to them. The P2M list
 * must hold ~0 for each PFN that is not RAM, since Xen's tools would take another entry for RAM.
 */
#include "kernel/selftest/test.h"

static void check_pfn(struct test *t, uint64_t pfn)
{
    const struct p2m *p2m = &t->d->p2m;
    enum range_kind kind = ranges_find(&p2m->ranges, pfn).kind;
    mfn_t mfn = p2m_get(p2m, to_pfn(pfn)), ram = p2m_get_ram(p2m, to_pfn(pfn));

    if (kind != RANGE_RAM)
        CHECK_EQ(ram.v, INVALID_ENTRY, "P2M entry of PFN 0x%lx (%s)", pfn, range_kind_name(kind));
    if (kind == RANGE_IDENTITY)
        CHECK_EQ(mfn.v, pfn, "p2m_get of PFN 0x%lx (identity)", pfn);
    if (kind == RANGE_MISSING)
        CHECK_EQ(mfn.v, INVALID_ENTRY, "p2m_get of PFN 0x%lx (missing)", pfn);
    if (kind == RANGE_RAM)
        CHECK_EQ(mfn.v, ram.v, "p2m_get of PFN 0x%lx (RAM), compared with its P2M entry,", pfn);
}

static void check_edge(struct test *t, uint64_t edge)
{
    if (edge)
        check_pfn(t, edge - 1);
    check_pfn(t, edge);
}

TEST(ranges, "p2m_get at PFN range edges is the P2M entry (RAM), the PFN (identity), ~0 (missing)")
{
    const struct ranges *r = &t->d->p2m.ranges;

    for (size_t i = 0; i < r->nr; i++) {
        check_edge(t, r->r[i].start);
        check_edge(t, r->r[i].start + 1);
        check_edge(t, r->r[i].end);
        check_edge(t, r->r[i].end + 1);
    }
    check_edge(t, t->d->p2m.nr);
}

TEST(ranges_order, "the kernel's PFN ranges begin at PFN 0 and leave no gap or overlap")
{
    const struct ranges *r = &t->d->p2m.ranges;
    uint64_t end = 0;

    CHECK(r->nr,
          "the kernel's table of PFN ranges (from the E820 map) has 0 ranges, expected at least 1");
    for (size_t i = 0; i < r->nr; i++) {
        CHECK_EQ(r->r[i].start, end, "first PFN of PFN range %lu of %lu", i, r->nr);
        CHECK(r->r[i].start < r->r[i].end, "PFN range %lu is [0x%lx, 0x%lx), expected not empty", i,
              r->r[i].start, r->r[i].end);
        end = r->r[i].end;
    }
}
