/* SPDX-License-Identifier: MIT */
/*
 * Without this a frame could be lost, be listed twice, or be known to Xen by another number than
 * to us: a save would then fail, or restore a page in another page's place. Every entry of the
 * list is looked at; each frame's PFN by Xen must be the one that it stands at, which also means
 * that no frame stands at two.
 */
#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

static void check_entry(struct test *t, uint64_t pfn, mfn_t mfn)
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t back = INVALID_ENTRY;

    if (!mfn_valid(mfn) || mfn.v >= m2p->nr)
        test_fail(t, "p2m[0x%lx] is 0x%lx, expected ~0 or less than 0x%lx", pfn, mfn.v, m2p->nr);
    else if (probe_read(&m2p->table[mfn.v], &back))
        test_fail(t, "p2m[0x%lx] is 0x%lx, of which the M2P knows nothing", pfn, mfn.v);
    else if (back != pfn)
        test_fail(t, "p2m[0x%lx] is 0x%lx, whose PFN is 0x%lx by the M2P", pfn, mfn.v, back);
}

TEST(p2m, "m2p[p2m[pfn]] == pfn for every PFN that has a frame, and they are all we own")
{
    const struct p2m *p2m = &t->d->p2m;
    uint64_t nr_frames = 0;
    struct sweep s;

    test_sweep(t, &s, p2m->nr, 0, "PFNs");
    for (uint64_t pfn = sweep_next(&s, 0); pfn < p2m->nr; pfn = sweep_next(&s, pfn + 1)) {
        mfn_t mfn = p2m_get_ram(p2m, to_pfn(pfn));

        if (mfn_eq(mfn, INVALID_MFN))
            continue;
        check_entry(t, pfn, mfn);
        nr_frames++;
    }
    if (s.sampled)
        return;
    CHECK(nr_frames == host_current_pages(), "the list has 0x%lx frames, Xen counts 0x%lx",
          nr_frames, host_current_pages());
    CHECK(nr_frames == t->d->balloon.nr_pages,
          "the list has 0x%lx frames, by our count it is 0x%lx", nr_frames, t->d->balloon.nr_pages);
}
