/* SPDX-License-Identifier: MIT */
#include "mm/revector.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "mm/list_tables.h"

/* All memory that revectoring needs, reserved before anything is changed. */
struct supplies {
    struct frame_pool frame_pool; /* frames for tables, new leaves and the shared leaf */
    uint64_t runs_bytes, old_tables_bytes, cap_old_tables;
};

static void return_supplies(struct revector *r, struct supplies *s, struct revectored *out)
{
    int rc = frame_pool_release(r->pt->frame_pool, &s->frame_pool);

    if (rc)
        panic("P2M move: cannot return %lu frames, reserved for the new P2M list, to the frame "
              "pool: %d (%s)",
              s->frame_pool.free.nr_pfns, rc, errno_name(rc));
    heap_free(r->heap, s->frame_pool.free.runs, s->runs_bytes);
    heap_free(r->heap, out->old_tables, s->old_tables_bytes);
    out->old_tables = NULL;
}

static int get_supplies(struct revector *r, struct supplies *s, struct revectored *out)
{
    uint64_t old_leaves = DIV_ROUND_UP(r->p2m->nr, P2M_PER_PAGE);
    uint64_t tables = list_tables_count(r->plan);
    size_t cap = r->pt->frame_pool->free.cap_runs;

    out->nr_new_leaves = leaves_count(r->plan, LEAF_NEW);
    out->nr_none = leaves_count(r->plan, LEAF_NONE);

    /* The builder has at most an L1 for 512 leaves, an L2 for 512 L1s, the L3, and edges. */
    s->cap_old_tables = old_leaves / PTES_PER_TABLE * 2 + 6;
    s->old_tables_bytes = s->cap_old_tables * sizeof(pfn_t);
    out->old_tables = heap_alloc(r->heap, s->old_tables_bytes);
    s->runs_bytes = cap * sizeof(struct pfn_run);
    frame_pool_init(&s->frame_pool, heap_alloc(r->heap, s->runs_bytes), cap, r->p2m, r->m2p);

    if (!out->old_tables || !s->frame_pool.free.runs)
        printk(LOG_ERROR, "P2M move: the heap has no memory for an array of %lu bytes: %s\n",
               out->old_tables ? s->runs_bytes : s->old_tables_bytes,
               out->old_tables ? "frames reserved for the new P2M list"
                               : "page tables of the builder's P2M list");
    else if (!frame_pool_reserve(r->pt->frame_pool, tables + out->nr_new_leaves, &s->frame_pool))
        return 0;
    else
        printk(LOG_ERROR,
               "P2M move: the new P2M list needs %lu frames for page tables and %lu for entries, "
               "but %lu frames are free\n",
               tables, out->nr_new_leaves, r->pt->frame_pool->free.nr_pfns);
    return_supplies(r, s, out);
    return -ENOMEM;
}

/* Fills with ~0: the new leaves, and the builder's last leaf from entry nr_pages on. */
static void fill_rest(const struct plan *plan, uint64_t *list)
{
    uint64_t old_end = ROUND_UP(plan->nr_pages, P2M_PER_PAGE);

    memset(&list[plan->nr_pages], 0xff, (old_end - plan->nr_pages) * sizeof(*list));
    for (uint64_t at = 0; at < plan->list_end / P2M_PER_PAGE;) {
        struct leaf_run run = leaves_at(plan, at);

        if (run.kind == LEAF_NEW)
            memset(&list[run.start * P2M_PER_PAGE], 0xff, (run.end - run.start) * PAGE_SIZE);
        at = run.end;
    }
}

/* Moves the entries at the edges of holes. list_tables_build has moved the whole leaves. */
static void move_entries(const struct plan *plan, uint64_t *list)
{
    for (size_t i = 0; i < plan->nr_moves; i++) {
        const struct move *m = &plan->moves[i];

        for (uint64_t k = 0; !m->leaves && k < m->nr; k++) {
            list[m->to + k] = list[m->from + k];
            list[m->from + k] = INVALID_ENTRY;
        }
    }
}

static void free_old_frame(struct revector *r, mfn_t mfn, unsigned int level)
{
    int rc = frame_pool_free(r->pt->frame_pool, mfn);

    if (rc)
        panic(
            "P2M move: cannot return the level %u table (0: leaf), MFN 0x%lx, of the builder's P2M "
            "list to the frame pool: %d (%s)",
            level, mfn.v, rc, errno_name(rc));
}

