/* SPDX-License-Identifier: MIT */
/*
 * Many mmu_updates by few hypercalls. A hypercall costs Xen some 400 ticks before the first
 * update and 180 for each, so 512 at a time are within 1 % of any larger number.
 */
#ifndef MM_MMU_BATCH_H
#define MM_MMU_BATCH_H

#include "arch/x86/hypercall.h"
#include "arch/x86/page.h"

#define MMU_BATCH 512

struct mmu_batch {
    struct mmu_update req[MMU_BATCH];
    unsigned int nr;
    uint64_t nr_updates, nr_hypercalls; /* over its life */
};

/*
 * Carries out what is queued. Returns 0, or Xen's negative errno for one of the updates: those
 * before it were carried out, those behind it are forgotten.
 */
int mmu_batch_flush(struct mmu_batch *b) __must_check;

/*
 * Queues "machine frame @mfn has PFN @pfn" for the M2P; a full batch is carried out first, with
 * what mmu_batch_flush says for a result. Inlined, for this is done for each renumbered frame.
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
