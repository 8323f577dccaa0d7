/* SPDX-License-Identifier: MIT */
/*
 * Without this the MAXPHYS_SIZE note would be a claim: that all 40 bits of an MFN survive every
 * mask on the way into a page-table entry and back. Machine addresses far above any RAM are mapped
 * (not touched: nothing may be there), and the entry is read back. Xen may add cache bits.
 */
#include "kernel/selftest/test.h"

static void check_width(struct test *t, unsigned int bit)
{
    mfn_t mfn = to_mfn(((uint64_t)1 << (bit - PAGE_SHIFT)) + 1);
    void *va = heap_map(&t->d->heap, mfn, PTE_RO);
    uint64_t pte;

    CHECK(va, "machine address 0x%lx cannot be mapped", mfn_to_maddr(mfn));
    if (!va)
        return;
    pte = pt_walk(&t->d->pt, (uintptr_t)va).pte;
    CHECK(mfn_eq(pte_mfn(pte), mfn), "the entry for MFN 0x%lx reads %016lx", mfn.v, pte);
    CHECK(!heap_unmap(&t->d->heap, va, &mfn), "0x%lx cannot be unmapped", mfn.v);
}

TEST(maxphys, "machine addresses of 2^46, 2^48 and 2^51 keep all their bits in an entry")
{
    static const unsigned int bits[] = {46, 48, 51};

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU may map none that is not its own");
        return;
    }
    if (t->d->host.cpu_bits <= bits[ARRAY_SIZE(bits) - 1]) {
        test_skip(t, "this CPU has %u bits of machine address, 52 are needed", t->d->host.cpu_bits);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
        check_width(t, bits[i]);
}
