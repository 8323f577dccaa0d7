/* SPDX-License-Identifier: MIT */
/*
 * The ramdisk after frames were renumbered (given new PFNs because theirs lay in a hole).
 *
 * Without this test the ramdisk could be lost when its frames are renumbered. The test reads the
 * ramdisk page by page through the P2M, each page at its present PFN, and prints a checksum that
 * depends on the order of the pages. tests/scenarios compares the checksum with that of the file.
 */
#include "lib/printk.h"

#include "kernel/selftest/test.h"

/* Sum of the 64-bit words of the first @len_bytes; the rest of the last word counts as 0. */
static uint64_t sum_page(const uint8_t *page, uint64_t len_bytes)
{
    const uint64_t *words = (const uint64_t *)page;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < len_bytes / 8; i++)
        sum += words[i];
    for (uint64_t i = len_bytes / 8 * 8; i < len_bytes; i++)
        sum += (uint64_t)page[i] << i % 8 * 8;
    return sum;
}

TEST(ramdisk, "each ramdisk page can be mapped: Xen accepts the MFN in its P2M entry")
{
    struct domain *d = t->d;
    uint64_t sum = 0, left = d->boot.ramdisk_bytes;

    if (!left) {
        test_skip(t, "start_info names no ramdisk");
        return;
    }
    for (uint64_t i = 0; left; i++) {
        pfn_t pfn = plan_renumbered(&d->plan, to_pfn(d->boot.ramdisk_pfn + i));
        mfn_t mfn = p2m_get_ram(&d->p2m, pfn);
        const uint8_t *page = fixmap_map(&d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);
        uint64_t len = min_u64(left, PAGE_SIZE);

        if (!page) {
            test_fail(
                t,
                "fixmap_map of ramdisk page %lu (PFN 0x%lx, MFN 0x%lx) is NULL, expected a mapping",
                i, pfn.v, mfn.v);
            return;
        }
        sum += (i + 1) * sum_page(page, len);
        left -= len;
    }
    fixmap_unmap(&d->fixmap, FIXMAP_SCRATCH);
    print("{\"report\":\"ramdisk\",\"bytes\":%lu,\"sum\":\"0x%016lx\"}\n", d->boot.ramdisk_bytes,
          sum);
}
