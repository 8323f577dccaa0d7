/* SPDX-License-Identifier: MIT */
#include "mm/list_tables.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#define LEAVES_PER_L1 ((uint64_t)PTES_PER_TABLE)
#define LEAVES_PER_L2 (LEAVES_PER_L1 * PTES_PER_TABLE)

/*
 * Tables are built depth first: at most one table of each level is open at a time, in the fixmap
 * slot of its level.
 */
struct builder {
    struct revector *r;
    struct frame_cursor reserve;
    struct revectored *out;
    mfn_t none_l1, none_l2; /* shared tables; INVALID_MFN until a hole covers a whole one */
    mfn_t span_mfn;         /* the builder's leaves [span_at, span_end) have these frames */
    uint64_t span_at, span_end;
};

static uint64_t list_leaves(const struct builder *b)
{
    return b->r->plan->list_end / P2M_PER_PAGE;
}

static bool all_none(const struct builder *b, uint64_t start, uint64_t leaves)
{
    return leaves_none(b->r->plan, start, min_u64(start + leaves, list_leaves(b)));
}

/* A frame of the reserve. The reserve has as many frames as list_tables_count computed. */
static mfn_t take(struct builder *b)
{
    mfn_t mfn;

    if (frame_pool_next(&b->reserve, &mfn))
        panic("P2M move: the reserve of frames for the new P2M list is empty, expected one frame "
              "more (bug: list_tables_count counted too few)");
    return mfn;
}

static uint64_t *open_table(struct builder *b, unsigned int level, mfn_t mfn)
{
    uint64_t *table = fixmap_map(b->r->pt->fixmap, FIXMAP_BUILD + level - 1, mfn, PTE_RW);

    if (table)
        memset(table, 0, PAGE_SIZE);
    b->out->nr_tables++;
    return table;
}

static void close_table(struct builder *b, unsigned int level)
{
    fixmap_unmap(b->r->pt->fixmap, FIXMAP_BUILD + level - 1);
}

/* Builds a table at @level with @pte in each entry. */
static int build_uniform(struct builder *b, unsigned int level, uint64_t pte, mfn_t *mfn)
{
    uint64_t *table;

    *mfn = take(b);
    table = open_table(b, level, *mfn);
    if (!table)
        return -EPERM;
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        table[i] = pte;
    close_table(b, level);
    return 0;
}

static int none_leaf(struct builder *b)
{
    void *page;

    if (!mfn_eq(b->out->none_leaf, INVALID_MFN))
        return 0;
    b->out->none_leaf = take(b);
    page = fixmap_map(b->r->pt->fixmap, FIXMAP_SCRATCH, b->out->none_leaf, PTE_RW);
    if (!page)
        return -EPERM;
    memset(page, 0xff, PAGE_SIZE);
    fixmap_unmap(b->r->pt->fixmap, FIXMAP_SCRATCH);
    return 0;
}

/* The frame of the builder's leaf @leaf. One walk gives the frames of a whole superpage. */
static mfn_t old_leaf(struct builder *b, uint64_t leaf)
{
    if (leaf < b->span_at || leaf >= b->span_end) {
        uint64_t va = (uintptr_t)b->r->p2m->list + leaf * PAGE_SIZE;
        struct pt_entry e = pt_walk(b->r->pt, va);
        uint64_t inside = (va & (level_bytes(e.level) - 1)) / PAGE_SIZE;

        if (!pte_present(e.pte))
            panic("P2M move: the level %u entry for 0x%lx, in the builder's P2M list, is 0x%lx, "
                  "expected present",
                  e.level, va, e.pte);
        b->span_mfn = to_mfn(pte_mfn(e.pte).v + inside);
        b->span_at = leaf;
        b->span_end = leaf + level_bytes(e.level) / PAGE_SIZE - inside;
    }
    return to_mfn(b->span_mfn.v + (leaf - b->span_at));
}

static int build_l1(struct builder *b, uint64_t start, mfn_t *mfn)
{
    uint64_t end = min_u64(start + LEAVES_PER_L1, list_leaves(b));
    uint64_t *l1;

    *mfn = take(b);
    l1 = open_table(b, 1, *mfn);
    if (!l1)
        return -EPERM;
    for (uint64_t at = start; at < end;) {
        struct leaf_run run = leaves_at(b->r->plan, at);

        run.end = min_u64(run.end, end);
        if (run.kind == LEAF_NONE && none_leaf(b))
            return -EPERM;
        for (; at < run.end; at++) {
            uint64_t *pte = &l1[at % LEAVES_PER_L1];

            if (run.kind == LEAF_OLD)
                *pte = pte_make(old_leaf(b, run.from + (at - run.start)), PTE_RW);
            else if (run.kind == LEAF_NEW)
                *pte = pte_make(take(b), PTE_RW);
            else
                *pte = pte_make(b->out->none_leaf, PTE_RO);
        }
    }
    close_table(b, 1);
    return 0;
}

