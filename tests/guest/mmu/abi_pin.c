/* SPDX-License-Identifier: MIT */
/*
 * MMUEXT_PIN_L1_TABLE to MMUEXT_PIN_L4_TABLE and MMUEXT_UNPIN_TABLE of <xen/xen.h>: Xen validates
 * each entry of a table, and gives back what the entries hold.
 *
 * Without these tests one entry that Xen does not look at would go unnoticed. A guest could map a
 * page table writable by such an entry, or a frame could keep a type or a reference for ever, so
 * that the domain can neither use it as another table nor return it to Xen. XSA-296 to XSA-310 have
 * several errors of this kind. The loops are promote_l1_table() to demote_l4_table() of Xen
 * arch/x86/mm.c. Xen adds bits to the entries that it validates (adjust_guest_l1e() to _l4e() of
 * arch/x86/pv/mm.h), which shows that it saw an entry.
 */
#include "lib/errno.h"

#include "tests/guest/mmu/entry_ways.h"

static bool is_xen_slot(unsigned int level, unsigned int i)
{
    return level == PT_LEVELS && i >= XEN_SLOT && i < XEN_SLOT_END;
}

/* What the entries of table[level] name: table[level - 1], or page[0]. */
static struct spot *target(struct tree *tr, unsigned int level)
{
    return level == 1 ? &tr->page[0] : &tr->table[level - 1];
}

static void check_pin(struct test *t, struct tree *tr, unsigned int level, unsigned int i)
{
    CHECK_RC(pt_pin(tr->table[level].mfn, level), 0,
             "pin of MFN 0x%lx as L%u, entry %u names MFN 0x%lx", tr->table[level].mfn.v, level, i,
             target(tr, level)->mfn.v);
}

/* All entries of the table are without U. Xen adds U to each of them, and A to entries of an L4. */
static void check_all(struct test *t, struct tree *tr, unsigned int level, const char *step)
{
    struct spot table = tr->table[level];
    uint64_t before = mfn_to_maddr(target(tr, level)->mfn) | PTE_P,
             after = entry_adjusted(level, before);

    table_fill(t, table, before);
    CHECK_RC(pt_pin(table.mfn, level), 0, "%s as L%u, all entries are 0x%lx", step, level, before);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++) {
        uint64_t found = table_entry(table, i);

        if (is_xen_slot(level, i))
            CHECK(found != before && found != after,
                  "after the %s: L4 entry %u, which is Xen's, is 0x%lx, expected Xen's value", step,
                  i, found);
        else
            CHECK_EQ(found, after,
                     "after the %s: L%u entry %u, to which Xen adds bits if it is valid,", step,
                     level, i);
    }
    if (t->result >= TEST_ERROR) /* an unpin would give back references that Xen never took */
        return;
    table_unpin(t, table, level);
}

/* Twice, since an unpinned table must be validated anew. */
static void check_twice(struct test *t, struct tree *tr, unsigned int level)
{
    check_all(t, tr, level, "first pin");
    if (t->result < TEST_ERROR)
        check_all(t, tr, level, "second pin");
    check_unused(&tr->room, &tr->table[level], "after the unpin of a table of 512 entries");
    check_unused(&tr->room, target(tr, level), "named by 512 entries of a table, after its unpin");
}

TEST_RULE(abi_pin_entries,
          "a pin of a table validates each of its entries, and an unpin releases each")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS && t->result == TEST_SUCCESS; level++)
        check_twice(t, &tr, level);
    tree_close(&tr);
}

/* Slots at which a loop may begin or end too early; those beside Xen's are for an L4 table. */
static const unsigned int slots[] = {0, 1, 255, 272, 511};

