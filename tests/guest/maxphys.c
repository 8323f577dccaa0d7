/* SPDX-License-Identifier: MIT */
/*
 * The ELF note XEN_ELFNOTE_MAXPHYS_SIZE of this kernel: machine addresses of 52 bits.
 *
 * Without this test nothing would verify the note, which promises that all 40 bits of an MFN
 * survive each mask on the way into a PTE and back. The test maps machine addresses that no entry
 * of the host's E820 map names, and reads the PTEs back. (Xen refuses a dom0 the RAM that it has
 * not given to it.) It does not access the pages, which do not exist. Xen may add cache attributes
 * to a PTE.
 */
#include "kernel/selftest/test.h"

/* The end, rounded up, of an entry that touches page @mfn; 0 if there is none. */
static uint64_t end_of_entry_at(const struct memory_map *map, uint64_t mfn)
{
    for (size_t i = 0; i < map->nr; i++) {
        uint64_t start = map->entries[i].addr, len_bytes = map->entries[i].len_bytes;
        uint64_t last = start + len_bytes - 1; /* no sum may wrap: the map is not trusted */

        if (len_bytes && last >= start && start / PAGE_SIZE <= mfn && mfn <= last / PAGE_SIZE)
            return last / PAGE_SIZE + 1;
    }
    return 0;
}

/* The first MFN from @from on that no entry of @map touches. */
static uint64_t first_unused(const struct memory_map *map, uint64_t from)
{
    uint64_t mfn = from, end;

    while ((end = end_of_entry_at(map, mfn)))
        mfn = end;
    return mfn;
}

static void check_width(struct test *t, unsigned int bit)
{
    uint64_t first = (uint64_t)1 << (bit - PAGE_SHIFT);
    mfn_t mfn = to_mfn(first_unused(&t->d->map, first + 1));
    uint64_t pte;
    void *va;

    if (mfn.v >= 2 * first) {
        test_skip(
            t, "no machine address in [0x%lx, 0x%lx) is unused: entries of the E820 map cover all",
            first * PAGE_SIZE, 2 * first * PAGE_SIZE);
        return;
    }
    va = heap_map(&t->d->heap, mfn, PTE_RO);
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