static int none_l1(struct builder *b)
{
    int rc = none_leaf(b);

    if (rc || !mfn_eq(b->none_l1, INVALID_MFN))
        return rc;
    return build_uniform(b, 1, pte_make(b->out->none_leaf, PTE_RO), &b->none_l1);
}

static int none_l2(struct builder *b)
{
    int rc = none_l1(b);

    if (rc || !mfn_eq(b->none_l2, INVALID_MFN))
        return rc;
    return build_uniform(b, 2, pte_make(b->none_l1, PTE_TABLE), &b->none_l2);
}

static int build_l2(struct builder *b, uint64_t start, mfn_t *mfn)
{
    uint64_t end = min_u64(start + LEAVES_PER_L2, list_leaves(b));
    uint64_t *l2;

    *mfn = take(b);
    l2 = open_table(b, 2, *mfn);
    if (!l2)
        return -EPERM;
    for (uint64_t at = start; at < end; at += LEAVES_PER_L1) {
        bool none = all_none(b, at, LEAVES_PER_L1);
        mfn_t l1;
        int rc = none ? none_l1(b) : build_l1(b, at, &l1);

        if (rc)
            return rc;
        l2[(at / LEAVES_PER_L1) % PTES_PER_TABLE] = pte_make(none ? b->none_l1 : l1, PTE_TABLE);
    }
    close_table(b, 2);
    return 0;
}

int list_tables_build(struct revector *r, const struct frame_pool *reserve, struct revectored *out,
                      mfn_t *l3)
{
    struct builder b = {.r = r, .reserve = {.frame_pool = reserve}, .out = out};
    uint64_t *table;

    out->none_leaf = b.none_l1 = b.none_l2 = INVALID_MFN;
    *l3 = take(&b);
    table = open_table(&b, 3, *l3);
    if (!table)
        return -EPERM;

    for (uint64_t at = 0; at < list_leaves(&b); at += LEAVES_PER_L2) {
        bool none = all_none(&b, at, LEAVES_PER_L2);
        mfn_t l2;
        int rc = none ? none_l2(&b) : build_l2(&b, at, &l2);
        if (rc)
            return rc;
        table[at / LEAVES_PER_L2] = pte_make(none ? b.none_l2 : l2, PTE_TABLE);
    }
    close_table(&b, 3);
    return 0;
}

/*
 * The number of tables of one level, of @leaves_each leaves, that are not all hole. Sets *@shared
 * if at least one table is all hole.
 */
static uint64_t count_level(const struct plan *plan, uint64_t leaves_each, bool *shared)
{
    uint64_t end = plan->list_end / P2M_PER_PAGE, n = 0;

    for (uint64_t at = 0; at < end; at += leaves_each) {
        bool none = leaves_none(plan, at, min_u64(at + leaves_each, end));

        *shared = *shared || none;
        n += !none;
    }
    return n;
}

uint64_t list_tables_count(const struct plan *plan)
{
    bool none_leaf = leaves_count(plan, LEAF_NONE) > 0, none_l1 = false, none_l2 = false;
    uint64_t l1 = count_level(plan, LEAVES_PER_L1, &none_l1);
    uint64_t l2 = count_level(plan, LEAVES_PER_L2, &none_l2);

    return 1 /* level 3 */ + l2 + none_l2 + l1 + none_l1 + none_leaf;
}

static mfn_t table_of(struct pagetable *pt, const struct p2m *p2m, uint64_t pfn)
{
    return pt_walk(pt, (uintptr_t)&p2m->list[pfn]).table;
}

uint64_t list_tables_pass(struct pagetable *pt, const struct p2m *p2m, uint64_t pfn)
{
    uint64_t at = ROUND_DOWN(pfn, LIST_TABLE_PFNS);
    mfn_t before;

    if (!at || at >= p2m->nr)
        return pfn;
    before = table_of(pt, p2m, at - LIST_TABLE_PFNS);
    while (at < p2m->nr && mfn_eq(table_of(pt, p2m, at), before))
        at += LIST_TABLE_PFNS;
    return max_u64(min_u64(at, p2m->nr), pfn);
}
