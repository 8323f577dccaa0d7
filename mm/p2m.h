/* SPDX-License-Identifier: MIT */
/*
 * The P2M: the machine frame (MFN) of each PFN. arch/x86/page.h explains PFN, MFN and M2P.
 *
 * The P2M list is one array in virtual memory, indexed by PFN. An entry is an MFN that this domain
 * owns, or ~0 for "no frame". Xen's tools know no other value. What a ~0 means is in the table of
 * ranges beside the list (range.h), which no tool overwrites.
 *
 *   leaf         one page of the P2M list: 512 (0x200) entries, for 2 MiB of PFNs
 *   hole         PFNs that the memory map does not describe as RAM: firmware, devices, gaps
 *   identity     a PFN in a hole of a dom0's map stands for the MFN of the same number. (Most
 *                domUs have no access to these frames; their PFNs are identity or missing.)
 *   unpopulated  a PFN without a frame of this domain that was given to a page of another domain
 *                or of a device (unpopulated.h)
 *
 * Worked example: a dom0 of 0x400 pages. The memory map has a hole at the PFNs [0x9f, 0x100), and
 * RAM up to PFN 0x1000. The builder, which ignores the map, gave PFN n the frame 0x5a00 + n. The 97
 * frames whose PFNs lay in the hole were renumbered (renumber.h) to the PFNs [0x400, 0x461). The
 * list has room up to the end of the leaf, 0x600 entries.
 *
 *   PFN    0        0x9f        0x100      0x200      0x400        0x461      0x600   0x1000
 *   leaf   |---------------- 0 ------------|---- 1 ---|---------- 2 ----------|
 *   list   | 0x5a00 | ~0 ~0 ... | 0x5b00 ..| 0x5c00 ..| 0x5a9f ... | ~0 ~0 .. | no entries
 *   range  | RAM    | IDENTITY  | RAM                                                 | UNPOPULATED
 *
 *   PFN     leaf, entry  P2M entry  range        p2m_get      reason; M2P
 *   0x234   1, 0x34      0x5c34     RAM          0x5c34       M2P[0x5c34] = 0x234
 *   0xa0    0, 0xa0      ~0         IDENTITY     0xa0         the frame of the VGA memory
 *   0x401   2, 0x1       0x5aa0     RAM          0x5aa0       was PFN 0xa0; M2P[0x5aa0] = 0x401
 *   0x500   2, 0x100     ~0         RAM          INVALID_MFN  the balloon may fill it
 *   0x1000  none         none       UNPOPULATED  INVALID_MFN  given to a foreign page, was IDENTITY
 *
 * At boot the list is the builder's, with entries for the PFNs [0, nr_pages) only; revector
 * (revector.h) replaces it.
 */
#ifndef MM_P2M_H
#define MM_P2M_H

#include "mm/range.h"

#include "arch/x86/page.h"

#define P2M_PER_PAGE   (PAGE_SIZE / sizeof(uint64_t))
#define P2M_PAGE_SHIFT 9 /* PFN >> P2M_PAGE_SHIFT is the number of the leaf */

struct p2m {
    uint64_t *list;
    uint64_t nr; /* entries of the list; after revectoring a multiple of P2M_PER_PAGE */
    struct ranges ranges;
};

/* Xen's M2P table (XENMEM_machphys_mapping of <xen/memory.h>). */
struct m2p {
    const uint64_t *table;
    uint64_t nr; /* entries; parts of the table may be unmapped, where a read faults */
};

/* p2m_get for a PFN without a frame in the list: @pfn itself if it is identity, or INVALID_MFN. */
mfn_t p2m_get_absent(const struct p2m *p2m, pfn_t pfn) __attribute__((pure, cold));

/*
 * The machine frame of @pfn: a frame of this domain, or for an identity PFN the frame of the same
 * number. INVALID_MFN if there is none. Inlined, because it is called for every PFN.
 */
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

/* The frame of this domain that @pfn has; INVALID_MFN if it has none, also for an identity PFN. */
static inline mfn_t p2m_get_ram(const struct p2m *p2m, pfn_t pfn)
{
    return to_mfn(pfn.v < p2m->nr ? *(const volatile uint64_t *)&p2m->list[pfn.v] : INVALID_ENTRY);
}

/*
 * The first PFN without a frame that was looked at; p2m->nr if none was found. Reads one entry of
 * each leaf and the last of the list, so a gap of 512 PFNs is found wherever it lies, a smaller one
 * perhaps not: all entries of a large list would cost as much as the rest of the boot.
 */
uint64_t p2m_find_gap(const struct p2m *p2m);

/*
 * Sets the P2M entry of @pfn to @mfn, or to ~0 if @mfn is INVALID_MFN. One 64-bit store, since
 * Xen's tools may read the list at any time (struct arch_shared_info of <xen/arch-x86/xen.h>).
 * Returns 0; -ERANGE if @pfn is past the end of the list; -EINVAL if @pfn is not in a RAM range or
 * @mfn does not fit a page-table entry. The caller keeps the M2P and the mappings consistent.
 */
int p2m_set(struct p2m *p2m, pfn_t pfn, mfn_t mfn) __must_check;

/*
 * The M2P entry of a frame that this domain owns: its PFN. INVALID_ENTRY if @mfn is past the end of
 * the M2P, in an unmapped part of the M2P, or has no PFN. Do not use it for a frame of another
 * domain: the result is a PFN of that domain.
 */
pfn_t m2p_get(const struct m2p *m2p, mfn_t mfn);

#endif
