/* SPDX-License-Identifier: MIT */
/*
 * Updates of single page-table entries: the frame of the old entry is released at once, the frame
 * of the new entry is held, and an update that Xen refuses changes neither.
 *
 * Without these tests Xen could lose a reference, so that a frame in use as a page table could also
 * be mapped writable; or keep one, so that a frame can never be used as anything else again. The
 * code is mod_l1_entry() to mod_l4_entry() of Xen arch/x86/mm.c, and ptwr_emulated_update() of
 * arch/x86/pv/ro-page-fault.c for stores that Xen emulates.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/entry_ways.h"

static uint64_t entry_of(unsigned int level, struct spot target)
{
    return pte_make(target.mfn, level == 1 ? PTE_RW : PTE_TABLE);
}

/* @target is named by an entry: Xen must refuse another type. Not tried where Xen logs it. */
static void check_held(struct test *t, struct tree *tr, unsigned int level, enum way way,
                       struct spot target)
{
    if (tr->brief)
        return;
    if (level == 1)
        CHECK(pt_pin(target.mfn, 1) < 0,
              "pin of MFN 0x%lx, which %s mapped writable: result is 0, expected a negative errno",
              target.mfn.v, way_names[way]);
    else
        CHECK(spot_show(target, target.mfn, PTE_RW) < 0,
              "writable mapping of MFN 0x%lx, which %s put into an L%u entry: result is 0, "
              "expected a negative errno",
              target.mfn.v, way_names[way], level);
}

/* The entry names @old. If @way fails, the table must be empty all the same for the next way. */
static void check_clear(struct test *t, struct tree *tr, unsigned int level, enum way way,
                        struct spot *old)
{
    if (t->result < TEST_ERROR)
        way_check(t, tr, level, way, 0);
    check_unused(&tr->room, old, "after an entry changed from this frame to 0");
    CHECK_RC(way_write(tr, level, WAY_NORMAL, 0), 0, "mmu_update of an L%u entry to 0", level);
}

/* The entry names @a, then @b, then nothing. */
static void check_change(struct test *t, struct tree *tr, unsigned int level, enum way way,
                         struct spot *a, struct spot *b)
{
    way_check(t, tr, level, way, entry_of(level, *a));
    check_held(t, tr, level, way, *a);
    if (t->result < TEST_ERROR)
        way_check(t, tr, level, way, entry_of(level, *b));
    check_held(t, tr, level, way, *b);
    check_unused(&tr->room, a, "after an entry changed from this frame to another one");
    check_clear(t, tr, level, way, b);
}

/* An entry that names @a stays, and @b has no type, if Xen refuses an entry that names @b. */
static void check_refusal(struct test *t, struct tree *tr, unsigned int level, enum way way,
                          struct spot *a, struct spot *b)
{
    uint64_t entry = entry_of(level, *a);
    /* at level 1, page[2] is a page table */
    uint64_t bad = level == 1 ? pte_make(tr->page[2].mfn, PTE_RW) : entry_of(level, *b) | PTE_PSE;

    way_check(t, tr, level, way, entry);
    entry = table_entry(tr->table[level], 0);
    CHECK(way_write(tr, level, way, bad) < 0,
          "%s of an L%u entry from 0x%lx to 0x%lx: result is 0, expected a negative errno",
          way_names[way], level, entry, bad);
    CHECK_EQ(table_entry(tr->table[level], 0), entry, "after a refused %s: the L%u entry",
             way_names[way], level);
    check_held(t, tr, level, way, *a);
    check_unused(&tr->room, b, "after an entry with this frame was refused");
    check_clear(t, tr, level, way, a);
}

/* Calls @check for each level and way. The entry at that level is 0 before and after. */
static void for_each_way(struct test *t,
                         void (*check)(struct test *t, struct tree *tr, unsigned int level,
                                       enum way way, struct spot *a, struct spot *b))
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS && t->result < TEST_ERROR; level++) {
        tree_link(&tr, 3);
        if (level < PT_LEVELS)
            table_store(t, tr.table[level], 0, 0);
        table_pin(t, tr.table[PT_LEVELS], PT_LEVELS);
        if (level < PT_LEVELS && !tree_hook(&tr))
            break;
        for (enum way way = 0; way < NR_WAYS && t->result < TEST_ERROR; way++)
            if (way_exists(t, level, way))
                check(t, &tr, level, way, &tr.page[0], &tr.page[1]);
        if (level < PT_LEVELS)
            tree_unhook(&tr);
        table_unpin(t, tr.table[PT_LEVELS], PT_LEVELS);
        for (unsigned int l = 1; l <= PT_LEVELS; l++)
            check_unused(&tr.room, &tr.table[l], "after the unpin of this table");
    }
    tree_close(&tr);
}

TEST_RULE(abi_entry_change,
          "an update of an entry releases the old frame at once, and holds the new one")
{
    for_each_way(t, check_change);
}

static void check_refusal_with_table(struct test *t, struct tree *tr, unsigned int level,
                                     enum way way, struct spot *a, struct spot *b)
{
    if (tr->brief && (level != 2 || way != WAY_NORMAL))
        return;
    if (level == 1)
        table_pin(t, tr->page[2], 1);
    check_refusal(t, tr, level, way, a, b);
    if (level == 1)
        table_unpin(t, tr->page[2], 1);
}

TEST_RULE(abi_entry_refused, "a refused update of an entry changes no reference")
{
    for_each_way(t, check_refusal_with_table);
}

/* From read-only to writable and back: only the right to write holds a type. */
static void check_rights(struct test *t, struct tree *tr, enum way way)
{
    struct spot page = tr->page[0];

    for (unsigned int i = 0; i < 4; i++) {
        bool writable = i % 2;

        way_check(t, tr, 1, way, pte_make(page.mfn, writable ? PTE_RW : PTE_RO));
        CHECK_RC(HYPERVISOR_update_va_mapping(
                     tr->va, pte_make(page.mfn, writable ? PTE_RW : PTE_RO), UVMF_INVLPG),
                 0, "update_va_mapping of 0x%lx to the entry that is there", tr->va);
        CHECK_RC(probe_write((void *)tr->va, 0), writable ? 0 : -EFAULT,
                 "after %s: store into a page that is mapped %s", way_names[way],
                 writable ? "writable" : "read-only");
        if (writable) {
            check_held(t, tr, 1, way, page);
        } else {
            CHECK_RC(pt_pin(page.mfn, 1), 0, "pin as L1 of MFN 0x%lx, which %s mapped read-only",
                     page.mfn.v, way_names[way]);
            table_unpin(t, page, 1);
        }
        if (t->result >= TEST_ERROR)
            return;
    }
    way_check(t, tr, 1, way, 0);
    check_unused(&tr->room, &tr->page[0], "after the mapping of this frame was removed");
}

TEST_RULE(abi_entry_rights,
          "a change of an L1 entry between read-only and writable changes the type")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    tree_link(&tr, 3);
    table_store(t, tr.table[1], 0, 0);
    if (tree_hook(&tr)) {
        for (enum way way = 0; way < NR_WAYS && t->result < TEST_ERROR; way++)
            if (way_exists(t, 1, way))
                check_rights(t, &tr, way);
        tree_unhook(&tr);
    }
    tree_close(&tr);
}
