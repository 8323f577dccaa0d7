/* SPDX-License-Identifier: MIT */
/*
 * Linear page tables below level 4, and chains of them (XSA-240, "Unlimited recursion in linear
 * pagetable de-typing"). The file abi_page_types.c has an L4 table that maps itself.
 *
 * A linear page table is a table that an entry of a table of the same level names. Such an entry
 * must be read-only, or the guest could write the page table. Without these tests Xen could accept
 * a chain of tables that name one another, whose release recurses in Xen without end. So a table
 * that a linear entry names has no linear entry to another table, and the reverse:
 * get_l2_linear_pagetable() and its like of Xen arch/x86/mm.c. Xen's option pv-linear-pt=off, and
 * Xen built without CONFIG_PV_LINEAR_PT, refuse all of them.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"

#define READONLY (PTE_TABLE & ~PTE_W)

/* Three tables of one level. */
struct chain {
    struct tree *tr;
    unsigned int level;
    struct spot *a, *b, *c;
};

static void check_link(struct test *t, const struct chain *c, struct spot from, struct spot to,
                       uint64_t flags, long expected, const char *what)
{
    uint64_t entry = pte_make(to.mfn, flags);

    CHECK_RC(pt_write(from.mfn, 1, entry), expected, "mmu_update of an L%u entry to 0x%lx (%s)",
             c->level, entry, what);
    if (expected)
        CHECK_EQ(table_entry(from, 1), 0, "after a refused mmu_update: the L%u entry (%s)",
                 c->level, what);
}

static void check_unlink(struct test *t, const struct chain *c, struct spot from)
{
    CHECK_RC(pt_write(from.mfn, 1, 0), 0, "mmu_update of an L%u entry to 0", c->level);
}

static void check_chain(struct test *t, const struct chain *c)
{
    check_link(t, c, *c->a, *c->a, READONLY, 0, "names its own table, read-only");
    check_unlink(t, c, *c->a);
    check_link(t, c, *c->a, *c->b, READONLY, 0, "names another table of the level, read-only");
    check_link(t, c, *c->b, *c->c, READONLY, -EINVAL,
               "names a third table, in a table that a linear entry names");
    check_link(t, c, *c->c, *c->a, READONLY, -EINVAL, "names a table that has a linear entry");
    check_link(t, c, *c->b, *c->a, READONLY, -EINVAL,
               "names a table whose linear entry names this table");
    check_link(t, c, *c->c, *c->b, READONLY, 0, "names a table that another linear entry names");
    check_unlink(t, c, *c->c);
    check_unlink(t, c, *c->a);
    check_link(t, c, *c->b, *c->a, READONLY, 0, "names a table whose linear entry was removed");
    check_unlink(t, c, *c->b);
    if (!c->tr->brief) {
        check_link(t, c, *c->a, *c->a, PTE_TABLE, -EINVAL, "names its own table, writable");
        check_link(t, c, *c->a, *c->b, PTE_TABLE, -EINVAL,
                   "names another table of the level, writable");
    }
}

/* A pin validates an entry before Xen adds U to it; mmu_update does so afterwards. */
static void check_pin_writable(struct test *t, struct spot table, unsigned int level)
{
    uint64_t entry = pte_make(table.mfn, PTE_TABLE & ~PTE_U);

    table_store(t, table, 1, entry);
    CHECK_RC(pt_pin(table.mfn, level), -EINVAL,
             "pin as L%u of a table whose entry 0x%lx names the table itself, writable, without U",
             level, entry);
    if (t->result < TEST_ERROR)
        table_store(t, table, 1, 0);
}

static void check_level(struct test *t, struct tree *tr, unsigned int level)
{
    struct chain c = {tr, level, &tr->page[0], &tr->page[1], &tr->page[2]};
    struct spot *all[] = {c.a, c.b, c.c};

    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        table_pin(t, *all[i], level);
    check_chain(t, &c);
    /* the table that a linear entry names keeps its type until the entry goes */
    check_link(t, &c, *c.a, *c.b, READONLY, 0, "names another table of the level, read-only");
    CHECK_RC(pt_unpin(c.b->mfn), 0, "unpin of an L%u table that a linear entry names", level);
    if (!tr->brief)
        CHECK(spot_show(*c.b, c.b->mfn, PTE_RW) < 0,
              "writable mapping of an L%u table that a linear entry names: result is 0, expected a "
              "negative errno",
              level);
    CHECK_RC(pt_unpin(c.a->mfn), 0, "unpin of an L%u table with a linear entry", level);
    table_unpin(t, *c.c, level);
    if (!tr->brief)
        check_pin_writable(t, *c.c, level);
    for (unsigned int i = 0; i < ARRAY_SIZE(all); i++)
        check_unused(&tr->room, all[i], "after the unpin of this linear page table");
}

/* Does Xen allow linear page tables? On a debug build, a refusal is logged, so it is asked once. */
static bool is_allowed(struct tree *tr)
{
    struct spot l2 = tr->table[2];
    bool allowed;

    if (pt_pin(l2.mfn, 2))
        return true; /* the checks will name it */
    allowed = !pt_write(l2.mfn, 1, pte_make(l2.mfn, READONLY)) && !pt_write(l2.mfn, 1, 0);
    return !pt_unpin(l2.mfn) && allowed;
}

TEST_RULE(
    abi_linear_chain,
    "Xen allows read-only linear page tables at levels 2 to 4, and no chain of them (XSA-240)")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    if (is_allowed(&tr))
        for (unsigned int level = 2; level <= PT_LEVELS && t->result < TEST_ERROR; level++)
            check_level(t, &tr, level);
    else
        test_skip(t, "this Xen refuses linear page tables (pv-linear-pt=off)");
    tree_close(&tr);
}

/* The entry of a linear page table shows the table itself as a page: at level 2, as an L1 table. */
TEST_RULE(abi_linear_read,
          "an L2 or L3 table that maps itself read-only can be read and not written")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    if (!is_allowed(&tr)) {
        test_skip(t, "this Xen refuses linear page tables (pv-linear-pt=off)");
        tree_close(&tr);
        return;
    }
    tree_link(&tr, 3);
    if (tree_hook(&tr)) {
        for (unsigned int level = 2; level <= 3; level++) {
            struct spot table = tr.table[level];
            uintptr_t va = tr.va;
            uint64_t value = 0;

            /* each step of the walk below @level uses entry 1 of the table itself */
            for (unsigned int l = 1; l <= level; l++)
                va += level_bytes(l);
            CHECK_RC(pt_write(table.mfn, 1, pte_make(table.mfn, READONLY)), 0,
                     "mmu_update of L%u entry 1 to the table itself, read-only", level);
            CHECK_RC(probe_read((void *)va, &value), 0,
                     "read of an L%u table by its linear entry at 0x%lx", level, va);
            CHECK_EQ(value, table_entry(table, 0),
                     "entry 0 of an L%u table, read by the linear entry of the table,", level);
            CHECK_RC(probe_write((void *)(va + 8), 0), -EFAULT,
                     "store into an L%u table by its linear entry at 0x%lx", level, va + 8);
            CHECK_RC(pt_write(table.mfn, 1, 0), 0, "mmu_update of L%u entry 1 to 0", level);
            CHECK_RC(probe_read((void *)va, &value), -EFAULT,
                     "read of an L%u table at 0x%lx, after its linear entry was removed", level,
                     va);
        }
        tree_unhook(&tr);
    }
    tree_close(&tr);
}
