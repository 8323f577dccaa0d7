/* SPDX-License-Identifier: MIT */
/*
 * The machine-to-physical table (M2P): read-only for a guest, except for entries of its own frames.
 *
 * The M2P is one table for the whole host, and Xen maps it into every PV guest. Without these tests
 * a guest could give a frame a wrong PFN in the eyes of Xen's tools or of another guest. The table
 * must be read-only, an access to one of its holes must cause a page fault and no more, and
 * MMU_MACHPHYS_UPDATE must accept only frames of the calling domain (<xen/xen.h>: "Updates an entry
 * in the machine->pseudo-physical mapping table").
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/abi_room.h"

/* Number of M2P entries in a 2 MiB page of the table. */
#define MFNS_PER_2M (level_bytes(2) / sizeof(uint64_t))
#define MAX_LOOKS   4096
#define NR_BATCH    5

TEST(abi_m2p_readonly,
     "a PV guest may not write to the M2P that Xen maps into it (MACH2PHYS_VIRT_START)")
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t step = max_u64(MFNS_PER_2M, m2p->nr / MAX_LOOKS), nr_readable = 0, value;
    /* a few pages more than Xen uses, within what the header reserves for the table */
    uint64_t end = min_u64(ROUND_UP(m2p->nr, MFNS_PER_2M) + 4 * step, MACH2PHYS_NR_ENTRIES);

    for (uint64_t mfn = 0; mfn < end; mfn += step) {
        uint64_t *entry = (uint64_t *)&m2p->table[mfn];

        CHECK_RC(probe_write(entry, 0), -EFAULT, "write to the M2P entry of MFN 0x%lx at %p", mfn,
                 (void *)entry);
        nr_readable += probe_read(entry, &value) == 0;
    }
    CHECK(nr_readable,
          "number of readable M2P entries in MFNs [0, 0x%lx) is 0, expected at least 1", end);
}

TEST(abi_m2p_end, "a read past the end of the M2P causes a page fault")
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t mfn = ROUND_UP(m2p->nr, MFNS_PER_2M), value;

    CHECK_RC(probe_read(&m2p->table[mfn], &value), -EFAULT,
             "read of the M2P entry of MFN 0x%lx at %p (the M2P ends at MFN 0x%lx)", mfn,
             (const void *)&m2p->table[mfn], m2p->nr);
}

/*
 * Xen must refuse a PFN for @mfn, and leave its M2P entry as it is. (abi_partial tries an MFN past
 * the last one of the host.)
 */
static void try_frame(struct test *t, mfn_t mfn, const char *what)
{
    const struct m2p *m2p = &t->d->host.m2p;
    struct mmu_update req = m2p_update(mfn, 0x1234);
    uint64_t before = INVALID_ENTRY, after = INVALID_ENTRY;
    bool listed = mfn.v < m2p->nr && probe_read(&m2p->table[mfn.v], &before) == 0;

    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF), -EINVAL,
             "MMU_MACHPHYS_UPDATE of MFN 0x%lx (%s)", mfn.v, what);
    if (listed && !probe_read(&m2p->table[mfn.v], &after))
        CHECK_EQ(after, before, "after MMU_MACHPHYS_UPDATE: M2P entry of MFN 0x%lx (%s)", mfn.v,
                 what);
}

TEST(abi_m2p_owner,
     "MMU_MACHPHYS_UPDATE of a frame that this domain does not own fails with EINVAL")
{
    mfn_t mfn = foreign_frame(t->d, to_mfn(0));

    if (mfn_eq(mfn, INVALID_MFN))
        try_frame(t, xen_frame(t->d), "a page table of Xen");
    else
        try_frame(t, mfn, "a frame of another domain");
}

/* Writes @pfn[i] to the M2P entry of frame i, by one hypercall. */
static void write_batch(struct test *t, const struct spot *s, unsigned int nr, const uint64_t *pfn)
{
    struct mmu_update req[NR_BATCH];
    unsigned int done = 0;

    for (unsigned int i = 0; i < nr; i++)
        req[i] = m2p_update(s[i].mfn, pfn[i]);
    CHECK_RC(HYPERVISOR_mmu_update(req, nr, &done, DOMID_SELF), 0, "mmu_update of %u M2P entries",
             nr);
    CHECK_EQ(done, nr, "*pdone after mmu_update of %u M2P entries", nr);
}

TEST_RULE(abi_m2p_batch,
          "mmu_update writes each M2P entry of a batch: the first, the middle, the last")
{
    uint64_t own[NR_BATCH], other[NR_BATCH];
    struct spot s[NR_BATCH];
    struct room r;

    if (!room_open(&r, t, NR_BATCH + 8))
        return;
    for (unsigned int i = 0; i < NR_BATCH; i++) {
        s[i] = room_spot(&r);
        own[i] = m2p_get(&t->d->host.m2p, s[i].mfn).v;
        other[i] = 0x12300 + i;
    }
    for (unsigned int nr = 1; nr <= NR_BATCH; nr++) {
        write_batch(t, s, nr, other);
        for (unsigned int i = 0; i < NR_BATCH; i++)
            CHECK_EQ(
                m2p_get(&t->d->host.m2p, s[i].mfn).v, i < nr ? other[i] : own[i],
                "after mmu_update of M2P entries 0 to %u of a list: M2P entry %u, of MFN 0x%lx",
                nr - 1, i, s[i].mfn.v);
        write_batch(t, s, nr, own);
        for (unsigned int i = 0; i < NR_BATCH; i++)
            CHECK_EQ(
                m2p_get(&t->d->host.m2p, s[i].mfn).v, own[i],
                "after mmu_update of %u M2P entries to their old values: M2P entry of MFN 0x%lx",
                nr, s[i].mfn.v);
    }
    for (unsigned int i = 0; i < NR_BATCH; i++)
        room_drop(&r, s[i]);
    room_close(&r);
}
