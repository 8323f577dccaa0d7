/* SPDX-License-Identifier: MIT */
/*
 * The bits of page-table entries: those that a guest may set are kept, all others are refused.
 *
 * Without these tests Xen could drop a bit, for example NX, so that data could be executed; or
 * accept one, for example PSE in a table of level 2, so that a guest maps 2 MiB of memory that is
 * not its own (XSA-148). <xen/xen.h> lists the bits at HYPERVISOR_mmu_update. Xen refuses, by
 * base_disallow_mask of arch/x86/mm.c, the bits PWT, PCD, PSE and G above level 1, and in a domain
 * without a device the bits of the cache attributes at level 1. Xen sets U in every entry, A in
 * entries of level 4, and in an L1 entry G, except if bit 52 marks a page of the guest's kernel
 * (adjust_guest_l1e() to _l4e() of arch/x86/pv/mm.h).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/entry_ways.h"

#define FIRST_HIGH 52 /* bits 51:12 are the address */
#define RET_CODE   0xc3c3c3c3c3c3c3c3

enum verdict { KEPT, REFUSED, EITHER };

/* All entries here have bit 0 (P). */
static bool is_flag(struct tree *tr, unsigned int level, unsigned int bit)
{
    return bit != 0 && (bit < PAGE_SHIFT || bit >= FIRST_HIGH) &&
           !(level == 1 && (uint64_t)1 << bit == PTE_GNTTAB && tr->brief);
}

static enum verdict verdict_of(struct test *t, unsigned int level, unsigned int bit)
{
    uint64_t flag = (uint64_t)1 << bit;

    if (flag == PTE_NX)
        return pte_has_nx() ? KEPT : REFUSED;
    if (level > 1)
        return flag & (CACHE_BITS | PTE_G) ? REFUSED : KEPT;
    if (flag & CACHE_BITS) /* a domU with a device may use them, too */
        return boot_info_is_initdomain(&t->d->boot) ? KEPT : EITHER;
    return KEPT;
}

/* The entry of which one bit is changed: at level 1, page[0], read-only. */
static uint64_t base_entry(struct tree *tr, unsigned int level)
{
    return level == 1 ? pte_make(tr->page[0].mfn, PTE_P | PTE_U) : tree_entry(tr, level);
}

static void check_write(struct test *t, struct tree *tr, unsigned int level, enum way way,
                        uint64_t entry, enum verdict verdict)
{
    uint64_t before = table_entry(tr->table[level], 0), after;
    int rc = way_write(tr, level, way, entry), refusal = way == WAY_STORE ? -EFAULT : -EINVAL;

    after = table_entry(tr->table[level], 0);
    if (verdict != EITHER)
        CHECK_RC(rc, verdict == KEPT ? 0 : refusal, "%s of an L%u entry from 0x%lx to 0x%lx",
                 way_names[way], level, before, entry);
    if (rc == 0)
        CHECK_EQ(after, entry_adjusted(level, entry), "L%u entry after %s from 0x%lx to 0x%lx",
                 level, way_names[way], before, entry);
    else
        CHECK_EQ(after, before, "L%u entry after a refused %s to 0x%lx", level, way_names[way],
                 entry);
}

/* From an empty entry, from a present one that differs in the bit alone, and back. */
static void check_bit(struct test *t, struct tree *tr, unsigned int level, enum way way,
                      unsigned int bit)
{
    enum verdict verdict = verdict_of(t, level, bit);
    uint64_t base = base_entry(tr, level), entry = base ^ ((uint64_t)1 << bit);

    check_write(t, tr, level, WAY_NORMAL, 0, KEPT);
    check_write(t, tr, level, way, entry, verdict);
    check_write(t, tr, level, WAY_NORMAL, 0, KEPT);
    check_write(t, tr, level, way, base, KEPT);
    if (way == WAY_PRESERVE && (((uint64_t)1 << bit) & (PTE_A | PTE_D)))
        return; /* the file abi_accessed_dirty.c has these bits */
    check_write(t, tr, level, way, entry, verdict);
    check_write(t, tr, level, way, base, KEPT);
}

static void check_level(struct test *t, struct tree *tr, unsigned int level)
{
    for (enum way way = 0; way < NR_WAYS; way++)
        for (unsigned int bit = 1; bit < 64 && way_exists(t, level, way); bit++)
            if (is_flag(tr, level, bit) && t->result < TEST_ERROR &&
                !(tr->brief && verdict_of(t, level, bit) != KEPT))
                check_bit(t, tr, level, way, bit);
}

TEST_RULE(abi_entry_bits, "each flag of an L1 to L4 entry is kept, or the entry is refused")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    tree_link(&tr, 3);
    table_pin(t, tr.table[PT_LEVELS], PT_LEVELS);
    if (tree_hook(&tr)) {
        for (unsigned int level = 1; level <= PT_LEVELS; level++)
            check_level(t, &tr, level);
        for (unsigned int level = 2; tr.brief && level <= PT_LEVELS; level++)
            check_write(t, &tr, level, WAY_NORMAL, tree_entry(&tr, level) | PTE_PWT, REFUSED);
        tree_unhook(&tr);
    }
    table_unpin(t, tr.table[PT_LEVELS], PT_LEVELS);
    tree_close(&tr);
}

