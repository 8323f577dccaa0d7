/* SPDX-License-Identifier: MIT */
/*
 * MMUEXT_SET_LDT of <xen/xen.h>: the local descriptor table.
 *
 * Without these tests Xen could accept an LDT at an address of Xen, or use an LDT that the guest
 * has replaced. Xen maps a page of the LDT when a selector of it is used first, gives the frame the
 * type of a page of descriptors, and keeps both until the next MMUEXT_SET_LDT: then the frame must
 * have no type and no reference (pv_map_ldt_shadow_page() of Xen arch/x86/pv/mm.c, and
 * pv_destroy_ldt() of arch/x86/pv/descriptor-tables.c).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/mmu/table_room.h"

#define DATA_SEGMENT    0x00cff3000000ffff /* ring 3 */
#define LDT_SELECTOR(i) ((i) << 3 | 7)
#define MAX_ENTRIES     8192

static long set_ldt(uintptr_t va, unsigned int nr)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = va, .arg2.nr_ents = nr};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void check_load(struct test *t, unsigned int i, int expected, const char *when)
{
    CHECK_RC(probe_ds_once(LDT_SELECTOR(i)), expected, "%s: load of DS with entry %u of the LDT",
             when, i);
}

/* Makes entry 0 of page[0] a descriptor; the page is not an LDT yet. */
static bool ldt_open(struct tree *tr, struct test *t)
{
    if (!tree_open(tr, t))
        return false;
    table_store(t, tr->page[0], 0, DATA_SEGMENT);
    return true;
}

/* No LDT is in use afterwards, and nothing may be left of the use of page[0]. */
static void ldt_close(struct tree *tr, const char *when)
{
    struct test *t = tr->room.t;

    CHECK_RC(set_ldt(0, 0), 0, "MMUEXT_SET_LDT of no entries");
    check_unused(&tr->room, &tr->page[0], when);
    tree_close(tr);
}

TEST_RULE(abi_ldt, "MMUEXT_SET_LDT makes the descriptors of the LDT usable, up to its last entry")
{
    struct spot *a, *b;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    a = &tr.page[0], b = &tr.page[1];
    for (unsigned int i = 0; i < PTES_PER_TABLE; i += PTES_PER_TABLE - 1)
        table_store(t, *a, i, DATA_SEGMENT);
    table_store(t, *a, 7, DATA_SEGMENT);
    CHECK_RC(set_ldt(a->va, PTES_PER_TABLE), 0, "MMUEXT_SET_LDT of 512 entries");
    check_load(t, 0, 0, "after MMUEXT_SET_LDT of 512 entries");
    check_load(t, PTES_PER_TABLE - 1, 0, "after MMUEXT_SET_LDT of 512 entries");
    check_load(t, 1, -EFAULT, "after MMUEXT_SET_LDT of 512 entries, of which entry 1 is 0");
    check_load(t, PTES_PER_TABLE, -EFAULT, "after MMUEXT_SET_LDT of 512 entries");
    CHECK_RC(set_ldt(a->va, 7), 0, "MMUEXT_SET_LDT of 7 entries");
    check_load(t, 0, 0, "after MMUEXT_SET_LDT of 7 entries");
    check_load(t, 7, -EFAULT, "after MMUEXT_SET_LDT of 7 entries");
    CHECK_RC(set_ldt(b->va, PTES_PER_TABLE), 0, "MMUEXT_SET_LDT of an LDT without descriptors");
    check_load(t, 0, -EFAULT, "after MMUEXT_SET_LDT of an LDT without descriptors");
    check_unused(&tr.room, a, "after MMUEXT_SET_LDT of another LDT, frame of the old LDT");
    CHECK_RC(set_ldt(a->va + 1, 0), 0, "MMUEXT_SET_LDT of no entries, at an address of no meaning");
    check_load(t, 0, -EFAULT, "after MMUEXT_SET_LDT of no entries");
    check_unused(&tr.room, b, "after MMUEXT_SET_LDT of no entries, frame of the old LDT");
    tree_close(&tr);
}

TEST_RULE(abi_bad_ldt, "MMUEXT_SET_LDT refuses a bad address or size, and keeps the old LDT")
{
    struct tree tr;
    struct spot *a = &tr.page[0];

    if (!ldt_open(&tr, t))
        return;
    CHECK_RC(set_ldt(a->va, 1), 0, "MMUEXT_SET_LDT of 1 entry");
    CHECK_RC(set_ldt(HYPERVISOR_VIRT_START, 1), -EINVAL, "MMUEXT_SET_LDT at Xen's address 0x%lx",
             HYPERVISOR_VIRT_START);
    if (!tr.brief) {
        CHECK_RC(set_ldt(a->va + 8, 1), -EINVAL, "MMUEXT_SET_LDT at 0x%lx, not aligned to a page",
                 a->va + 8);
        CHECK_RC(set_ldt(a->va, MAX_ENTRIES + 1), -EINVAL, "MMUEXT_SET_LDT of %d entries",
                 MAX_ENTRIES + 1);
    }
    check_load(t, 0, 0, "after a refused MMUEXT_SET_LDT");
    check_load(t, 1, -EFAULT, "after a refused MMUEXT_SET_LDT");
    ldt_close(&tr, "after the LDT in this frame was removed");
}

