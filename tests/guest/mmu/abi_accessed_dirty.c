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
#include "tests/guest/mmu/entry_ways.h"

#define AD (PTE_A | PTE_D)

/* The bits of @ad, in the old entry, that the command keeps. */
static uint64_t kept(enum way way, uint64_t ad)
{
    return way == WAY_PRESERVE ? ad : 0;
}

/* @entry has neither bit. From an entry with @old bits to one with @new bits. */
static void check_update(struct test *t, struct tree *tr, unsigned int level, enum way way,
                         uint64_t entry, uint64_t old, uint64_t new)
{
    uint64_t expected = new | kept(way, old) | (level == PT_LEVELS ? PTE_A : 0);

    way_check(t, tr, level, WAY_NORMAL, 0);
    way_check(t, tr, level, WAY_NORMAL, entry | old);
    way_check(t, tr, level, way, entry | new);
    CHECK_EQ(table_entry(tr->table[level], 0) & AD, expected,
             "after %s of an L%u entry from 0x%lx to 0x%lx: bits A (0x20) and D (0x40)",
             way_names[way], level, entry | old, entry | new);
}

/*
 * Each pair of old and new bits, and updates that change more than A and D: one removes W, for
 * which Xen checks the frame at level 1 again, and one removes the frame.
 */
static void check_level(struct test *t, struct tree *tr, unsigned int level)
{
    uint64_t entry = tree_entry(tr, level) & ~AD;
    struct spot table = tr->table[level];

    for (enum way way = 0; way < NR_COMMANDS; way++)
        for (unsigned int bits = 0; bits < 16; bits++) {
            uint64_t old = (bits & 1 ? PTE_A : 0) | (bits & 2 ? PTE_D : 0),
                     new = (bits & 4 ? PTE_A : 0) | (bits & 8 ? PTE_D : 0);

            check_update(t, tr, level, way, entry, old, new);
        }
    for (enum way way = 0; way < NR_COMMANDS; way++) {
        way_check(t, tr, level, WAY_NORMAL, entry | AD);
        way_check(t, tr, level, way, entry & ~PTE_W);
        CHECK_EQ(table_entry(table, 0) & AD, kept(way, AD) | (level == PT_LEVELS ? PTE_A : 0),
                 "after %s of an L%u entry that removes W, A and D: bits A (0x20) and D (0x40)",
                 way_names[way], level);
        way_check(t, tr, level, way, 0);
        CHECK_EQ(table_entry(table, 0), kept(way, AD), "L%u entry after %s to 0", level,
                 way_names[way]);
        way_check(t, tr, level, WAY_NORMAL, 0);
    }
}

TEST_RULE(abi_preserve_ad,
          "MMU_PT_UPDATE_PRESERVE_AD keeps the A and D bits, other commands do not")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        table_pin(t, tr.table[level], level);
        check_level(t, &tr, level);
        table_unpin(t, tr.table[level], level);
    }
    tree_close(&tr);
}
