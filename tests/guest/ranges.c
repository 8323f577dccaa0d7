/* SPDX-License-Identifier: MIT */
/*
 * Without this a PFN could answer with the wrong kind of frame: memory of ours where the machine
 * has a device, or the machine's where we have memory. Each range is asked at its first and last
 * PFN and at the neighbours of both; a hole's PFNs must hold nothing in the list itself, since
 * the tools would take an entry there for memory.
 */
#include "kernel/selftest/test.h"

static void check_pfn(struct test *t, uint64_t pfn)
{
    const struct p2m *p2m = &t->d->p2m;
    enum range_kind kind = ranges_find(&p2m->ranges, pfn).kind;
    mfn_t mfn = p2m_get(p2m, to_pfn(pfn)), ram = p2m_get_ram(p2m, to_pfn(pfn));

    if (kind != RANGE_RAM)
        CHECK(mfn_eq(ram, INVALID_MFN), "PFN 0x%lx is %s, its list entry 0x%lx, expected ~0", pfn,
              range_kind_name(kind), ram.v);
    if (kind == RANGE_IDENTITY)
        CHECK(mfn.v == pfn, "PFN 0x%lx is identity and answers 0x%lx, expected itself", pfn, mfn.v);
    if (kind == RANGE_MISSING)
        CHECK(mfn_eq(mfn, INVALID_MFN), "PFN 0x%lx is missing and answers 0x%lx, expected ~0", pfn,
              mfn.v);
    if (kind == RANGE_RAM)
        CHECK(mfn_eq(mfn, ram), "PFN 0x%lx is RAM and answers 0x%lx, its entry is 0x%lx", pfn,
              mfn.v, ram.v);
}

static void check_edge(struct test *t, uint64_t edge)
{
    if (edge)
        check_pfn(t, edge - 1);
    check_pfn(t, edge);
}

TEST(ranges, "identity PFNs answer with themselves, missing ones with ~0, at every range's edges")
{
    const struct ranges *r = &t->d->p2m.ranges;

    CHECK(r->nr && r->r[0].start == 0, "the ranges do not begin at PFN 0");
    for (size_t i = 0; i < r->nr; i++) {
        CHECK(r->r[i].start < r->r[i].end, "range %lu is [0x%lx, 0x%lx)", i, r->r[i].start,
              r->r[i].end);
        CHECK(!i || r->r[i].start == r->r[i - 1].end, "range %lu begins at 0x%lx, expected 0x%lx",
              i, r->r[i].start, r->r[i ? i - 1 : 0].end);
        check_edge(t, r->r[i].start);
        check_edge(t, r->r[i].start + 1);
        check_edge(t, r->r[i].end);
        check_edge(t, r->r[i].end + 1);
    }
    check_edge(t, t->d->p2m.nr);
}
