/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries: 64 bits, four levels, 512 entries in a table (Intel SDM vol. 3, 4.5).
 *
 *    63 62      52 51                    12 11  9 8 7   6 5  4   3  2 1 0
 *   +--+----------+------------------------+-----+-+---+-+-+---+---+-+-+-+
 *   |NX| software |  MFN, all 40 bits      | sw  |G|PSE|D|A|PCD|PWT|U|W|P|
 *   +--+----------+------------------------+-----+-+---+-+-+---+---+-+-+-+
 *
 * The page tables of a PV guest hold MFNs. This kernel writes a non-present entry as 0 and never
 * only clears P: Xen treats an address in a non-present entry as an L1TF attack (XSA-273), and puts
 * the domain into shadow paging mode or crashes it. The kernel of a 64-bit PV guest runs in ring 3,
 * so every entry has U (Xen would add it).
 */
#ifndef ARCH_X86_PTE_H
#define ARCH_X86_PTE_H

#include "arch/x86/page.h"

#define PTES_PER_TABLE 512
#define PT_LEVELS      4

#define PTE_P          ((uint64_t)1 << 0)
#define PTE_W          ((uint64_t)1 << 1)
#define PTE_U          ((uint64_t)1 << 2)
#define PTE_PWT        ((uint64_t)1 << 3)
#define PTE_PCD        ((uint64_t)1 << 4)
#define PTE_A          ((uint64_t)1 << 5)
#define PTE_D          ((uint64_t)1 << 6)
#define PTE_PSE        ((uint64_t)1 << 7)
#define PTE_NX         ((uint64_t)1 << 63)
#define PTE_MFN_MASK   ((((uint64_t)1 << PADDR_BITS) - 1) & ~(PAGE_SIZE - 1))

/*
 * The flags of an entry that maps a page read-only, writable or executable, and of an entry that
 * points to a lower table. Xen sets A and D if they are clear.
 */
#define PTE_RO    (PTE_P | PTE_U | PTE_A | PTE_NX)
#define PTE_RW    (PTE_RO | PTE_W | PTE_D)
#define PTE_RX    (PTE_P | PTE_U | PTE_A)
#define PTE_TABLE (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
/* To be added to those flags: uncached. PAT entry 3 is UC under Xen, as it is after a reset. */
#define PTE_UC (PTE_PCD | PTE_PWT)

/*
 * The flags that this CPU has: all, or all but NX. Without NX (CPUID 0x80000001, bit 20 of EDX;
 * Intel SDM vol. 3, 4.1.4) bit 63 of an entry is reserved, and Xen refuses an entry that has it.
 */
extern uint64_t pte_supported;

static inline bool pte_has_nx(void)
{
    return pte_supported & PTE_NX;
}

/* Reads CPUID and sets pte_supported, before the first entry is made. */
void pte_start(void);

/* An entry that maps @mfn with @flags, as far as this CPU has them. */
static inline uint64_t pte_make(mfn_t mfn, uint64_t flags)
{
    return mfn_to_maddr(mfn) | (flags & pte_supported);
}

static inline mfn_t pte_mfn(uint64_t pte)
{
    return maddr_to_mfn(pte & PTE_MFN_MASK);
}

static inline bool pte_present(uint64_t pte)
{
    return pte & PTE_P;
}

/* Does the present entry @pte of a table at @level map a page, and not a lower table? */
static inline bool pte_is_leaf(uint64_t pte, unsigned int level)
{
    return level == 1 || (pte & PTE_PSE);
}

/* The number of address bits that one entry at @level 1 to 4 covers: 12, 21, 30 or 39. */
static inline unsigned int level_shift(unsigned int level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

/* The bytes that one entry at @level covers: 4 KiB, 2 MiB, 1 GiB or 512 GiB. */
static inline uint64_t level_bytes(unsigned int level)
{
    return (uint64_t)1 << level_shift(level);
}

/* The index of the entry for @va in its table at @level. */
static inline unsigned int pte_index(uint64_t va, unsigned int level)
{
    return (va >> level_shift(level)) & (PTES_PER_TABLE - 1);
}

/* Is @va canonical: are its bits 63:47 all equal (Intel SDM vol. 1, 3.3.7.1)? */
static inline bool va_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

#endif
