/* SPDX-License-Identifier: MIT */
#include "tests/guest/memory/extent_tree.h"

static long write_entry(const struct extents *e, unsigned int level)
{
    return pt_write(extents_mfn(e, level), 0,
                    pte_make(extents_mfn(e, level - 1), level == 1 ? PTE_RW : PTE_TABLE));
}

bool extent_tree_hook(struct extent_tree *tree, struct extents *e)
{
    struct test *t = e->t;
    struct pagetable *pt = &t->d->pt;
    long rc = 0;

    tree->slot = l4_empty_slot(t->d);
    tree->page = (uint64_t *)((uint64_t)tree->slot << level_shift(PT_LEVELS));
    for (unsigned int i = 0; i < TREE_FRAMES; i++)
        extents_fill(e, i, 0);
    for (unsigned int level = 1; !rc && level < TREE_FRAMES; level++) {
        rc = write_entry(e, level); /* a frame without a type: Xen checks nothing yet */
        CHECK_RC(rc, 0, "mmu_update of entry 0 of MFN 0x%lx, a frame of no type",
                 extents_mfn(e, level).v);
    }
    if (!rc)
        rc = pt_hook(pt, (uintptr_t)tree->page, extents_mfn(e, PT_LEVELS - 1));
    CHECK_RC(rc, 0, "mmu_update of L4 entry %u to the L3 table at MFN 0x%lx", tree->slot,
             extents_mfn(e, PT_LEVELS - 1).v);
    return !rc;
}

void extent_tree_unhook(const struct extent_tree *tree, struct extents *e)
{
    struct test *t = e->t;

    CHECK_RC(pt_write(t->d->pt.root, tree->slot, 0), 0, "mmu_update of L4 entry %u to 0",
             tree->slot);
    pt_flush();
}