/* The LDT must not be writable by the guest: a descriptor could then become a call gate. */
TEST_RULE(abi_ldt_writable, "a selector of an LDT that is mapped writable cannot be loaded")
{
    struct tree tr;
    struct spot *a = &tr.page[0];

    if (!ldt_open(&tr, t))
        return;
    check_frame(t, spot_show(*a, a->mfn, PTE_RW), 0, "update_va_mapping, writable", a->mfn);
    CHECK_RC(set_ldt(a->va, 1), 0, "MMUEXT_SET_LDT of 1 entry, mapped writable");
    check_load(t, 0, -EFAULT, "with an LDT that is mapped writable");
    ldt_close(&tr, "after the LDT in this frame, mapped writable, was removed");
}

/* The address of an LDT means another frame with other page tables, so Xen must forget the frame.
 */
TEST_RULE(abi_ldt_baseptr, "MMUEXT_NEW_BASEPTR makes Xen forget the frames of the LDT")
{
    struct tree tr;
    struct spot *a = &tr.page[0], *l4;

    if (!ldt_open(&tr, t))
        return;
    l4 = tree_copy_root(&tr);
    CHECK_RC(set_ldt(a->va, 1), 0, "MMUEXT_SET_LDT of 1 entry");
    check_load(t, 0, 0, "after MMUEXT_SET_LDT of 1 entry");
    if (t->result < TEST_ERROR) {
        CHECK_RC(table_mmuext(MMUEXT_NEW_BASEPTR, l4->mfn), 0,
                 "MMUEXT_NEW_BASEPTR of a copy of the L4 table");
        CHECK_RC(spot_show(*a, a->mfn, PTE_RW), 0,
                 "after MMUEXT_NEW_BASEPTR: update_va_mapping, writable, of MFN 0x%lx of the LDT",
                 a->mfn.v);
        check_frame(t, spot_show(*a, a->mfn, PTE_RO), 0, "update_va_mapping, read-only", a->mfn);
        check_load(t, 0, 0, "after MMUEXT_NEW_BASEPTR");
        CHECK_RC(table_mmuext(MMUEXT_NEW_BASEPTR, t->d->pt.root), 0,
                 "MMUEXT_NEW_BASEPTR of the L4 table of the kernel");
    }
    ldt_close(&tr, "after the LDT in this frame was removed");
}

#define LDT_PAGES (MAX_ENTRIES / PTES_PER_TABLE)

/* All 16 pages of the LDT are page[0], except one, which is page[1] and has the only descriptor. */
static void check_ldt_page(struct test *t, struct tree *tr, unsigned int page)
{
    unsigned int entry = page * PTES_PER_TABLE + 3;

    for (unsigned int i = 0; i < LDT_PAGES; i++)
        CHECK_RC(pt_write(tr->table[1].mfn, i, pte_make(tr->page[i == page].mfn, PTE_RO)), 0,
                 "mmu_update of L1 entry %u", i);
    pt_flush();
    CHECK_RC(set_ldt(tr->va, MAX_ENTRIES), 0, "MMUEXT_SET_LDT of %d entries", MAX_ENTRIES);
    check_load(t, entry, 0, "with an LDT of 16 pages");
    check_load(t, (page ^ 1) * PTES_PER_TABLE + 3, -EFAULT, "with an LDT of 16 pages");
    CHECK_RC(set_ldt(0, 0), 0, "MMUEXT_SET_LDT of no entries");
    CHECK_RC(pt_write(tr->table[1].mfn, page, 0), 0, "mmu_update of L1 entry %u to 0", page);
    check_unused(&tr->room, &tr->page[1], "after the LDT with one page in this frame was removed");
    table_store(t, tr->page[1], 3, DATA_SEGMENT);
}

TEST_RULE(abi_ldt_pages, "Xen uses each of the 16 pages of the largest LDT, and releases it")
{
    static const unsigned int pages[] = {0, 1, 14, 15};
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    table_store(t, tr.page[1], 3, DATA_SEGMENT);
    tree_link(&tr, 3);
    if (tree_hook(&tr)) {
        for (unsigned int i = 0; i < ARRAY_SIZE(pages) && t->result < TEST_ERROR; i++)
            check_ldt_page(t, &tr, pages[i]);
        CHECK_RC(set_ldt(0, 0), 0, "MMUEXT_SET_LDT of no entries");
        tree_unhook(&tr);
    }
    tree_close(&tr);
}
