/* SPDX-License-Identifier: MIT */
/*
 * Without these a foreign page could be taken for the page of ours that has its owner's PFN. Linux
 * once kept a table of such exceptions ("m2p override", gone since about 4.0). Here the M2P is not
 * asked about what is in the window; so it may as well lie, which is how that is seen.
 *
 * And where the M2P has a hole, or ends, a read faults: Mini-OS had a check by the memory map in
 * its place (mfn_is_ram(), removed by its commit 113abd7 since it failed above 4 GiB). The answer
 * must be "no PFN", from frame numbers that any device's mapping may bring along.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#define LAPIC       0xfee00
#define MFNS_PER_2M (level_bytes(2) / sizeof(uint64_t))
#define MAX_LOOKS   4096

#define LENT        0x6c656e74

static int set_m2p(mfn_t mfn, pfn_t pfn)
{
    struct mmu_update req = {.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = pfn.v};

    return (int)HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF);
}

TEST(foreign_m2p, "the window asks no M2P: what it shows is right where the M2P is wrong")
{
    struct foreign_room s;
    struct foreign_range *r;
    uint64_t *page, *other, start = 0;
    int16_t status;
    uint32_t ref;
    pfn_t pfn;
    mfn_t mfn;
    int rc;

    if (!share_open_maps(&s, t, 24))
        return;
    page = room_alloc(&s.room, 1);
    other = room_alloc(&s.room, 1);
    page[0] = LENT, other[0] = ~(uint64_t)LENT;
    r = share_range(&s, FOREIGN_GRANT, s.self, 1);
    ref = share_grant(&s, page, false);
    pfn = share_pfn(&s, page), mfn = pt_mfn(&s.room.pt, (uintptr_t)page);

    /* as if its owner were somebody else, who has this PFN for it */
    CHECK(!set_m2p(mfn, share_pfn(&s, other)), "the M2P cannot be changed");
    rc = unpopulated_alloc(&t->d->unpopulated, r, &start);
    CHECK(!rc || rc == -ENOSPC, "no unpopulated PFN: %d (%s)", rc, errno_name(rc));
    CHECK(!grant_map(r, 0, &ref, &status, 1, false), "it cannot be mapped: %s",
          grant_status_name(status));
    if (foreign_is_mapped(r, 0)) {
        CHECK(mfn_eq(pte_mfn(share_pte(&s, r, 0)), mfn) && share_page(r, 0)[0] == LENT,
              "another page is mapped");
        CHECK(rc || (const uint64_t *)unpopulated_page(&t->d->unpopulated, to_pfn(start)) ==
                        share_page(r, 0),
              "its PFN leads elsewhere");
        CHECK(!grant_unmap(r, 0, 1), "it cannot be unmapped");
    }
    share_check_empty(&s, r, 0);
    CHECK(rc || !unpopulated_free(&t->d->unpopulated, start),
          "the unpopulated PFN cannot be given back");
    CHECK(!set_m2p(mfn, pfn), "the M2P cannot be changed back");

    share_end(&s, ref);
    share_drop(&s, r);
    room_free(&s.room, other, 1);
    room_free(&s.room, page, 1);
    share_close(&s);
}

/* The M2P, asked about @mfn, has no PFN for it. */
static void check_none(struct test *t, uint64_t mfn, const char *what)
{
    pfn_t pfn = m2p_get(&t->d->host.m2p, to_mfn(mfn));

    CHECK(pfn.v == INVALID_ENTRY, "the M2P has PFN 0x%lx for %s, 0x%lx", pfn.v, what, mfn);
}

TEST(m2p_holes, "the M2P, asked about a hole or past its end, says that there is no PFN")
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t step = max_u64(MFNS_PER_2M, ROUND_UP(m2p->nr / MAX_LOOKS, MFNS_PER_2M)), value;
    pfn_t lapic = m2p_get(m2p, to_mfn(LAPIC)), last = m2p_get(m2p, to_mfn(m2p->nr - 1));

    check_none(t, m2p->nr, "the frame past the last one");
    check_none(t, ((uint64_t)1 << MFN_BITS) - 1, "the last that an entry can name");
    check_none(t, INVALID_ENTRY, "no frame");
    for (uint64_t mfn = 0; mfn < m2p->nr; mfn += step) {
        uint64_t end = min_u64(mfn + MFNS_PER_2M, m2p->nr);

        if (probe_read(&m2p->table[mfn], &value) == 0)
            continue;
        check_none(t, mfn, "the first frame of a hole");
        check_none(t, end - 1, "a frame in a hole");
    }
    /* where the table has room for what is no RAM, Xen fills it with a pattern */
    CHECK(lapic.v == INVALID_ENTRY || !mfn_eq(p2m_get_ram(&t->d->p2m, lapic), to_mfn(LAPIC)) ||
              boot_info_is_shim(&t->d->boot),
          "the interrupt controller's frame 0x%x is our PFN 0x%lx", LAPIC, lapic.v);
    CHECK(last.v == INVALID_ENTRY || probe_read(&m2p->table[m2p->nr - 1], &value) == 0,
          "the last frame has PFN 0x%lx, and its entry cannot be read", last.v);
}
