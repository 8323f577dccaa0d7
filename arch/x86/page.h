/* SPDX-License-Identifier: MIT */
/*
 * Pages and the two ways to number them.
 *
 * A PFN is the guest's number of a page, an MFN the machine's. To confuse them is the classic bug
 * of PV kernels, and one that a lucky host hides; so they are boxed, in every build, and the
 * compiler refuses to mix them.
 */
#ifndef ARCH_X86_PAGE_H
#define ARCH_X86_PAGE_H

#include "lib/types.h"

#include "arch/x86/layout.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  ((uint64_t)1 << PAGE_SHIFT)

#define MFN_BITS   (PADDR_BITS - PAGE_SHIFT)

typedef struct {
    uint64_t v;
} pfn_t;

typedef struct {
    uint64_t v;
} mfn_t;

/* "No frame": what Xen's tools expect in a P2M entry that holds none. Of the M2P as well. */
#define INVALID_ENTRY (~(uint64_t)0)
#define INVALID_MFN   ((mfn_t){INVALID_ENTRY})

static inline pfn_t to_pfn(uint64_t v)
{
    return (pfn_t){v};
}

static inline mfn_t to_mfn(uint64_t v)
{
    return (mfn_t){v};
}

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.v == b.v;
}

static inline bool mfn_valid(mfn_t m)
{
    return m.v >> MFN_BITS == 0;
}

/* Machine and pseudo-physical addresses, in bytes, of a frame's first byte. */
static inline uint64_t mfn_to_maddr(mfn_t m)
{
    return m.v << PAGE_SHIFT;
}

static inline mfn_t maddr_to_mfn(uint64_t maddr)
{
    return (mfn_t){maddr >> PAGE_SHIFT};
}

#endif