/* One entry of a pinned table names a frame: the frame has a type now, and no other. */
static void check_one(struct test *t, struct tree *tr, unsigned int level, unsigned int i)
{
    struct spot table = tr->table[level], *named = target(tr, level);

    table_fill(t, table, 0);
    table_store(t, table, i, tree_entry(tr, level));
    check_pin(t, tr, level, i);
    if (!tr->brief)
        CHECK(level == 1 ? pt_pin(named->mfn, 1) < 0 : spot_show(*named, named->mfn, PTE_RW) < 0,
              "MFN 0x%lx, named by entry %u of a pinned L%u table, gets a second type: result is "
              "0, expected a negative errno",
              named->mfn.v, i, level);
    if (t->result >= TEST_ERROR)
        return;
    table_unpin(t, table, level);
    check_unused(&tr->room, &tr->table[level], "after the unpin of a table with one entry");
    check_unused(&tr->room, named, "named by one entry of a table, after its unpin");
}

TEST_RULE(abi_pin_types, "an entry of a pinned table holds a type of the frame, until the unpin")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        for (unsigned int i = tr.brief ? ARRAY_SIZE(slots) - 1 : 0; i < ARRAY_SIZE(slots); i++)
            if (t->result == TEST_SUCCESS)
                check_one(t, &tr, level, slots[i]);
    tree_close(&tr);
}

/* What is wrong with an entry. */
enum bad { BAD_SELF, BAD_PSE, BAD_FRAME, BAD_TYPE, NR_BAD };

static const char *const bad_names[] = {
    [BAD_SELF] = "names the table itself, writable",
    [BAD_PSE] = "has the PSE bit",
    [BAD_FRAME] = "names a frame past the last one of the host",
    [BAD_TYPE] = "names a frame that is mapped writable",
};

static uint64_t bad_entry(struct tree *tr, unsigned int level, enum bad bad)
{
    switch (bad) {
    case BAD_SELF:
        return pte_make(tr->table[level].mfn, level == 1 ? PTE_RW : PTE_TABLE);
    case BAD_PSE:
        return tree_entry(tr, level) | PTE_PSE;
    case BAD_FRAME:
        return pte_make(to_mfn(tr->room.t->d->host.max_mfn + 1), PTE_TABLE);
    case BAD_TYPE:
    default:
        return pte_make(tr->page[1].mfn, PTE_TABLE);
    }
}

/* All entries but @i are good. Xen must give back what it took for those before entry @i. */
static void check_bad(struct test *t, struct tree *tr, unsigned int level, unsigned int i,
                      enum bad bad)
{
    struct spot table = tr->table[level];
    int rc;

    /* an L1 entry has no such bits, and a dom0 may map what is not RAM */
    if (level == 1 && bad != BAD_SELF)
        return;
    CHECK_RC(spot_show(tr->page[1], tr->page[1].mfn, PTE_RW), 0,
             "update_va_mapping, writable, of MFN 0x%lx", tr->page[1].mfn.v);
    table_fill(t, table, tree_entry(tr, level));
    table_store(t, table, i, bad_entry(tr, level, bad));
    rc = pt_pin(table.mfn, level);
    CHECK(rc < 0, "pin of MFN 0x%lx as L%u, entry %u %s: result is %d, expected a negative errno",
          table.mfn.v, level, i, bad_names[bad], rc);
    check_unused(&tr->room, &tr->table[level], "after a refused pin of this frame");
    check_unused(&tr->room, target(tr, level),
                 "after a refused pin of a table that names this frame");
}

/*
 * All tables of the tree are pinned by one operation. The last entry at @level is bad.
 *
 * Entry 0 of the L3 and L4 table is empty, so that Xen has validated an entry before it can preempt
 * the pin.
 */
static void check_deep(struct test *t, struct tree *tr, unsigned int level, enum bad bad)
{
    int rc;

    for (unsigned int l = 1; l <= PT_LEVELS; l++) {
        table_fill(t, tr->table[l], tree_entry(tr, l));
        if (l > 2)
            table_store(t, tr->table[l], 0, 0);
    }
    table_store(t, tr->table[level], 511, bad_entry(tr, level, bad));
    rc = pt_pin(tr->table[PT_LEVELS].mfn, PT_LEVELS);
    CHECK(rc < 0,
          "pin of an L4 table; in the tree, entry 511 of an L%u table %s: result is %d, expected a "
          "negative errno",
          level, bad_names[bad], rc);
    for (unsigned int l = PT_LEVELS; l >= 1; l--)
        check_unused(&tr->room, &tr->table[l], "after a refused pin of a tree of tables");
    check_unused(&tr->room, &tr->page[0], "after a refused pin of a tree, the page that it maps");
}

