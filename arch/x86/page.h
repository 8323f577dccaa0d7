/* SPDX-License-Identifier: MIT */
/*
 * Pages, and the numbers of pages.
 *
 *   MFN  machine frame number: a page of the machine's memory. Page tables and grants use MFNs.
 *   PFN  pseudo-physical frame number: a page of this domain, counted from 0 without regard to
 *        where the page lies in the machine. A save, restore or migration keeps PFNs and changes
 *        MFNs.
 *   GFN  guest frame number: Xen's name for the number that a guest uses for a page. In a PV guest
 *        the GFN is the MFN; in an HVM guest it is the PFN. Xen's headers say GFN where a PV guest
 *        must give an MFN.
 *   P2M  the table PFN -> MFN. A PV guest keeps its own (mm/p2m.h), and Xen's tools read it.
 *   M2P  the table MFN -> PFN, for the whole machine. Xen keeps it; every PV guest may read it.
 *        The owner of a frame may write its entry, by mmu_update with MMU_MACHPHYS_UPDATE.
 *
 *              P2M                            Example: PFN 0x234 has MFN 0x5c34 (see mm/p2m.h).
 *        PFN ------> MFN                        P2M[0x234]  = 0x5c34
 *            <------                            M2P[0x5c34] = 0x234
 *              M2P
 *
 * Each number has its own structure type, in every build, so that the compiler refuses an MFN where
 * a PFN is expected. On a host where PFN and MFN happen to be equal such an error shows no effect.
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

/* All bits set. Xen's tools use it for "no frame" in a P2M entry, Xen for "no PFN" in the M2P. */
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

/* Does @m fit a page-table entry? False for INVALID_MFN. */
static inline bool mfn_valid(mfn_t m)
{
    return m.v >> MFN_BITS == 0;
}

/* The machine address, in bytes, of the first byte of frame @m. */
static inline uint64_t mfn_to_maddr(mfn_t m)
{
    return m.v << PAGE_SHIFT;
}

/* The frame that the machine address @maddr lies in. */
static inline mfn_t maddr_to_mfn(uint64_t maddr)
{
    return (mfn_t){maddr >> PAGE_SHIFT};
}

#endif
