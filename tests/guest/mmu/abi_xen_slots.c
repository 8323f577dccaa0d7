/* SPDX-License-Identifier: MIT */
/*
 * Entries 256 to 271 of each L4 table are Xen's: <xen/arch-x86/xen-x86_64.h> reserves the addresses
 * from HYPERVISOR_VIRT_START to HYPERVISOR_VIRT_END.
 *
 * Without these tests Xen could let a guest write such an entry, and so replace Xen's own mappings
 * of all memory. The test tries the L4 table that is in use and another one, each MMU_* command
 * that writes page tables, and a store; a write of an entry's own value comes first, since a Xen
 * that lets it pass goes on. Guest entries must be writable by the same ways: mod_l4_entry() of
 * Xen arch/x86/mm.c, and is_guest_l4_slot(), decide. (The file abi_baseptr.c checks what Xen writes
 * to its entries.)
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/mmu/entry_ways.h"

#define LINEAR_SLOT 258 /* Xen maps the table itself */

/* Tries to write @value to entry @i, which is Xen's. */
static void check_refused(struct test *t, struct spot l4, unsigned int i, uint64_t value,
                          enum way way)
{
    uint64_t before = table_entry(l4, i);

    CHECK_RC(way_update(l4.mfn, i, way, value), -EINVAL,
             "%s of L4 entry %u, which is Xen's, from 0x%lx to 0x%lx", way_names[way], i, before,
             value);
    CHECK_EQ(table_entry(l4, i), before, "after a refused %s: L4 entry %u", way_names[way], i);
}

/*
 * @present is a valid entry for a guest's slot. If Xen accepts one of the writes, no further one is
 * tried. The last Xen slots of an L4 are not in use on most hosts, so the order is from the end.
 */
static void check_slots(struct test *t, struct tree *tr, struct spot l4, uint64_t present,
                        bool is_current)
{
    unsigned int step = tr->brief ? XEN_SLOT_END - XEN_SLOT - 1 : 1;

    for (unsigned int i = XEN_SLOT_END - 1; i >= XEN_SLOT; i -= step)
        for (enum way way = 0; way < (tr->brief ? 1 : NR_COMMANDS); way++) {
            if (t->result >= TEST_ERROR)
                return;
            check_refused(t, l4, i, table_entry(l4, i), way);
            if (is_current || tr->brief || t->result >= TEST_ERROR)
                continue;
            check_refused(t, l4, i, present, way);
            if (t->result < TEST_ERROR)
                check_refused(t, l4, i, 0, way);
        }
}

static void check_stores(struct test *t, struct spot l4)
{
    for (unsigned int i = XEN_SLOT - 1; i <= XEN_SLOT_END; i++) {
        uint64_t before = table_entry(l4, i);

        CHECK_RC(probe_write((uint64_t *)l4.va + i, before), -EFAULT,
                 "store of the value that is there, 0x%lx, to entry %u of the L4 table, MFN 0x%lx",
                 before, i, l4.mfn.v);
        CHECK_EQ(table_entry(l4, i), before, "after a store that faulted: L4 entry %u", i);
    }
}

/* Slots beside Xen's, and the first and the last one, are the guest's. */
static void check_guest_slots(struct test *t, struct tree *tr, struct spot l4)
{
    static const unsigned int slots[] = {0, XEN_SLOT - 1, XEN_SLOT_END, PTES_PER_TABLE - 1};
    uint64_t entry = tree_entry(tr, PT_LEVELS);

    for (unsigned int s = 0; s < ARRAY_SIZE(slots); s++)
        for (enum way way = 0; way < NR_COMMANDS; way++) {
            unsigned int i = slots[s];

            CHECK_RC(way_update(l4.mfn, i, way, entry), 0,
                     "%s of L4 entry %u, which is the guest's, to 0x%lx", way_names[way], i, entry);
            CHECK_EQ(table_entry(l4, i), entry, "after %s: L4 entry %u", way_names[way], i);
            CHECK_RC(way_update(l4.mfn, i, WAY_NORMAL, 0), 0,
                     "MMU_NORMAL_PT_UPDATE of L4 entry %u, which is the guest's, to 0", i);
            CHECK_EQ(table_entry(l4, i), 0, "after MMU_NORMAL_PT_UPDATE: L4 entry %u", i);
        }
}

/* What Xen writes to its entries of a new L4 table. The M2P (entry 256) may come later. */
static void check_contents(struct test *t, struct spot l4, struct spot root)
{
    for (unsigned int i = XEN_SLOT + 1; i < XEN_SLOT_END; i++)
        if (i != LINEAR_SLOT)
            CHECK_EQ(table_entry(l4, i), table_entry(root, i),
                     "entry %u, which is Xen's, of a new L4 table", i);
        else
            CHECK_EQ(pte_mfn(table_entry(l4, i)).v, l4.mfn.v,
                     "MFN in entry %u, Xen's linear page table, of a new L4 table", i);
}

TEST_RULE(abi_xen_slots, "no update and no store changes Xen's entries 256 to 271 of an L4 table")
{
    struct spot root = {.mfn = t->d->pt.root}, *l4;
    uint64_t present;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    l4 = &tr.table[PT_LEVELS];
    present = tree_entry(&tr, PT_LEVELS);
    table_pin(t, *l4, PT_LEVELS);
    root.va = (uintptr_t)pt_show(&t->d->pt, root.mfn, PT_LEVELS);
    check_contents(t, *l4, root);
    check_slots(t, &tr, *l4, present, false);
    check_stores(t, *l4);
    if (!tr.brief)
        check_slots(t, &tr, root, present, true);
    check_stores(t, root);
    table_unpin(t, *l4, PT_LEVELS);
    tree_close(&tr);
}

TEST_RULE(abi_guest_slots,
          "each update command writes the guest's entries beside Xen's of an L4 table")
{
    struct spot *l4;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    l4 = &tr.table[PT_LEVELS];
    table_pin(t, *l4, PT_LEVELS);
    check_guest_slots(t, &tr, *l4);
    table_unpin(t, *l4, PT_LEVELS);
    tree_close(&tr);
}
