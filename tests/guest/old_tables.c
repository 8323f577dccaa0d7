/* SPDX-License-Identifier: MIT */
/*
 * Without this test, a page table in which the domain builder mapped its P2M list could still be
 * referenced, keep its page-table type, and be of no use any more; or it could be in the frame pool
 * while it is still in use. Xen is asked: a frame that Xen lets a domain map writable, and then pin
 * as a page table (MMUEXT_PIN_L1_TABLE of <xen/xen.h>), has no other use.
 */
#include "lib/string.h"

#include "kernel/selftest/test.h"

static void check_free(struct test *t, uint64_t i, pfn_t pfn)
{
    mfn_t mfn = p2m_get_ram(&t->d->p2m, pfn);
    void *page = fixmap_map(&t->d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RW);

    CHECK(page,
          "freed page table (index %lu) of the builder's P2M list, PFN 0x%lx, MFN 0x%lx: Xen "
          "refuses to map it writable, expected a free frame",
          i, pfn.v, mfn.v);
    if (!page)
        return;
    memset(page, 0, PAGE_SIZE);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
    CHECK_RC(
        pt_pin(mfn, 1), 0,
        "%s of the freed page table (index %lu) of the builder's P2M list, PFN 0x%lx, MFN 0x%lx",
        "MMUEXT_PIN_L1_TABLE", i, pfn.v, mfn.v);
    CHECK_RC(
        pt_unpin(mfn), 0,
        "%s of the freed page table (index %lu) of the builder's P2M list, PFN 0x%lx, MFN 0x%lx",
        "MMUEXT_UNPIN_TABLE", i, pfn.v, mfn.v);
}

TEST(old_tables,
     "no reference is left to a freed page table of the builder's P2M list: Xen pins it as an L1")
{
    const struct revectored *list = &t->d->revectored;
    uint64_t nr_leaves = DIV_ROUND_UP(t->d->boot.nr_pages, P2M_PER_PAGE) + list->nr_old_leaves;
    pfn_t first = to_pfn(t->d->frame_pool.free.runs[0].start);

    if (list->origin != LIST_IN_SLOT) {
        test_skip(t, "the builder's P2M list was in the kernel mapping: see test kernel_mapping");
        return;
    }
    CHECK(list->nr_old_tables >= 2,
          "number of page tables of the builder's P2M list is %lu, expected 2 or more",
          list->nr_old_tables);
    CHECK(t->d->boot.nr_list_pfns == nr_leaves + list->nr_old_tables,
          "start_info.nr_p2m_frames is %lu, expected %lu (%lu pages of the builder's P2M list + "
          "%lu page tables)",
          t->d->boot.nr_list_pfns, nr_leaves + list->nr_old_tables, nr_leaves, list->nr_old_tables);
    CHECK(frame_pool_has(&t->d->frame_pool, first),
          "frame_pool_has of the pool's first PFN, 0x%lx, is false, expected true", first.v);
    for (uint64_t i = 0; i < list->nr_old_tables; i++) {
        /*
         * Not in the pool: the frame was free before it got a new use (accounting.c checks that
         * use), or the balloon has given the frame back to Xen.
         */
        if (frame_pool_has(&t->d->frame_pool, list->old_tables[i]))
            check_free(t, i, list->old_tables[i]);
    }
}
