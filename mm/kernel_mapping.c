/* SPDX-License-Identifier: MIT */
#include "mm/kernel_mapping.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

/* Tables for the image: one at level 3, one at level 2, and a level 1 table for each 2 MiB. */
#define MAX_TABLES 8

struct builder {
    struct pagetable *pt;
    const struct kernel_mapping *k;
    mfn_t tables[MAX_TABLES];
    unsigned int nr_tables, nr_used;
    struct pfn_run run; /* contiguous PFNs to be freed, not yet in the pool */
    struct kernel_mapping_result *out;
};

static bool in_range(const struct va_range *r, uint64_t va)
{
    return va - r->start < r->end - r->start;
}

static bool is_fixmap(const struct pagetable *pt, uint64_t va)
{
    uint64_t start = (uintptr_t)pt->fixmap->pages;

    return va - start < NR_FIXMAP_SLOTS * PAGE_SIZE;
}

static void give_back(struct builder *b)
{
    for (unsigned int i = 0; i < b->nr_tables; i++) {
        int rc = frame_pool_free(b->pt->frame_pool, b->tables[i]);

        if (rc)
            panic(
                "kernel mapping: cannot return MFN 0x%lx, an unused page table, to the frame pool: "
                "%d (%s)",
                b->tables[i].v, rc, errno_name(rc));
    }
}

static int take_tables(struct builder *b)
{
    uint64_t first = ROUND_DOWN(b->k->image.start, level_bytes(2));
    uint64_t need = 2 + DIV_ROUND_UP(b->k->image.end - first, level_bytes(2));

    if (need > MAX_TABLES)
        return -ENOMEM;
    for (; b->nr_tables < need; b->nr_tables++) {
        int rc = frame_pool_alloc(b->pt->frame_pool, &b->tables[b->nr_tables]);

        if (rc) {
            give_back(b);
            return rc;
        }
    }
    return 0;
}

static uint64_t *open_table(struct builder *b, unsigned int level, mfn_t *mfn)
{
    uint64_t *t;

    *mfn = b->tables[b->nr_used++];
    t = fixmap_map(b->pt->fixmap, FIXMAP_BUILD + level - 1, *mfn, PTE_RW);
    return t ? memset(t, 0, PAGE_SIZE) : NULL;
}

/*
 * Maps the image's pages from @start to the end of a level 1 table as before, but not the fixmap
 * slots, which may map a page table.
 */
static int build_l1(struct builder *b, uint64_t start, mfn_t *mfn)
{
    uint64_t end = min_u64(ROUND_DOWN(start, level_bytes(2)) + level_bytes(2), b->k->image.end);
    struct pt_entry first = pt_walk(b->pt, start);
    const volatile uint64_t *old;
    uint64_t *l1;

    if (first.level != 1)
        return -ENOENT;
    old = pt_show(b->pt, first.table, 1);
    l1 = open_table(b, 1, mfn);
    if (!l1)
        return -EPERM;
    for (uint64_t va = start; va < end; va += PAGE_SIZE)
        if (!is_fixmap(b->pt, va))
            l1[pte_index(va, 1)] = old[pte_index(va, 1)];
    fixmap_unmap(b->pt->fixmap, FIXMAP_BUILD);
    return 0;
}

static int build_tables(struct builder *b, mfn_t *l3)
{
    uint64_t start = b->k->image.start, *t3 = open_table(b, 3, l3), *t2;
    mfn_t l2;

    t2 = t3 ? open_table(b, 2, &l2) : NULL;
    if (!t2)
        return -EPERM;
    t3[pte_index(start, 3)] = pte_make(l2, PTE_TABLE);
    for (uint64_t va = start; va < b->k->image.end;
         va = ROUND_DOWN(va, level_bytes(2)) + level_bytes(2)) {
        mfn_t l1;
        int rc = build_l1(b, va, &l1);

        if (rc)
            return rc;
        t2[pte_index(va, 2)] = pte_make(l1, PTE_TABLE);
    }
    return 0;
}