TEST_RULE(abi_pin_bits, "a pin of a table keeps each flag that its entries may have")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        struct spot table = tr.table[level];
        uint64_t base = base_entry(&tr, level);

        table_fill(t, table, 0);
        for (unsigned int bit = 1; bit < 64; bit++)
            if (is_flag(&tr, level, bit) && verdict_of(t, level, bit) == KEPT)
                table_store(t, table, bit, base ^ ((uint64_t)1 << bit));
        CHECK_RC(pt_pin(table.mfn, level), 0, "pin as L%u, entries with one flag changed each",
                 level);
        for (unsigned int bit = 1; bit < 64; bit++)
            if (is_flag(&tr, level, bit) && verdict_of(t, level, bit) == KEPT)
                CHECK_EQ(table_entry(table, bit),
                         entry_adjusted(level, base ^ ((uint64_t)1 << bit)),
                         "after the pin of an L%u table: entry %u, of which bit %u differs from "
                         "0x%lx",
                         level, bit, bit, base);
        table_unpin(t, table, level);
    }
    tree_close(&tr);
}

/* Entry 0 of a table that is not in use has a flag that Xen refuses. */
static void check_pin_refused(struct test *t, struct tree *tr, unsigned int level, unsigned int bit)
{
    struct spot *table = &tr->table[level];
    uint64_t entry = base_entry(tr, level) | (uint64_t)1 << bit;

    table_fill(t, *table, 0);
    table_store(t, *table, 0, entry);
    CHECK_RC(pt_pin(table->mfn, level), -EINVAL, "pin as L%u of a table whose entry 0 is 0x%lx",
             level, entry);
    check_unused(&tr->room, table, "after a refused pin of this frame");
}

TEST_RULE(abi_pin_bits_refused,
          "a pin refuses an L2, L3 or L4 table whose entry has PWT, PCD, PSE or G")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = tr.brief ? PT_LEVELS : 2; level <= PT_LEVELS; level++)
        for (unsigned int bit = 1; bit < PAGE_SHIFT; bit++)
            if (verdict_of(t, level, bit) == REFUSED && t->result < TEST_ERROR &&
                !(tr.brief && (uint64_t)1 << bit != PTE_G))
                check_pin_refused(t, &tr, level, bit);
    tree_close(&tr);
}

static void check_fetch(struct test *t, struct tree *tr, bool has_nx, const char *what,
                        unsigned int level)
{
    uint64_t result;

    CHECK_RC(probe_exec((void *)tr->va, &result), has_nx ? -EFAULT : 0,
             "call into a page, after %s wrote its L%u entry %s NX", what, level,
             has_nx ? "with" : "without");
}

/* NX is set in a present entry and removed again, at one level after the other. */
static void check_nx(struct test *t, struct tree *tr, unsigned int level, enum way way)
{
    uint64_t entry = level == 1 ? pte_make(tr->page[0].mfn, PTE_RX) : tree_entry(tr, level);

    for (unsigned int nx = 0; nx < 4; nx++) {
        uint64_t value = entry | (nx % 2 ? PTE_NX : 0);
        int rc = level < PT_LEVELS ? way_write(tr, level, way, value)
                                   : pt_write(t->d->pt.root, tr->slot, value);

        CHECK_RC(rc, 0, "%s of an L%u entry to 0x%lx", way_names[way], level, value);
        pt_flush();
        check_fetch(t, tr, nx % 2, way_names[way], level);
    }
    if (level < PT_LEVELS)
        CHECK_RC(way_write(tr, level, way, entry), 0, "%s of an L%u entry to 0x%lx", way_names[way],
                 level, entry);
    else
        CHECK_RC(pt_write(t->d->pt.root, tr->slot, entry), 0, "mmu_update of an L4 entry");
}

TEST_RULE(abi_entry_nx, "a call into a page faults if an L1, L2, L3 or L4 entry of the page has NX")
{
    struct tree tr;

    if (!pte_has_nx()) {
        test_skip(t, "this CPU has no NX bit");
        return;
    }
    if (!tree_open(&tr, t))
        return;
    table_fill(t, tr.page[0], RET_CODE);
    tree_link(&tr, 3);
    table_store(t, tr.table[1], 0, pte_make(tr.page[0].mfn, PTE_RX));
    if (tree_hook(&tr)) {
        for (unsigned int level = 1; level <= PT_LEVELS; level++)
            for (enum way way = 0; way < NR_WAYS; way++)
                if (way_exists(t, level, way) && (level < PT_LEVELS || way == WAY_NORMAL))
                    check_nx(t, &tr, level, way);
        tree_unhook(&tr);
    }
    tree_close(&tr);
}

/* A page is writable only if the entries of all levels have W. */
TEST_RULE(abi_entry_writable, "a store into a page faults if an L1, L2, L3 or L4 entry has no W")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    tree_link(&tr, 3);
    if (tree_hook(&tr)) {
        for (unsigned int level = 1; level <= PT_LEVELS; level++)
            for (unsigned int i = 0; i < 4; i++) {
                mfn_t table = level < PT_LEVELS ? tr.table[level].mfn : t->d->pt.root;
                uint64_t entry = tree_entry(&tr, level) & ~(i % 2 ? 0 : PTE_W);

                CHECK_RC(pt_write(table, level < PT_LEVELS ? 0 : tr.slot, entry), 0,
                         "mmu_update of an L%u entry to 0x%lx", level, entry);
                pt_flush();
                CHECK_RC(probe_write((void *)tr.va, i), i % 2 ? 0 : -EFAULT,
                         "store into a page whose L%u entry is 0x%lx", level, entry);
            }
        tree_unhook(&tr);
    }
    tree_close(&tr);
}
