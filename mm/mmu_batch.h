/* SPDX-License-Identifier: MIT */
/*
 * Batches of M2P updates: many updates in few mmu_update hypercalls (<xen/xen.h>). A hypercall
 * costs about 400 TSC ticks, and each update in it about 180. So a batch of 512 updates costs at
 * most 1 % more than one of any larger size.
 */
#ifndef MM_MMU_BATCH_H
#define MM_MMU_BATCH_H

#include "arch/x86/hypercall.h"
#include "arch/x86/page.h"

#define MMU_BATCH 512

struct mmu_batch {
    struct mmu_update req[MMU_BATCH];
    unsigned int nr;
    uint64_t nr_updates, nr_hypercalls; /* since the batch was made */
};

/*
 * Carries out the queued updates, and empties the queue. Returns 0 or Xen's negative errno. After
 * an error the updates before the failed one were carried out, and those behind it are lost.
 */
int mmu_batch_flush(struct mmu_batch *b) __must_check;

/*
 * Queues the update that sets the M2P entry of @mfn to @pfn. A full batch is carried out before:
 * the result is that of mmu_batch_flush. Inlined, because it is called for every renumbered frame.
 */
static inline int __must_check mmu_batch_m2p(struct mmu_batch *b, mfn_t mfn, pfn_t pfn)
{
    int rc = b->nr == MMU_BATCH ? mmu_batch_flush(b) : 0;

    b->req[b->nr].ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE;
    b->req[b->nr].val = pfn.v;
    b->nr++;
    return rc;
}

#endif
