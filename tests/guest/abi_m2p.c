/* SPDX-License-Identifier: MIT */
/*
 * Without these a guest could tell Xen's tools, or another guest, that a frame is another page than
 * it is: the M2P is one table for the whole machine, mapped into every guest. It may be read only,
 * its holes must be a page fault and no more, and only the owner of a frame may give it a number
 * (<xen/xen.h>, MMU_MACHPHYS_UPDATE: "Updates an entry in the machine->pseudo-physical mapping
 * table").
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/abi_room.h"

/* MFNs that a page of the M2P is about, if it is one of 2 MiB. */
#define MFNS_PER_2M (level_bytes(2) / sizeof(uint64_t))
#define MAX_LOOKS   4096

TEST(abi_m2p_readonly, "the M2P can be read and not written, and past its end is a page fault")
{
    const struct m2p *m2p = &t->d->host.m2p;
    uint64_t step = max_u64(MFNS_PER_2M, m2p->nr / MAX_LOOKS), nr_there = 0, value;
    /* all of the area that the header gives to it, as far as what is in use reaches, and more */
    uint64_t end = min_u64(ROUND_UP(m2p->nr, MFNS_PER_2M) + 4 * step, MACH2PHYS_NR_ENTRIES);

    for (uint64_t mfn = 0; mfn < end; mfn += step) {
        uint64_t *entry = (uint64_t *)&m2p->table[mfn];

        CHECK(probe_write(entry, 0) == -EFAULT, "the M2P's entry 0x%lx can be written", mfn);
        nr_there += probe_read(entry, &value) == 0;
    }
    CHECK(nr_there, "no entry of the M2P can be read");
    CHECK(probe_read(&m2p->table[ROUND_UP(m2p->nr, MFNS_PER_2M)], &value) == -EFAULT,
          "the M2P can be read past its end, which is MFN 0x%lx", m2p->nr);
}

/* By an entry for each @mfn: Xen has to refuse, and the M2P to stay. */
static void try_frame(struct test *t, mfn_t mfn, const char *what)
{
    const struct m2p *m2p = &t->d->host.m2p;
    struct mmu_update req = {.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = 0x1234};
    uint64_t before = INVALID_ENTRY, after = INVALID_ENTRY;
    bool listed = mfn.v < m2p->nr && probe_read(&m2p->table[mfn.v], &before) == 0;

    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF), -EINVAL, "a PFN for %s, 0x%lx", what,
             mfn.v);
    if (listed && !probe_read(&m2p->table[mfn.v], &after))
        CHECK(before == after, "%s, 0x%lx, had PFN 0x%lx, and now 0x%lx", what, mfn.v, before,
              after);
}

TEST(abi_m2p_owner, "no PFN can be given to a frame that is not ours")
{
    mfn_t mfn = to_mfn(0);

    try_frame(t, xen_frame(t->d), "a frame of Xen's");
    try_frame(t, to_mfn(0), "frame 0");
    try_frame(t, to_mfn(t->d->host.max_mfn + 1), "the frame past the last one");
    try_frame(t, to_mfn(((uint64_t)1 << MFN_BITS) - 1), "the last that an entry can name");
    for (unsigned int i = 0; i < 16; i++, mfn.v++) {
        mfn = foreign_frame(t->d, mfn);
        if (mfn_eq(mfn, INVALID_MFN))
            break;
        try_frame(t, mfn, "somebody's frame");
    }
}
