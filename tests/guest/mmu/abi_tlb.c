/* SPDX-License-Identifier: MIT */
/*
 * TLB flushes: an operation that promises a flush leaves no stale translation on this vCPU.
 *
 * Without these tests Xen could return from a flush without having flushed. A kernel that reuses
 * the frame afterwards would read or write through the old translation. Each test uses a
 * translation, changes the page-table entry without a flush, and then flushes. Whether the CPU
 * keeps the old translation until then is its own choice, and is not checked. The flushes are the
 * UVMF_* flags of update_va_mapping and the MMUEXT_* commands of <xen/xen.h>. Two flushes are not
 * in the header: an update of an L2, L3 or L4 entry flushes (the end of do_mmu_update() of Xen
 * arch/x86/mm.c), and so does a new type of a frame that was mapped writable (_get_page_type()): a
 * guest must not write a page table by an old translation.
 */
#include "lib/errno.h"
#include "lib/format.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"
#include "tests/guest/mmu/tlb_flush.h"

/* The contents of page[0] and page[1]; entry 0 of table[1] maps one of them, at tr->va. */
static const uint64_t contents[] = {0x1111111111111111, 0x2222222222222222};

/* Reads at @va, so that the TLB has a translation. */
static void check_read(struct test *t, uintptr_t va, unsigned int page, const char *when)
{
    uint64_t value = 0;

    CHECK_RC(probe_read((void *)va, &value), 0, "%s: read at 0x%lx", when, va);
    CHECK_EQ(value, contents[page], "%s: word at 0x%lx, which maps page %u now,", when, va, page);
}

static bool tlb_open(struct tree *tr, struct test *t)
{
    if (!tree_open(tr, t))
        return false;
    for (unsigned int i = 0; i < ARRAY_SIZE(contents); i++)
        table_fill(t, tr->page[i], contents[i]);
    tree_link(tr, 3);
    if (tree_hook(tr))
        return true;
    tree_close(tr);
    return false;
}

static void tlb_close(struct tree *tr)
{
    tree_unhook(tr);
    tree_close(tr);
}

static const uint64_t vcpu0_mask = 1;

/* Maps page 1, page 0, page 1, nothing, and page 1 again; @by changes the entry and flushes. */
static void check_flushes(struct test *t, long (*by)(const struct tlb_flush *f, uintptr_t va,
                                                     uint64_t pte, const uint64_t *mask))
{
    struct tree tr;

    if (!tlb_open(&tr, t))
        return;
    CHECK_RC(HYPERVISOR_update_va_mapping(tr.va, pte_make(tr.page[1].mfn, PTE_RO), UVMF_INVLPG), 0,
             "update_va_mapping of 0x%lx to page 1", tr.va);
    for (unsigned int i = 0; i < NR_TLB_FLUSHES; i++) {
        const struct tlb_flush *f = &tlb_flushes[i];

        check_read(t, tr.va, 1, "before a flush");
        for (unsigned int page = 0; page < 2; page++) {
            CHECK_RC(by(f, tr.va, pte_make(tr.page[page].mfn, PTE_RO), &vcpu0_mask), 0,
                     "PTE of 0x%lx to page %u by %s", tr.va, page, f->name);
            check_read(t, tr.va, page, f->name);
        }
        CHECK_RC(by(f, tr.va, 0, &vcpu0_mask), 0, "PTE of 0x%lx to 0 by %s", tr.va, f->name);
        CHECK_RC(probe_read((void *)tr.va, &(uint64_t){0}), -EFAULT,
                 "after %s, which removed the mapping: read at 0x%lx", f->name, tr.va);
        CHECK_RC(by(f, tr.va, pte_make(tr.page[1].mfn, PTE_RO), &vcpu0_mask), 0,
                 "PTE of 0x%lx to page 1 by %s", tr.va, f->name);
    }
    tlb_close(&tr);
}

TEST_RULE(abi_tlb_flush, "no stale translation is usable after a flush of the local TLB")
{
    check_flushes(t, tlb_flush_change);
}

TEST_RULE(abi_tlb_multicall, "no stale translation is usable after a flush in a multicall")
{
    check_flushes(t, tlb_flush_multicall);
}

#define NR_STALE 64

/* Changes NR_STALE entries without a flush, and then makes the flush @f. */
static void check_whole(struct test *t, struct tree *tr, const struct tlb_flush *f,
                        unsigned int page)
{
    uint64_t pte = pte_make(tr->page[page].mfn, PTE_RO), value;
    unsigned int nr_stale = 0;

    for (unsigned int i = 1; i < NR_STALE; i++)
        CHECK_RC(pt_write(tr->table[1].mfn, i, pte), 0, "mmu_update of L1 entry %u", i);
    CHECK_RC(tlb_flush_change(f, tr->va, pte, &vcpu0_mask), 0, "%s", f->name);
    for (unsigned int i = 0; i < NR_STALE; i++)
        if (probe_read((void *)(tr->va + i * PAGE_SIZE), &value) || value != contents[page])
            nr_stale++;
    CHECK_EQ(nr_stale, 0, "after %s: number of stale translations of %d pages", f->name, NR_STALE);
}

