/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_decrease_reservation of a frame that is in use: Xen frees it after the last use, not
 * before.
 *
 * Without these tests a guest could have a mapping of memory that Xen gives to another domain, or
 * lose a page table that the CPU walks. guest_remove_page() of Xen's common/memory.c drops the
 * reference that a domain has to each of its frames (PGC_allocated). Mappings, pins and page tables
 * have references of their own. Before XSA-252 ("DoS via non-preemptable L3/L4 pagetable freeing"),
 * a release also unpinned a page table.
 */
#include "lib/errno.h"

#include "tests/guest/memory/extent_tree.h"

#define WORD 0x1cebe77e

/*
 * Releases PFN number @i, in use, twice: the second time Xen has no reference left to drop. Both
 * times nothing changes. False: Xen took the frame.
 */
static bool release_used(struct extents *e, uint64_t i, const char *step)
{
    struct test *t = e->t;

    for (unsigned int times = 0; times < 2; times++) {
        uint64_t pages = e->pages;

        e->list[0] = extents_mfn(e, i).v;
        CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, 1, 0, 0), 1,
                 "%s: XENMEM_decrease_reservation of MFN 0x%lx", step, e->list[0]);
        extents_check_kept(e, i, 1, step);
        extents_check_pages(e, 0, step);
        if (mfn_eq(extents_mfn(e, i), INVALID_MFN) || e->pages != pages)
            return false;
    }
    return true;
}

static void check_freed(struct extents *e, uint64_t i, const char *step)
{
    extents_check_gone(e, i, 1, step);
    extents_check_pages(e, -1, step);
}

static void try_pinned(struct extents *e, unsigned int level)
{
    static const char *const steps[] = {
        "", "release of a frame pinned as L1", "release of a frame pinned as L2",
        "release of a frame pinned as L3", "release of a frame pinned as L4"};
    struct test *t = e->t;
    uint64_t i = level - 1;
    mfn_t mfn = extents_mfn(e, i);

    extents_fill(e, i, 0);
    CHECK_RC(pt_pin(mfn, level), 0, "pin of MFN 0x%lx, zeroed, as L%u", mfn.v, level);
    if (!release_used(e, i, steps[level]))
        return;
    CHECK_RC(pt_write(mfn, 0, 0), 0, "mmu_update of entry 0 of MFN 0x%lx, pinned as L%u, released",
             mfn.v, level);
    CHECK_RC(pt_unpin(mfn), 0, "unpin of MFN 0x%lx, pinned as L%u and then released", mfn.v, level);
    check_freed(e, i, "unpin of a released page table");
}

TEST_RULE(abi_release_pinned,
          "a page table that is released while pinned is freed by the unpin, not before (XSA-252)")
{
    struct extents e;

    if (!extents_open(&e, t, PT_LEVELS))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        try_pinned(&e, level);
    extents_close(&e);
}

static void try_mapped(struct extents *e, struct spot *s)
{
    struct test *t = e->t;
    volatile uint64_t *word = (volatile uint64_t *)s[0].va;

    check_frame(t, spot_show(s[0], s[0].mfn, PTE_RW), 0, "update_va_mapping, writable", s[0].mfn);
    check_frame(t, spot_show(s[1], s[1].mfn, PTE_RO), 0, "second mapping, read-only", s[1].mfn);
    *word = WORD;
    if (!release_used(e, 0, "release of a frame that is mapped twice")) {
        check_frame(t, spot_show(s[0], INVALID_MFN, 0), 0, "update_va_mapping to 0", s[0].mfn);
        check_frame(t, spot_show(s[1], INVALID_MFN, 0), 0, "update_va_mapping to 0", s[1].mfn);
        return;
    }
    *word += 1;
    CHECK_EQ(*(volatile uint64_t *)s[1].va, WORD + 1,
             "word of a released frame, written by the first of two mappings, read by the second,");
    check_frame(t, spot_show(s[0], INVALID_MFN, 0), 0, "update_va_mapping of one mapping to 0",
                s[0].mfn);
    extents_check_kept(e, 0, 1, "removal of one of two mappings of a released frame");
    extents_check_pages(e, 0, "removal of one of two mappings of a released frame");
    CHECK_EQ(*(volatile uint64_t *)s[1].va, WORD + 1,
             "word of a released frame, read by the mapping that is left,");
    check_frame(t, spot_show(s[1], INVALID_MFN, 0), 0, "update_va_mapping of the last mapping to 0",
                s[1].mfn);
    check_freed(e, 0, "removal of the last mapping of a released frame");
}