/*
 * Gives the builder's leaves past nr_pages to the pool, of the leaves [@first, @first + @nr), which
 * have frames from @mfn on. A list is longer than nr_pages if the domain has fewer pages now, or if
 * it was made for a domain with holes (vNUMA).
 */
static void free_old_leaves(struct revector *r, mfn_t mfn, uint64_t first, uint64_t nr,
                            struct revectored *out)
{
    uint64_t used = DIV_ROUND_UP(r->plan->nr_pages, P2M_PER_PAGE);

    for (uint64_t i = used > first ? used - first : 0; i < nr; i++) {
        free_old_frame(r, to_mfn(mfn.v + i), 0);
        out->nr_old_leaves++;
    }
}

/*
 * Gives @table, whose first leaf is @first, and the builder's tables below it to the pool, bottom
 * up, and with them the leaves past nr_pages. Counts superpages.
 */
static void free_old_tables(struct revector *r, mfn_t table, unsigned int level, uint64_t first,
                            const struct supplies *s, struct revectored *out)
{
    uint64_t each = level_bytes(level) / PAGE_SIZE,
             used = DIV_ROUND_UP(r->plan->nr_pages, P2M_PER_PAGE);
    uint64_t i = level == 1 && used > first ? min_u64(used - first, PTES_PER_TABLE) : 0;

    for (; i < PTES_PER_TABLE; i++) {
        uint64_t pte = pt_read(r->pt, table, level, (unsigned int)i);

        if (!pte_present(pte))
            continue;
        if (level > 1 && !pte_is_leaf(pte, level)) {
            free_old_tables(r, pte_mfn(pte), level - 1, first + i * each, s, out);
            continue;
        }
        out->nr_old_2m += level == 2;
        out->nr_old_1g += level == 3;
        free_old_leaves(r, pte_mfn(pte), first + i * each, each, out);
    }
    fixmap_unmap_mfn(r->pt->fixmap, table);
    /* A list longer than nr_pages has more tables: these are freed without a record. */
    if (out->nr_old_tables < s->cap_old_tables)
        out->old_tables[out->nr_old_tables++] = plan_renumbered(r->plan, m2p_get(r->m2p, table));
    free_old_frame(r, table, level);
}

static int check_plan(const struct revector *r)
{
    if (r->plan->list_end <= LIST_MAX_ENTRIES)
        return 0;
    printk(LOG_ERROR, "P2M move: the planned P2M list has 0x%lx entries, expected at most 0x%lx\n",
           r->plan->list_end, LIST_MAX_ENTRIES);
    return -EINVAL;
}

int revector(struct revector *r, struct revectored *out)
{
    uint64_t old_l4e = pt_read(r->pt, r->pt->root, 4, pte_index(r->list_base, 4));
    struct supplies s = {0};
    mfn_t l3;
    int rc;

    *out = (struct revectored){
        .origin = (uintptr_t)r->p2m->list == r->list_base ? LIST_IN_SLOT : LIST_ELSEWHERE,
    };
    rc = check_plan(r);
    if (!rc)
        rc = get_supplies(r, &s, out);
    if (rc)
        return rc;

    rc = list_tables_build(r, &s.frame_pool, out, &l3);
    if (!rc)
        rc = pt_hook(r->pt, r->list_base, l3);
    for (unsigned int slot = FIXMAP_BUILD; slot < NR_FIXMAP_SLOTS; slot++)
        fixmap_unmap(r->pt->fixmap, slot);
    if (rc) {
        return_supplies(r, &s, out);
        return rc;
    }

    r->p2m->list = (uint64_t *)r->list_base;
    r->p2m->nr = r->plan->list_end;
    fill_rest(r->plan, r->p2m->list);
    move_entries(r->plan, r->p2m->list);

    frame_pool_spend(&s.frame_pool);
    heap_free(r->heap, s.frame_pool.free.runs, s.runs_bytes);
    if (pte_present(old_l4e))
        free_old_tables(r, pte_mfn(old_l4e), 3, 0, &s, out);
    return 0;
}
