/* SPDX-License-Identifier: MIT */
/*
 * MMUEXT_NEW_BASEPTR and MMUEXT_NEW_USER_BASEPTR of <xen/xen.h>: the L4 table of the guest kernel,
 * and the one of user mode.
 *
 * Without these tests Xen could keep a reference to the table that was in use before. A guest that
 * switches tables at each context switch would then run out of memory, since no such table could
 * be used as anything else again. Xen could also forget Xen's own entries of a new table, or show
 * the M2P to user mode although the guest asked Xen to hide it (VMASST_TYPE_m2p_strict). The code
 * is new_guest_cr3(), do_mmuext_op() and init_xen_l4_slots() of Xen arch/x86/mm.c.
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"

#define LINEAR_SLOT 258 /* Xen maps the table itself */

static const char *const names[] = {
    [MMUEXT_NEW_BASEPTR] = "MMUEXT_NEW_BASEPTR",
    [MMUEXT_NEW_USER_BASEPTR] = "MMUEXT_NEW_USER_BASEPTR",
};

static void set_base(struct test *t, unsigned int cmd, mfn_t l4, long expected, const char *what)
{
    CHECK_RC(table_mmuext(cmd, l4), expected, "%s of MFN 0x%lx (%s)", names[cmd], l4.v, what);
}

/*
 * Is the frame of @s an L4 table now? Xen adds A to an entry of an L4 table. To a frame that is no
 * page table, mmu_update writes the value as it is.
 */
static void check_is_l4(struct test *t, struct tree *tr, struct spot s, bool expected,
                        const char *when)
{
    uint64_t entry = tree_entry(tr, PT_LEVELS) & ~PTE_A;

    CHECK_RC(table_update(s.mfn, tr->slot, entry, MMU_NORMAL_PT_UPDATE), 0,
             "%s: mmu_update of entry %u of MFN 0x%lx to 0x%lx", when, tr->slot, s.mfn.v, entry);
    CHECK_EQ(table_entry(s, tr->slot), entry | (expected ? PTE_A : 0),
             "%s: entry %u of MFN 0x%lx, expected to be %s L4 table, after its update", when,
             tr->slot, s.mfn.v, expected ? "an" : "no");
    CHECK_RC(table_update(s.mfn, tr->slot, 0, MMU_NORMAL_PT_UPDATE), 0,
             "%s: mmu_update of entry %u of MFN 0x%lx to 0", when, tr->slot, s.mfn.v);
}

/* On the copy: Xen's entries are those of the old table, and the tree can be hooked in. */
static void check_copy_in_use(struct test *t, struct tree *tr, struct spot l4)
{
    const volatile uint64_t *root = pt_show(&t->d->pt, t->d->pt.root, PT_LEVELS);
    uint64_t value = 1;

    CHECK_EQ(cr3_mfn().v, l4.mfn.v, "after MMUEXT_NEW_BASEPTR: MFN in CR3");
    for (unsigned int i = XEN_SLOT; i < XEN_SLOT_END; i++) {
        if (i != LINEAR_SLOT)
            CHECK_EQ(table_entry(l4, i), root[i],
                     "after MMUEXT_NEW_BASEPTR: entry %u, which is Xen's, of the new L4 table", i);
        else
            CHECK_EQ(pte_mfn(table_entry(l4, i)).v, l4.mfn.v,
                     "after MMUEXT_NEW_BASEPTR: MFN in entry %u, Xen's linear page table,", i);
    }
    check_is_l4(t, tr, l4, true, "after MMUEXT_NEW_BASEPTR");
    CHECK_RC(table_update(l4.mfn, tr->slot, tree_entry(tr, PT_LEVELS), MMU_NORMAL_PT_UPDATE), 0,
             "mmu_update of entry %u of the new L4 table", tr->slot);
    CHECK_RC(probe_read((void *)tr->va, &value), 0,
             "read at 0x%lx, which only the new L4 table maps", tr->va);
    CHECK_RC(table_update(l4.mfn, tr->slot, 0, MMU_NORMAL_PT_UPDATE), 0,
             "mmu_update of entry %u of the new L4 table to 0", tr->slot);
}

/* To the copy and back, twice in a row each: the second time changes nothing. */
static void check_round_trip(struct test *t, struct tree *tr, bool pinned)
{
    mfn_t root = t->d->pt.root;
    struct spot *l4 = tree_copy_root(tr);

    tree_link(tr, 3);
    if (pinned)
        CHECK_RC(pt_pin(l4->mfn, PT_LEVELS), 0, "pin of a copy of the L4 table in CR3");
    if (t->result >= TEST_ERROR)
        return;
    set_base(t, MMUEXT_NEW_BASEPTR, l4->mfn, 0, "a copy of the L4 table in CR3");
    set_base(t, MMUEXT_NEW_BASEPTR, l4->mfn, 0, "the table that is in use already");
    check_copy_in_use(t, tr, *l4);
    set_base(t, MMUEXT_NEW_BASEPTR, root, 0, "the L4 table of the kernel");
    set_base(t, MMUEXT_NEW_BASEPTR, root, 0, "the table that is in use already");
    CHECK_EQ(cr3_mfn().v, root.v,
             "after MMUEXT_NEW_BASEPTR of the L4 table of the kernel: MFN in CR3");
    check_is_l4(t, tr, *l4, pinned, "after MMUEXT_NEW_BASEPTR of another table");
    if (pinned)
        CHECK_RC(pt_unpin(l4->mfn), 0, "unpin of the L4 table that was in CR3");
    check_unused(&tr->room, l4,
                 "after MMUEXT_NEW_BASEPTR of another L4 table, frame of the old table");
}

