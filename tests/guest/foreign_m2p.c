/* SPDX-License-Identifier: MIT */
/*
 * Without foreign_m2p, a foreign page could be mistaken for the page of this domain that has the
 * same PFN. Xen's M2P names, for a frame of another domain, the PFN in that domain. Linux once kept
 * a table of such frames ("m2p override", removed in about 4.0). This kernel never looks up a
 * foreign frame in the M2P, so a wrong M2P entry must change nothing: the test writes one.
 *
 * Without m2p_holes and m2p_end, a lookup could fault. The M2P has holes where the machine has no
 * RAM, and it ends; a device's MFN may lie in either. (Mini-OS asked its memory map first:
 * mfn_is_ram(), removed by its commit 113abd7 since it failed above 4 GiB.)
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#define LAPIC       0xfee00
#define MFNS_PER_2M (level_bytes(2) / sizeof(uint64_t))
#define MAX_LOOKS   4096

static void set_m2p(struct test *t, mfn_t mfn, pfn_t pfn)
{
    struct mmu_update req = {.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = pfn.v};

    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF), 0,
             "mmu_update MMU_MACHPHYS_UPDATE of MFN 0x%lx to PFN 0x%lx", mfn.v, pfn.v);
}

/* The granted page is mapped at page 0 of the range; @pfn is its unpopulated PFN, if it has one. */
static void check_mapping(struct self_grant *g, mfn_t mfn, bool has_pfn, pfn_t pfn)
{
    struct test *t = g->fr.room.t;

    foreign_room_check_pte(&g->fr, g->r, 0, mfn, 0, 0);
    foreign_room_check_word(&g->fr, g->r, 0, 0, GRANTER_WORD);
    if (has_pfn)
        CHECK_EQ((uintptr_t)unpopulated_page(&t->d->unpopulated, pfn), foreign_va(g->r, 0),
                 "unpopulated_page(PFN 0x%lx), the address of the grant mapping with that PFN,",
                 pfn.v);
}

TEST(foreign_m2p,
     "grant_map and unpopulated_page ignore the M2P: a wrong M2P entry changes nothing")
{
    struct self_grant g;
    uint64_t *other, start = 0;
    pfn_t pfn;
    mfn_t mfn;
    int rc;

    if (!self_grant_open(&g, t, 1))
        return;
    other = room_alloc(&g.fr.room, 1);
    g.page[0] = GRANTER_WORD, other[0] = ~(uint64_t)GRANTER_WORD;
    pfn = foreign_room_pfn(&g.fr, g.page), mfn = pt_mfn(&g.fr.room.pt, (uintptr_t)g.page);

    /* as for a frame of another domain, which has the PFN of @other there */
    set_m2p(t, mfn, foreign_room_pfn(&g.fr, other));
    rc = unpopulated_alloc(&t->d->unpopulated, g.r, &start);
    if (rc != -ENOSPC)
        CHECK_RC(rc, 0, "unpopulated_alloc of a PFN for a foreign range of 1 page");
    if (foreign_room_map(&g.fr, g.r, 0, g.ref, false)) {
        check_mapping(&g, mfn, !rc, to_pfn(start));
        foreign_room_unmap(&g.fr, g.r, 0, 1);
    }
    foreign_room_check_empty(&g.fr, g.r, 0);
    if (!rc)
        CHECK_RC(unpopulated_free(&t->d->unpopulated, start), 0, "unpopulated_free of PFN 0x%lx",
                 start);
    set_m2p(t, mfn, pfn);

    room_free(&g.fr.room, other, 1);
    self_grant_close(&g);
}

static void check_no_pfn(struct test *t, uint64_t mfn, const char *what)
{
    CHECK_EQ(m2p_get(&t->d->host.m2p, to_mfn(mfn)).v, INVALID_ENTRY,
             "PFN (~0: none) returned by m2p_get for MFN 0x%lx, %s,", mfn, what);
}

TEST(m2p_holes, "m2p_get returns no PFN for an MFN in a hole of the M2P")
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t step = max_u64(MFNS_PER_2M, ROUND_UP(m2p->nr / MAX_LOOKS, MFNS_PER_2M)), value;
    pfn_t lapic = m2p_get(m2p, to_mfn(LAPIC));

    for (uint64_t mfn = 0; mfn < m2p->nr; mfn += step) {
        uint64_t end = min_u64(mfn + MFNS_PER_2M, m2p->nr);

        if (probe_read(&m2p->table[mfn], &value) == 0)
            continue;
        check_no_pfn(t, mfn, "the first MFN of an M2P hole");
        check_no_pfn(t, end - 1, "an MFN in an M2P hole");
    }
    /* Xen fills entries of MFNs that are not RAM, where the M2P has them, with a pattern. */
    CHECK(lapic.v == INVALID_ENTRY || !mfn_eq(p2m_get_ram(&t->d->p2m, lapic), to_mfn(LAPIC)) ||
              boot_info_is_shim(&t->d->boot),
          "m2p_get of MFN 0x%x, the local APIC, is PFN 0x%lx of this domain, expected no PFN",
          LAPIC, lapic.v);
}

TEST(m2p_end, "m2p_get returns no PFN for an MFN past the end of the M2P")
{
    const struct m2p *m2p = &t->d->host.m2p;
    pfn_t last = m2p_get(m2p, to_mfn(m2p->nr - 1));
    uint64_t value;

    check_no_pfn(t, m2p->nr, "the first MFN past the M2P");
    check_no_pfn(t, ((uint64_t)1 << MFN_BITS) - 1, "the largest MFN that a PTE can hold");
    check_no_pfn(t, INVALID_ENTRY, "INVALID_MFN");
    if (last.v != INVALID_ENTRY)
        CHECK_RC(probe_read(&m2p->table[m2p->nr - 1], &value), 0,
                 "read of the last M2P entry (MFN 0x%lx), for which m2p_get returned PFN 0x%lx",
                 m2p->nr - 1, last.v);
}
