/* SPDX-License-Identifier: MIT */
#include "mm/pagetable.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

const volatile uint64_t *pt_show(struct pagetable *pt, mfn_t table, unsigned int level)
{
    const volatile uint64_t *t = fixmap_map(pt->fixmap, FIXMAP_LEVEL + level - 1, table, PTE_RO);

    if (!t)
        panic("page tables: cannot read the level %u table, MFN 0x%lx: update_va_mapping, "
              "read-only, was refused",
              level, table.v);
    return t;
}

uint64_t pt_read(struct pagetable *pt, mfn_t table, unsigned int level, unsigned int index)
{
    return pt_show(pt, table, level)[index];
}

/* The request that writes entry @index of @table. */
static struct mmu_update entry_update(mfn_t table, unsigned int index, uint64_t pte)
{
    return (struct mmu_update){
        .ptr = (mfn_to_maddr(table) + index * sizeof(uint64_t)) | MMU_NORMAL_PT_UPDATE,
        .val = pte,
    };
}

int pt_write(mfn_t table, unsigned int index, uint64_t pte)
{
    struct mmu_update req = entry_update(table, index, pte);

    return (int)HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF);
}

/* As pt_walk, but the walk ends at level @lowest or above. */
static struct pt_entry walk_to(struct pagetable *pt, uint64_t va, unsigned int lowest)
{
    struct pt_entry e = {.level = PT_LEVELS, .table = pt->root};

    for (;;) {
        e.index = pte_index(va, e.level);
        e.pte = pt_read(pt, e.table, e.level, e.index);
        if (!pte_present(e.pte) || pte_is_leaf(e.pte, e.level) || e.level == lowest)
            return e;
        e.table = pte_mfn(e.pte);
        e.level--;
    }
}

struct pt_entry pt_walk(struct pagetable *pt, uint64_t va)
{
    return walk_to(pt, va, 1);
}

mfn_t pt_mfn(struct pagetable *pt, uint64_t va)
{
    struct pt_entry e = pt_walk(pt, va);
    uint64_t inside = va & (level_bytes(e.level) - 1);

    return pte_present(e.pte) ? to_mfn(pte_mfn(e.pte).v + inside / PAGE_SIZE) : INVALID_MFN;
}

/* Makes an empty table and sets @parent, a non-present entry, to it. */
static int add_table(struct pagetable *pt, const struct pt_entry *parent)
{
    mfn_t table;
    void *page;
    int rc = frame_pool_alloc(pt->frame_pool, &table);

    if (rc)
        return rc;
    page = fixmap_map(pt->fixmap, FIXMAP_SCRATCH, table, PTE_RW);
    if (page) {
        memset(page, 0, PAGE_SIZE);
        fixmap_unmap(pt->fixmap, FIXMAP_SCRATCH);
    }
    rc = page ? pt_write(parent->table, parent->index, pte_make(table, PTE_TABLE)) : -EPERM;
    if (!rc) {
        pt->nr_tables++;
        return 0;
    }

    int failed = frame_pool_free(pt->frame_pool, table);

    if (failed)
        panic(
            "page tables: cannot return MFN 0x%lx to the frame pool: %d (%s), after %s as a level "
            "%u table failed: %d (%s)",
            table.v, failed, errno_name(failed), page ? "mmu_update that links it" : "mapping it",
            parent->level - 1, rc, errno_name(rc));
    return rc;
}

int pt_map(struct pagetable *pt, uint64_t va, mfn_t mfn, uint64_t flags)
{
    if (!mfn_valid(mfn))
        return -EINVAL;
    for (;;) {
        struct pt_entry e = pt_walk(pt, va);
        int rc;

        if (pte_present(e.pte))
            return -EEXIST;
        if (e.level == 1)
            return pt_write(e.table, e.index, pte_make(mfn, flags));
        rc = add_table(pt, &e);
        if (rc)
            return rc;
    }
}

int pt_make_tables(struct pagetable *pt, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end;) {
        struct pt_entry e = pt_walk(pt, va);
        int rc = e.level > 1 ? add_table(pt, &e) : 0;

        if (rc)
            return rc;
        if (e.level == 1)
            va = ROUND_DOWN(va, level_bytes(2)) + level_bytes(2);
    }
    return 0;
}

static bool is_empty(struct pagetable *pt, mfn_t table, unsigned int level)
{
    const volatile uint64_t *entries = pt_show(pt, table, level);

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        if (entries[i])
            return false;
    return true;
}

