/* SPDX-License-Identifier: MIT */
/*
 * The P2M: which machine frame each PFN has.
 *
 * The list is one array in virtual memory, indexed by PFN. An entry is an MFN that this domain
 * owns, or ~0: Xen's tools know nothing else, and restore either as it was. What a ~0 means stands
 * in the ranges beside the list (range.h), where no tool overwrites it.
 *
 *      list  [ 0x5a00 | 0x5a01 | ... | ~0 | ~0 | ... | 0x77f2 | ~0 ]
 *      ranges  RAM                    | IDENTITY     | RAM          | beyond
 *      p2m_get   0x5a00  0x5a01          pfn   pfn      0x77f2  none   pfn (dom0), none (domU)
 *
 * First the list is the builder's, with entries for [0, nr_pages) only; revector.c replaces it.
 */
#ifndef MM_P2M_H
#define MM_P2M_H

#include "mm/range.h"

#include "arch/x86/page.h"

#define P2M_PER_PAGE   (PAGE_SIZE / sizeof(uint64_t))
#define P2M_PAGE_SHIFT 9 /* PFNs to leaves */

struct p2m {
    uint64_t *list;
    uint64_t nr; /* entries that exist; a multiple of P2M_PER_PAGE once the list is ours */
    struct ranges ranges;
};

/* The other direction, kept by Xen for the whole machine and readable by every domain. */
struct m2p {
    const uint64_t *table;
    uint64_t nr; /* MFNs that can be looked up; between them there may be holes that fault */
};

/* What @pfn is when the list holds no frame for it: itself in an identity range, or nothing. */
mfn_t p2m_get_absent(const struct p2m *p2m, pfn_t pfn) __attribute__((pure, cold));

/* The machine frame to use for @pfn, or INVALID_MFN. The hot path: a bound, a load, a compare. */
static inline mfn_t p2m_get(const struct p2m *p2m, pfn_t pfn)
{
    const volatile uint64_t *list = p2m->list;

    if (pfn.v < p2m->nr) {
        uint64_t entry = list[pfn.v];

        if (entry != INVALID_ENTRY)
            return to_mfn(entry);
    }
    return p2m_get_absent(p2m, pfn);
}

/* The frame of ours that @pfn has, or INVALID_MFN: never an identity. */
static inline mfn_t p2m_get_ram(const struct p2m *p2m, pfn_t pfn)
{
    return to_mfn(pfn.v < p2m->nr ? *(const volatile uint64_t *)&p2m->list[pfn.v] : INVALID_ENTRY);
}

/*
 * Gives @pfn the frame @mfn, or takes it away (INVALID_MFN), by one 64-bit store, which is what
 * <xen/arch-x86/xen.h> asks for since the tools may be reading. Returns -ERANGE past the list,
 * -EINVAL for a PFN that is not RAM or an MFN wider than a page-table entry holds. The M2P and
 * mappings are the caller's to keep in step.
 */
int p2m_set(struct p2m *p2m, pfn_t pfn, mfn_t mfn) __must_check;

/*
 * The PFN of a frame that this domain owns, as Xen has it; INVALID_ENTRY where the M2P has a hole,
 * in which a read would fault, or nothing. Not for foreign frames: the answer is their owner's.
 */
pfn_t m2p_get(const struct m2p *m2p, mfn_t mfn);

#endif