/* Gives the run to the pool. Parts may be there already: the builder maps its page tables too. */
static void flush_run(struct builder *b)
{
    struct frame_pool *f = b->pt->frame_pool;
    uint64_t free_before = f->free.nr_pfns;
    int rc = frame_pool_add(f, b->run.start, b->run.end);

    for (uint64_t pfn = b->run.start; rc == -EEXIST && pfn < b->run.end; pfn++)
        if (frame_pool_add(f, pfn, pfn + 1) == -ENOMEM)
            rc = -ENOMEM;
    if (rc == -ENOMEM)
        panic("kernel mapping: cannot free PFNs [0x%lx, 0x%lx): the frame pool's array of runs is "
              "full",
              b->run.start, b->run.end);
    b->out->nr_freed += f->free.nr_pfns - free_before;
    b->run = (struct pfn_run){0};
}

/* Frees @mfn if it is a frame of this domain that is not to be kept. */
static void free_frame(struct builder *b, mfn_t mfn)
{
    pfn_t pfn = m2p_get(b->pt->frame_pool->m2p, mfn);

    if (!mfn_eq(p2m_get_ram(b->pt->frame_pool->p2m, pfn), mfn))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(b->k->keep_mfns); i++)
        if (mfn_eq(mfn, b->k->keep_mfns[i]))
            return;
    if (pfn.v != b->run.end) {
        flush_run(b);
        b->run.start = pfn.v;
    }
    b->run.end = pfn.v + 1;
}

/* Frees @table, which maps addresses from @va on, the tables below it, and pages not to be kept. */
static void free_tree(struct builder *b, mfn_t table, unsigned int level, uint64_t va)
{
    const volatile uint64_t *entries = pt_show(b->pt, table, level);

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte = entries[i];

        if (!pte_present(pte))
            continue;
        if (!pte_is_leaf(pte, level))
            free_tree(b, pte_mfn(pte), level - 1, va);
        else if (level == 1 && !in_range(&b->k->image, va) && !in_range(&b->k->keep[0], va) &&
                 !in_range(&b->k->keep[1], va))
            free_frame(b, pte_mfn(pte));
    }
    fixmap_unmap_mfn(b->pt->fixmap, table);
    free_frame(b, table);
}

int kernel_mapping_reduce(struct pagetable *pt, const struct kernel_mapping *k,
                          struct kernel_mapping_result *out)
{
    struct builder b = {.pt = pt, .k = k, .out = out};
    uint64_t slot_base = ROUND_DOWN(k->image.start, level_bytes(4));
    mfn_t old_l3 = pte_mfn(pt_read(pt, pt->root, 4, pte_index(k->image.start, 4)));
    mfn_t l3;
    int rc = take_tables(&b);

    *out = (struct kernel_mapping_result){0};
    if (rc)
        return rc;
    rc = build_tables(&b, &l3);
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        fixmap_unmap(pt->fixmap, slot);
    /* The one write. Both sets of tables map the code that runs next. */
    if (!rc)
        rc = pt_hook(pt, k->image.start, l3);
    if (rc) {
        give_back(&b);
        return rc;
    }
    free_tree(&b, old_l3, 3, slot_base);
    flush_run(&b);
    return 0;
}

uint64_t kernel_mapping_end(struct pagetable *pt, uint64_t from)
{
    uint64_t va = from;

    while (va) {
        struct pt_entry e = pt_walk(pt, va);

        if (!pte_present(e.pte))
            return va;
        if (e.level > 1) {
            va = ROUND_DOWN(va, level_bytes(e.level)) + level_bytes(e.level);
            continue;
        }
        /* Read this level 1 table to its end, without a walk for each entry. */
        for (unsigned int i = e.index; i < PTES_PER_TABLE; i++, va += PAGE_SIZE)
            if (!pte_present(pt_read(pt, e.table, 1, i)))
                return va;
    }
    return 0;
}

uint64_t kernel_mapping_first_mapped(struct pagetable *pt, uint64_t from)
{
    unsigned int slot = pte_index(from, 4);

    for (uint64_t va = from; va && pte_index(va, 4) == slot;) {
        struct pt_entry e = pt_walk(pt, va);

        if (pte_present(e.pte))
            return va;
        va = ROUND_DOWN(va, level_bytes(e.level)) + level_bytes(e.level);
    }
    return 0;
}