TEST_RULE(abi_release_mapped,
          "a frame that is released while mapped is freed with its last mapping, not before")
{
    struct extents e;
    struct spot other, s[2];

    if (!extents_open(&e, t, 1))
        return;
    other = room_spot(e.room);
    s[0] = (struct spot){.va = e.spot.va, .mfn = extents_mfn(&e, 0)};
    s[1] = (struct spot){.va = other.va, .mfn = extents_mfn(&e, 0)};
    try_mapped(&e, s);
    room_drop(e.room, other);
    extents_close(&e);
}

static void try_tables(struct extents *e, const struct extent_tree *tree)
{
    static const char *const steps[TREE_FRAMES] = {
        "release of a page mapped by the tree", "release of an L1 table in use",
        "release of an L2 table in use", "release of an L3 table in use"};
    struct test *t = e->t;
    uint64_t i = 0;

    tree->page[0] = WORD;
    while (i < TREE_FRAMES && release_used(e, i, steps[i]))
        i++;
    if (i == TREE_FRAMES) { /* else the CPU must not walk these tables any more */
        pt_flush();
        CHECK_EQ(tree->page[0], WORD, "word of the page at %p, mapped by released tables,",
                 (void *)tree->page);
    }
    extent_tree_unhook(tree, e);
    if (i == TREE_FRAMES) {
        extents_check_gone(e, 0, TREE_FRAMES, "removal of released tables from the L4");
        extents_check_pages(e, -TREE_FRAMES, "removal of released tables from the L4");
    }
}

TEST_RULE(abi_release_tables,
          "an L1, L2 or L3 table that is released while in use is freed when it is out of use")
{
    struct extents e;
    struct extent_tree tree;

    if (!extents_open(&e, t, TREE_FRAMES))
        return;
    if (extent_tree_hook(&tree, &e))
        try_tables(&e, &tree);
    extents_close(&e);
}

static void try_exchange(struct extents *e, const char *what)
{
    struct test *t = e->t;
    uint64_t nr_exchanged;

    CHECK_RC(extents_exchange_first(e, 0, &nr_exchanged), -EINVAL,
             "XENMEM_exchange of MFN 0x%lx, which is %s", extents_mfn(e, 0).v, what);
    CHECK_EQ(nr_exchanged, 0, "nr_exchanged of XENMEM_exchange of a frame that is %s", what);
    if (nr_exchanged)
        extents_adopt(e, 0, 1, e->out[0], what);
    else
        CHECK_EQ(e->out[0], e->first, "output list after XENMEM_exchange of a frame that is %s",
                 what);
    extents_check_kept(e, 0, 1, what);
    extents_check_pages(e, 0, what);
}

/* steal_page() of Xen's arch/x86/mm.c allows no reference beside that of the domain itself. */
TEST_RULE(abi_exchange_in_use,
          "XENMEM_exchange of a frame that is mapped or pinned fails with EINVAL")
{
    struct extents e;
    struct spot s;

    if (!extents_open(&e, t, 1))
        return;
    s = (struct spot){.va = e.spot.va, .mfn = extents_mfn(&e, 0)};
    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);
    try_exchange(&e, "mapped read-only");
    check_frame(t, spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping to 0", s.mfn);

    s.mfn = extents_mfn(&e, 0);
    extents_fill(&e, 0, 0);
    check_frame(t, pt_pin(s.mfn, 1), 0, "pin of a zeroed frame as L1", s.mfn);
    try_exchange(&e, "pinned as L1");
    check_frame(t, pt_unpin(s.mfn), 0, "unpin of a frame pinned as L1", s.mfn);
    extents_close(&e);
}