TEST_RULE(abi_tlb_flush_whole, "a flush of the whole TLB leaves no stale translation of 64 pages")
{
    struct tree tr;

    if (!tlb_open(&tr, t))
        return;
    for (unsigned int i = 0; i < NR_TLB_FLUSHES; i++)
        for (unsigned int page = 0; page < 2; page++)
            if (!tlb_flushes[i].is_invlpg)
                check_whole(t, &tr, &tlb_flushes[i], page);
    tlb_close(&tr);
}

/*
 * Above level 1: a second tree of tables, of which the L1 table maps page 1. The entry at @level
 * on the way to tr->va changes from the first tree to the second, and back, without a flush by the
 * kernel.
 */
static void check_upper(struct test *t, struct tree *tr, struct spot second[], unsigned int level)
{
    mfn_t parent = level == PT_LEVELS ? t->d->pt.root : tr->table[level].mfn;
    unsigned int i = level == PT_LEVELS ? tr->slot : 0;
    char when[48];

    format(when, sizeof(when), "after mmu_update of an L%u entry", level);
    check_read(t, tr->va, 0, "before mmu_update");
    CHECK_RC(pt_write(parent, i, pte_make(second[level - 1].mfn, PTE_TABLE)), 0,
             "mmu_update of an L%u entry to another table", level);
    check_read(t, tr->va, 1, when);
    CHECK_RC(pt_write(parent, i, 0), 0, "mmu_update of an L%u entry to 0", level);
    CHECK_RC(probe_read((void *)tr->va, &(uint64_t){0}), -EFAULT,
             "after mmu_update of an L%u entry to 0: read at 0x%lx", level, tr->va);
    CHECK_RC(pt_write(parent, i, tree_entry(tr, level)), 0, "mmu_update of an L%u entry", level);
    check_read(t, tr->va, 0, when);
}

TEST_RULE(abi_tlb_tables,
          "no stale translation is usable after mmu_update of an L2, L3 or L4 entry")
{
    struct spot second[PT_LEVELS];
    struct tree tr;

    if (!tlb_open(&tr, t))
        return;
    for (unsigned int level = 1; level < PT_LEVELS; level++) {
        second[level] = room_spot(&tr.room);
        table_store(t, second[level], 0,
                    level == 1 ? pte_make(tr.page[1].mfn, PTE_RO)
                               : pte_make(second[level - 1].mfn, PTE_TABLE));
    }
    for (unsigned int level = 2; level <= PT_LEVELS; level++)
        check_upper(t, &tr, second, level);
    tree_unhook(&tr);
    for (unsigned int level = PT_LEVELS - 1; level >= 1; level--) {
        check_unused(&tr.room, &second[level], "after its use as a page table");
        table_drop(&tr.room, second[level]);
    }
    tree_close(&tr);
}

/* page[2] is mapped writable and written to; then the mapping goes without a flush. */
static void check_type_change(struct test *t, struct tree *tr, unsigned int level)
{
    struct spot page = tr->page[2];
    int rc;

    CHECK_RC(HYPERVISOR_update_va_mapping(tr->va, pte_make(page.mfn, PTE_RW), UVMF_INVLPG), 0,
             "update_va_mapping, writable, of MFN 0x%lx", page.mfn.v);
    CHECK_RC(probe_write((void *)tr->va, 0), 0, "store at 0x%lx, mapped writable", tr->va);
    CHECK_RC(HYPERVISOR_update_va_mapping(tr->va, 0, UVMF_NONE), 0,
             "update_va_mapping of 0x%lx to 0, without a flush", tr->va);
    table_pin(t, page, level);
    rc = probe_write((void *)tr->va, 0x5a000);
    CHECK_RC(rc, -EFAULT,
             "store into MFN 0x%lx, pinned as L%u, by a translation from before the pin",
             page.mfn.v, level);
    CHECK_EQ(table_entry(page, 0), 0, "after the store: entry 0 of the L%u table", level);
    if (rc) /* else the unpin would give back a frame that Xen never took */
        table_unpin(t, page, level);
    CHECK_RC(HYPERVISOR_update_va_mapping(tr->va, 0, UVMF_INVLPG), 0,
             "update_va_mapping of 0x%lx to 0", tr->va);
    table_fill(t, page, 0);
}

TEST_RULE(abi_tlb_type, "a writable translation is not usable after the frame became a page table")
{
    struct tree tr;

    if (!tlb_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        check_type_change(t, &tr, level);
    tlb_close(&tr);
}

/*
 * Linux switches to the kernel's own table by MMUEXT_NEW_BASEPTR to get rid of stale translations,
 * as a write of CR3 does on a machine without Xen: new_guest_cr3() of Xen arch/x86/mm.c writes CR3
 * also if the table is the same.
 */
TEST_RULE(abi_tlb_baseptr, "MMUEXT_NEW_BASEPTR of the table that is in CR3 flushes the TLB")
{
    struct tree tr;

    if (!tlb_open(&tr, t))
        return;
    for (unsigned int i = 0; i < 4; i++) {
        unsigned int page = i % 2;
        uint64_t pte = pte_make(tr.page[page].mfn, PTE_RO);

        CHECK_RC(pt_write(tr.table[1].mfn, 0, pte), 0, "mmu_update of an L1 entry to page %u",
                 page);
        CHECK_RC(table_mmuext(MMUEXT_NEW_BASEPTR, t->d->pt.root), 0,
                 "MMUEXT_NEW_BASEPTR of the table in CR3");
        check_read(t, tr.va, page, "after MMUEXT_NEW_BASEPTR of the table in CR3");
    }
    tlb_close(&tr);
}
