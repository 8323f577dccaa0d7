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
 * Queues "machine frame @mfn has PFN @pfn" for the M2P; a full batch is carried out first. Returns
 * 0, or Xen's negative errno for one of the queued updates; those before it were carried out.
 */
int mmu_batch_m2p(struct mmu_batch *b, mfn_t mfn, pfn_t pfn) __must_check;

/* Queues "entry @index of table @table is @pte". As above. */
int mmu_batch_pte(struct mmu_batch *b, mfn_t table, unsigned int index, uint64_t pte) __must_check;

/* Carries out what is queued. */
int mmu_batch_flush(struct mmu_batch *b) __must_check;

#endif
