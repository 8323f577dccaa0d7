/* SPDX-License-Identifier: MIT */
/*
 * arch/x86/pte.h, page.h and the macros of lib/types.h, for all 64-bit values: an entry gives back
 * the MFN and the flags that it was made of, with and without NX, and an address is its four
 * indices and its offset.
 */
#include "proof.h"

#include "arch/x86/pte.h"

uint64_t pte_supported;

static void check_entry(mfn_t mfn, uint64_t flags, uint64_t pte)
{
    pte_supported = nondet_bool() ? ~(uint64_t)0 : ~PTE_NX;
    ASSUME(mfn_valid(mfn) && !(flags & PTE_MFN_MASK));
    PROVE(pte_mfn(pte_make(mfn, flags)).v == mfn.v);
    PROVE((pte_make(mfn, flags) & ~PTE_MFN_MASK) == (flags & pte_supported));
    PROVE(pte_present(pte_make(mfn, flags)) == ((flags & PTE_P) != 0));
    PROVE(mfn_valid(pte_mfn(pte)));
    PROVE(!mfn_valid(INVALID_MFN));
    PROVE(mfn_eq(maddr_to_mfn(mfn_to_maddr(mfn)), mfn));
    PROVE(pte_has_nx() || !(pte_make(mfn, flags) & PTE_NX));
}

static void check_address(uint64_t va, unsigned int level)
{
    uint64_t back = va % PAGE_SIZE;

    for (unsigned int l = 1; l <= PT_LEVELS; l++)
        back |= pte_index(va, l) * level_bytes(l);
    PROVE(back == (va & 0xffffffffffff));
    PROVE(va_canonical(va) == (va < 0x800000000000 || va >= 0xffff800000000000));
    ASSUME(level >= 1 && level <= PT_LEVELS);
    PROVE(pte_index(va, level) < PTES_PER_TABLE);
    PROVE(level_bytes(level) == PAGE_SIZE << (9 * (level - 1)));
}

static void check_rounding(uint64_t n, uint64_t a, uint64_t b)
{
    uint64_t down = ROUND_DOWN(n, PAGE_SIZE), up = ROUND_UP(n, PAGE_SIZE);

    PROVE(down <= n && n - down < PAGE_SIZE && down % PAGE_SIZE == 0);
    PROVE(min_u64(a, b) <= a && min_u64(a, b) <= b && max_u64(a, b) >= a && max_u64(a, b) >= b);
    PROVE(min_u64(a, b) + max_u64(a, b) == a + b);
    ASSUME(n <= UINT64_MAX - (PAGE_SIZE - 1));
    PROVE(up >= n && up - n < PAGE_SIZE && up % PAGE_SIZE == 0);
}

int main(void)
{
    check_entry(to_mfn(nondet_u64()), nondet_u64(), nondet_u64());
    check_address(nondet_u64(), nondet_u32());
    check_rounding(nondet_u64(), nondet_u64(), nondet_u64());
    REACHED();
    return 0;
}
