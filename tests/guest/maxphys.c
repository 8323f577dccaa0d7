/* SPDX-License-Identifier: MIT */
/*
 * The ELF note XEN_ELFNOTE_MAXPHYS_SIZE of this kernel: machine addresses of 52 bits.
 *
 * Without this test nothing would verify the note, which promises that all 40 bits of an MFN
 * survive each mask on the way into a PTE and back. The test maps machine addresses far above all
 * RAM, and reads the PTEs back. It does not access the pages, which do not exist. Xen may add cache
 * attributes to a PTE.
 */
#include "kernel/selftest/test.h"

static void check_width(struct test *t, unsigned int bit)
{
    mfn_t mfn = to_mfn(((uint64_t)1 << (bit - PAGE_SHIFT)) + 1);
    void *va = heap_map(&t->d->heap, mfn, PTE_RO);
    uint64_t pte;

    if (!va) {
        test_fail(t, "heap_map of machine address 0x%lx is NULL, expected a mapping",
                  mfn_to_maddr(mfn));
        return;
    }
    pte = pt_walk(&t->d->pt, (uintptr_t)va).pte;
    CHECK_EQ(pte_mfn(pte).v, mfn.v, "MFN in PTE 0x%lx made for machine address 0x%lx", pte,
             mfn_to_maddr(mfn));
    CHECK_RC(heap_unmap(&t->d->heap, va, &mfn), 0, "heap_unmap of MFN 0x%lx at %p", mfn.v, va);
}

TEST(maxphys, "a PTE keeps bits 46, 48 and 51 of a machine address (XEN_ELFNOTE_MAXPHYS_SIZE)")
{
    static const unsigned int bits[] = {46, 48, 51};

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU may map only machine addresses of its own frames");
        return;
    }
    if (t->d->host.cpu_bits <= bits[ARRAY_SIZE(bits) - 1]) {
        test_skip(t, "this CPU has machine addresses of %u bits, the test needs 52",
                  t->d->host.cpu_bits);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
        check_width(t, bits[i]);
}
