/* SPDX-License-Identifier: MIT */
/*
 * The bits A (accessed) and D (dirty) of page-table entries.
 *
 * Without this test a kernel that changes the rights of a page while another CPU writes to it could
 * lose the D bit, and would then drop the page as unchanged. <xen/xen.h>:
 * MMU_PT_UPDATE_PRESERVE_AD is "as MMU_NORMAL_PT_UPDATE above, but A/D bits currently in the PTE
 * are ORed with those in @val". The other commands write the value as it is. At level 4 Xen sets A
 * in any case (adjust_guest_l4e() of Xen arch/x86/pv/mm.h).
 */
#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"

#define AD (PTE_A | PTE_D)

struct command {
    unsigned int cmd;
    bool preserves;
    const char *name;
};

static const struct command commands[] = {
    {MMU_NORMAL_PT_UPDATE,       false, "MMU_NORMAL_PT_UPDATE"      },
    {MMU_PT_UPDATE_NO_TRANSLATE, false, "MMU_PT_UPDATE_NO_TRANSLATE"},
    {MMU_PT_UPDATE_PRESERVE_AD,  true,  "MMU_PT_UPDATE_PRESERVE_AD" },
};

/* @entry has neither bit. From an entry with @old bits to one with @new bits. */
static void check_update(struct test *t, struct spot table, unsigned int level,
                         const struct command *c, uint64_t entry, uint64_t old, uint64_t new)
{
    uint64_t expected = new | (c->preserves ? old : 0) | (level == PT_LEVELS ? PTE_A : 0);

    CHECK_RC(table_update(table.mfn, 0, 0, MMU_NORMAL_PT_UPDATE), 0, "mmu_update to 0");
    CHECK_RC(table_update(table.mfn, 0, entry | old, MMU_NORMAL_PT_UPDATE), 0,
             "mmu_update of an empty L%u entry to 0x%lx", level, entry | old);
    CHECK_RC(table_update(table.mfn, 0, entry | new, c->cmd), 0, "%s of an L%u entry to 0x%lx",
             c->name, level, entry | new);
    CHECK_EQ(table_entry(table, 0) & AD, expected,
             "after %s of an L%u entry from 0x%lx to 0x%lx: bits A (0x20) and D (0x40)", c->name,
             level, entry | old, entry | new);
}

/*
 * The flags in @change differ from those of the old entry as well: none; an available bit, which
 * Xen writes without a new check of the frame; and at level 1 also W, for which Xen checks it.
 */
static void check_level(struct test *t, struct tree *tr, unsigned int level)
{
    uint64_t entry = tree_entry(tr, level) & ~AD;

    for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
        for (unsigned int bits = 0; bits < 16; bits++) {
            uint64_t old = (bits & 1 ? PTE_A : 0) | (bits & 2 ? PTE_D : 0),
                     new = (bits & 4 ? PTE_A : 0) | (bits & 8 ? PTE_D : 0);

            check_update(t, tr->table[level], level, &commands[i], entry, old, new);
        }
    for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
        struct spot table = tr->table[level];

        CHECK_RC(table_update(table.mfn, 0, entry | AD, MMU_NORMAL_PT_UPDATE), 0, "mmu_update");
        CHECK_RC(table_update(table.mfn, 0, entry & ~PTE_W, commands[i].cmd), 0,
                 "%s of an L%u entry that removes W, A and D", commands[i].name, level);
        CHECK_EQ(table_entry(table, 0) & AD,
                 (commands[i].preserves ? AD : 0) | (level == PT_LEVELS ? PTE_A : 0),
                 "after %s of an L%u entry that removes W, A and D: bits A (0x20) and D (0x40)",
                 commands[i].name, level);
        CHECK_RC(table_update(table.mfn, 0, 0, commands[i].cmd), 0, "%s to 0", commands[i].name);
        CHECK_EQ(table_entry(table, 0), commands[i].preserves ? AD : 0,
                 "after %s of an L%u entry to 0: it", commands[i].name, level);
        CHECK_RC(table_update(table.mfn, 0, 0, MMU_NORMAL_PT_UPDATE), 0, "mmu_update to 0");
    }
}

TEST_RULE(abi_preserve_ad,
          "MMU_PT_UPDATE_PRESERVE_AD keeps the A and D bits, other commands do not")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        CHECK_RC(pt_pin(tr.table[level].mfn, level), 0, "pin of a zeroed frame as L%u", level);
        check_level(t, &tr, level);
        CHECK_RC(pt_unpin(tr.table[level].mfn), 0, "unpin as L%u", level);
    }
    tree_close(&tr);
}
