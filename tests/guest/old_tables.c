/* SPDX-License-Identifier: MIT */
/*
 * Without this a page table of the builder's could stay referenced somewhere, typed, and never be
 * of use again, or be taken for free while it is not. Xen itself is asked: a frame that it agrees
 * to map writable, and to pin as a table, has no other use.
 */
#include "lib/string.h"

#include "kernel/selftest/test.h"

static void check_free(struct test *t, mfn_t mfn)
{
    void *page = fixmap_map(&t->d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RW);

    CHECK(page, "old table 0x%lx cannot be mapped writable: it is still a table", mfn.v);
    if (!page)
        return;
    memset(page, 0, PAGE_SIZE);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
    CHECK(!pt_pin(mfn, 1), "old table 0x%lx cannot be pinned: it is in use", mfn.v);
    CHECK(!pt_unpin(mfn), "old table 0x%lx cannot be unpinned", mfn.v);
}

TEST(old_tables, "the tables that mapped the builder's list are free: each can be pinned anew")
{
    const struct revectored *list = &t->d->revectored;

    if (list->origin != LIST_IN_SLOT) {
        test_skip(t,
                  "the builder's list was in the kernel mapping, whose tables kernel_mapping sees");
        return;
    }
    CHECK(list->nr_old_tables >= 2, "%lu old tables were found, expected 2 or more",
          list->nr_old_tables);
    CHECK(t->d->boot.nr_list_pfns ==
              list->nr_old_tables + DIV_ROUND_UP(t->d->boot.nr_pages, P2M_PER_PAGE),
          "start_info.nr_p2m_frames is 0x%lx, expected 0x%lx leaves and %lu tables",
          t->d->boot.nr_list_pfns, DIV_ROUND_UP(t->d->boot.nr_pages, P2M_PER_PAGE),
          list->nr_old_tables);
    CHECK(frame_pool_has(&t->d->frame_pool, to_pfn(t->d->frame_pool.free.runs[0].start)),
          "the pool forgets its frames");
    for (uint64_t i = 0; i < list->nr_old_tables; i++) {
        pfn_t pfn = list->old_tables[i];

        /*
         * One that is in use again was free before, and accounting.c sees to it that it is in use;
         * one that the balloon has given back is Xen's.
         */
        if (frame_pool_has(&t->d->frame_pool, pfn))
            check_free(t, p2m_get_ram(&t->d->p2m, pfn));
    }
}
