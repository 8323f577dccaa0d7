/* SPDX-License-Identifier: MIT */
/* The ways by which a guest changes an L1 entry and flushes TLBs: UVMF_* and MMUEXT_* of
 * <xen/xen.h>. */
#ifndef TESTS_GUEST_MMU_TLB_FLUSH_H
#define TESTS_GUEST_MMU_TLB_FLUSH_H

#include "lib/types.h"

struct tlb_flush {
    const char *name;
    unsigned long uvmf; /* of update_va_mapping; UVMF_NONE: an mmuext_op flushes afterwards */
    unsigned int cmd;   /* of this mmuext_op                                               */
    bool has_mask;      /* flushes the vCPUs of a mask                                     */
    uint64_t also;      /* vCPUs that are flushed besides those of the caller's mask       */
    bool is_local;      /* flushes only the vCPU that calls                                */
    bool is_invlpg;     /* flushes one address, not all                                    */
};

#define NR_TLB_FLUSHES 16

extern const struct tlb_flush tlb_flushes[NR_TLB_FLUSHES];

/*
 * Sets the L1 entry of @va to @pte, and flushes by @f; *@mask has bit n for vCPU n. By one or two
 * hypercalls, or by one multicall. Returns 0 or Xen's negative errno.
 */
long tlb_flush_change(const struct tlb_flush *f, uintptr_t va, uint64_t pte, const uint64_t *mask);
long tlb_flush_multicall(const struct tlb_flush *f, uintptr_t va, uint64_t pte,
                         const uint64_t *mask);

#endif
