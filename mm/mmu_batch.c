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