/* Frees the table at @level that maps @va, and returns true, if there is one and it is empty. */
static bool drop_table(struct pagetable *pt, uint64_t va, unsigned int level)
{
    struct pt_entry e = walk_to(pt, va, level + 1);
    mfn_t table = pte_mfn(e.pte);

    if (e.level != level + 1 || !pte_present(e.pte) || !is_empty(pt, table, level))
        return false;
    fixmap_unmap_mfn(pt->fixmap, table);

    int rc = pt_write(e.table, e.index, 0);

    if (rc)
        panic("page tables: cannot clear the entry of the empty level %u table, MFN 0x%lx: "
              "mmu_update: result is %d (%s), expected 0",
              level, table.v, rc, errno_name(rc));
    rc = frame_pool_free(pt->frame_pool, table);
    if (rc)
        panic("page tables: cannot return the empty level %u table, MFN 0x%lx, to the frame pool: "
              "%d (%s)",
              level, table.v, rc, errno_name(rc));
    pt->nr_tables--;
    return true;
}

void pt_drop_tables(struct pagetable *pt, uint64_t start, uint64_t end)
{
    bool dropped = false;

    if (start >= end)
        return;
    for (unsigned int level = 1; level < 3; level++)
        for (uint64_t step = level_bytes(level + 1), va = ROUND_DOWN(start, step); va < end;
             va += step)
            dropped |= drop_table(pt, va, level);
    if (dropped)
        pt_flush();
}

/* Requests of one mmu_update: they share its fixed cost of about 400 ticks (mmu_batch.h). */
#define PROTECT_BATCH 32

int pt_protect(struct pagetable *pt, uint64_t start, uint64_t end, uint64_t flags)
{
    struct mmu_update req[PROTECT_BATCH];
    const volatile uint64_t *entries = NULL;
    struct pt_entry e = {0};
    unsigned int nr = 0;
    int rc = 0;

    for (uint64_t va = start; !rc && va < end; va += PAGE_SIZE) {
        if (va == start || pte_index(va, 1) == 0) {
            e = pt_walk(pt, va);
            entries = pt_show(pt, e.table, e.level);
        }
        uint64_t pte = entries[pte_index(va, e.level)];

        if (e.level != 1 || !pte_present(pte)) {
            rc = -ENOENT;
            break;
        }
        req[nr++] = entry_update(e.table, pte_index(va, 1), pte_make(pte_mfn(pte), flags));
        if (nr == PROTECT_BATCH || va + PAGE_SIZE == end) {
            rc = (int)HYPERVISOR_mmu_update(req, nr, NULL, DOMID_SELF);
            nr = 0;
        }
    }
    pt_flush();
    return rc;
}

int pt_unmap(struct pagetable *pt, uint64_t va, mfn_t *mfn)
{
    struct pt_entry e = pt_walk(pt, va);

    if (!pte_present(e.pte) || e.level != 1)
        return -ENOENT;
    *mfn = pte_mfn(e.pte);
    return (int)HYPERVISOR_update_va_mapping(va, 0, UVMF_INVLPG);
}

static int mmuext(unsigned int cmd, mfn_t mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn.v};

    return (int)HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void pt_flush(void)
{
    int rc = mmuext(MMUEXT_TLB_FLUSH_LOCAL, to_mfn(0));

    if (rc)
        panic("page tables: cannot flush the TLB: MMUEXT_TLB_FLUSH_LOCAL: result is %d (%s), "
              "expected 0",
              rc, errno_name(rc));
}

int pt_pin(mfn_t table, unsigned int level)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, table);
}

int pt_unpin(mfn_t table)
{
    return mmuext(MMUEXT_UNPIN_TABLE, table);
}

int pt_hook(struct pagetable *pt, uint64_t va, mfn_t l3)
{
    int rc = pt_pin(l3, 3);

    if (rc)
        return rc;
    rc = pt_write(pt->root, pte_index(va, 4), pte_make(l3, PTE_TABLE));

    int unpinned = pt_unpin(l3);

    if (unpinned)
        panic("page tables: cannot unpin the level 3 table, MFN 0x%lx, that was just pinned: "
              "MMUEXT_UNPIN_TABLE: result is %d (%s), expected 0",
              l3.v, unpinned, errno_name(unpinned));
    if (!rc)
        pt_flush();
    return rc;
}
