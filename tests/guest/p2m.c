/* SPDX-License-Identifier: MIT */
/*
 * Without this test, the P2M list could lose a frame, name it twice, or name it at another PFN than
 * Xen's M2P does. A save would then fail, or the restored guest would have one page in the place of
 * another. The M2P entry of each frame in the list must be the PFN of its P2M entry, so no frame is
 * in the list twice; and the list must have as many frames as Xen counts for this domain
 * (XENMEM_current_reservation of <xen/memory.h>).
 */
#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

static void check_entry(struct test *t, uint64_t pfn, mfn_t mfn)
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t back = INVALID_ENTRY;

    if (!mfn_valid(mfn) || mfn.v >= m2p->nr)
        test_fail(t,
                  "P2M entry of PFN 0x%lx is 0x%lx, expected ~0 or an MFN below 0x%lx (M2P size)",
                  pfn, mfn.v, m2p->nr);
    else if (probe_read(&m2p->table[mfn.v], &back))
        test_fail(t,
                  "P2M entry of PFN 0x%lx is MFN 0x%lx, whose M2P entry is not mapped, expected an "
                  "MFN of RAM",
                  pfn, mfn.v);
    else if (back != pfn)
        test_fail(t,
                  "P2M entry of PFN 0x%lx is MFN 0x%lx, whose M2P entry is 0x%lx, expected 0x%lx",
                  pfn, mfn.v, back, pfn);
}

TEST(p2m, "m2p[p2m[pfn]] == pfn for every frame of this domain")
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
    CHECK(nr_frames == host_current_pages(),
          "P2M list has 0x%lx frames, expected 0x%lx, the XENMEM_current_reservation", nr_frames,
          host_current_pages());
    CHECK(nr_frames == t->d->balloon.nr_pages,
          "P2M list has 0x%lx frames, expected 0x%lx, the size that the balloon has recorded",
          nr_frames, t->d->balloon.nr_pages);
}