TEST_RULE(abi_pin_refused,
          "a refused pin leaves no type and no reference in the table and the tables "
          "that it names (XSA-299)")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    check_deep(t, &tr, 2, BAD_PSE);
    if (!tr.brief) {
        check_deep(t, &tr, 1, BAD_SELF);
        check_deep(t, &tr, 3, BAD_PSE);
    }
    for (unsigned int level = 1; level <= PT_LEVELS && !tr.brief; level++)
        for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++)
            for (enum bad bad = 0; bad < NR_BAD && t->result == TEST_SUCCESS; bad++)
                if (level == 1 || i % NR_BAD == bad || cmdline_wants_full(&t->d->options))
                    check_bad(t, &tr, level, slots[i], bad);
    tree_close(&tr);
}

TEST_RULE(abi_pin_twice,
          "a second pin, and an unpin of a table that is not pinned, change no count")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    if (tr.brief)
        test_skip(t, "this Xen logs refusals; abi_table_types has a second pin and unpin");
    for (unsigned int level = 1; level <= PT_LEVELS && !tr.brief; level++) {
        struct spot *table = &tr.table[level];

        check_pin(t, &tr, level, 0);
        CHECK_RC(pt_pin(table->mfn, level), -EINVAL, "second pin of MFN 0x%lx as L%u", table->mfn.v,
                 level);
        table_unpin(t, *table, level);
        check_unused(&tr.room, table, "after two pins, of which Xen refused one, and an unpin");
        CHECK_RC(pt_unpin(table->mfn), -EINVAL, "unpin of MFN 0x%lx, which is not pinned",
                 table->mfn.v);
        check_unused(&tr.room, table, "after a refused unpin");
    }
    tree_close(&tr);
}

/* Xen adds U to an entry of a page table of this level. To other frames it writes what it is told.
 */
static void check_is_table(struct test *t, struct tree *tr, unsigned int level, bool expected,
                           const char *when)
{
    struct spot table = tr->table[level];
    uint64_t entry = tree_entry(tr, level) & ~PTE_U;

    CHECK_RC(pt_write(table.mfn, 1, entry), 0, "%s: mmu_update of entry 1 of the L%u table", when,
             level);
    CHECK_EQ(table_entry(table, 1) & PTE_U, expected ? PTE_U : 0,
             "%s: bit U (0x4), which Xen adds to an entry of an L%u table,", when, level);
    CHECK_RC(pt_write(table.mfn, 1, 0), 0, "%s: mmu_update of entry 1 to 0", when);
}

TEST_RULE(abi_pin_nested, "a pinned table keeps its type when a table that names it is unpinned")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    tree_link(&tr, PT_LEVELS);
    for (unsigned int level = 1; level < PT_LEVELS && t->result < TEST_ERROR; level++) {
        struct spot table = tr.table[level];

        table_pin(t, table, level);
        table_pin(t, tr.table[PT_LEVELS], PT_LEVELS);
        check_is_table(t, &tr, level, true, "with two references");
        table_unpin(t, tr.table[PT_LEVELS], PT_LEVELS);
        check_is_table(t, &tr, level, true, "after the unpin of the L4 table above");
        table_pin(t, tr.table[PT_LEVELS], PT_LEVELS);
        table_unpin(t, table, level);
        check_is_table(t, &tr, level, true,
                       "after the unpin of this table, below a pinned L4 table");
        table_unpin(t, tr.table[PT_LEVELS], PT_LEVELS);
        check_is_table(t, &tr, level, false, "after the last unpin");
    }
    tree_close(&tr);
}