TEST_RULE(abi_new_baseptr,
          "after MMUEXT_NEW_BASEPTR, the old L4 table holds no type and no reference")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    check_round_trip(t, &tr, false);
    check_round_trip(t, &tr, true);
    tree_close(&tr);
}

TEST_RULE(abi_new_user_baseptr,
          "after MMUEXT_NEW_USER_BASEPTR, the old user L4 table holds no type and no reference")
{
    mfn_t none = to_mfn(0), root = t->d->pt.root;
    struct spot *l4;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    l4 = &tr.table[PT_LEVELS];
    set_base(t, MMUEXT_NEW_USER_BASEPTR, l4->mfn, 0, "an L4 table without entries");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, l4->mfn, 0, "the table that is in use already");
    check_is_l4(t, &tr, *l4, true, "after MMUEXT_NEW_USER_BASEPTR");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, none, 0, "no table");
    check_is_l4(t, &tr, *l4, false, "after MMUEXT_NEW_USER_BASEPTR of no table");
    check_unused(&tr.room, l4, "after MMUEXT_NEW_USER_BASEPTR of no table, frame of the old table");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, l4->mfn, 0, "an L4 table without entries");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, root, 0, "the L4 table in CR3");
    check_unused(&tr.room, l4,
                 "after MMUEXT_NEW_USER_BASEPTR of another table, frame of the old table");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, none, 0, "no table");
    tree_close(&tr);
}

/* The bad frame is a copy of the L4 table in CR3, so that a Xen that accepts it goes on. */
TEST_RULE(abi_bad_baseptr, "a refused MMUEXT_NEW_BASEPTR or _USER_BASEPTR keeps the table in use")
{
    mfn_t past = to_mfn(t->d->host.max_mfn + 1), none = to_mfn(0), root = t->d->pt.root;
    struct spot *user, *copy;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    user = &tr.page[1], copy = tree_copy_root(&tr);
    set_base(t, MMUEXT_NEW_USER_BASEPTR, user->mfn, 0, "an L4 table without entries");
    check_frame(t, spot_show(*copy, copy->mfn, PTE_RW), 0, "update_va_mapping, writable",
                copy->mfn);
    for (unsigned int i = 0; i < (tr.brief ? 1 : 2); i++) {
        unsigned int cmd = i ? MMUEXT_NEW_USER_BASEPTR : MMUEXT_NEW_BASEPTR;

        set_base(t, cmd, past, -EINVAL, "past the last MFN of the host");
        if (!tr.brief)
            set_base(t, cmd, copy->mfn, -EINVAL, "a frame that is mapped writable");
        check_is_l4(t, &tr, *user, true, "after a refused switch, the user L4 table");
    }
    CHECK_EQ(cr3_mfn().v, root.v, "after refused switches: MFN in CR3");
    if (!mfn_eq(cr3_mfn(), root))
        set_base(t, MMUEXT_NEW_BASEPTR, root, 0, "the L4 table of the kernel");
    set_base(t, MMUEXT_NEW_USER_BASEPTR, none, 0, "no table");
    check_unused(&tr.room, copy, "after MMUEXT_NEW_BASEPTR of this frame was refused");
    check_unused(&tr.room, user, "after MMUEXT_NEW_USER_BASEPTR of no table");
    tree_close(&tr);
}

static long m2p_strict(unsigned int cmd)
{
    return HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_m2p_strict, 0, 0);
}

TEST_RULE(abi_m2p_strict, "VMASST_TYPE_m2p_strict hides the M2P from the user L4 table")
{
    struct spot *l4;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    l4 = &tr.table[PT_LEVELS];
    CHECK_RC(m2p_strict(VMASST_CMD_enable), 0, "vm_assist(enable, VMASST_TYPE_m2p_strict)");
    table_pin(t, *l4, PT_LEVELS);
    CHECK_EQ(table_entry(*l4, XEN_SLOT), pt_read(&t->d->pt, t->d->pt.root, PT_LEVELS, XEN_SLOT),
             "with m2p_strict: L4 entry %u, the M2P, of a new table", XEN_SLOT);
    set_base(t, MMUEXT_NEW_USER_BASEPTR, l4->mfn, 0, "with m2p_strict");
    CHECK_EQ(table_entry(*l4, XEN_SLOT), 0,
             "with m2p_strict: L4 entry %u, the M2P, of the user table", XEN_SLOT);
    set_base(t, MMUEXT_NEW_USER_BASEPTR, to_mfn(0), 0, "no table");
    table_unpin(t, *l4, PT_LEVELS);
    CHECK_RC(m2p_strict(VMASST_CMD_disable), 0, "vm_assist(disable, VMASST_TYPE_m2p_strict)");
    tree_close(&tr);
}
