/* SPDX-License-Identifier: MIT */
#include "mm/mmu_batch.h"

int mmu_batch_flush(struct mmu_batch *b)
{
    long rc;

    if (!b->nr)
        return 0;
    rc = HYPERVISOR_mmu_update(b->req, b->nr, NULL, DOMID_SELF);
    b->nr_updates += b->nr;
    b->nr_hypercalls++;
    b->nr = 0;
    return (int)rc;
}

static int queue(struct mmu_batch *b, uint64_t ptr, uint64_t val)
{
    int rc = b->nr == MMU_BATCH ? mmu_batch_flush(b) : 0;

    b->req[b->nr++] = (struct mmu_update){.ptr = ptr, .val = val};
    return rc;
}

int mmu_batch_m2p(struct mmu_batch *b, mfn_t mfn, pfn_t pfn)
{
    return queue(b, mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, pfn.v);
}

int mmu_batch_pte(struct mmu_batch *b, mfn_t table, unsigned int index, uint64_t pte)
{
    return queue(b, (mfn_to_maddr(table) + index * sizeof(uint64_t)) | MMU_NORMAL_PT_UPDATE, pte);
}
