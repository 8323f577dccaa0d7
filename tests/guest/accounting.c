/* SPDX-License-Identifier: MIT */
/*
 * Without this memory could be lost without a trace, be free and in use at once, or be mapped a
 * second time with other rights, and one page among thousands be executable. All tables are walked
 * from the root; each frame that is mapped, or is a table, or is the ramdisk's, is marked in a
 * bitmap by PFN. Then the free frames must be just those that are not marked. It runs last, so
 * that it sees what the other tests left behind.
 */
#include "mm/pt_visit.h"

#include "kernel/selftest/test.h"

struct ledger {
    struct test *t;
    uint64_t *used; /* a bit for each PFN */
};

static bool is_marked(const struct ledger *l, uint64_t pfn)
{
    return l->used[pfn / 64] >> pfn % 64 & 1;
}

/* Marks a frame; false if it was marked before. */
static bool mark(struct ledger *l, mfn_t mfn)
{
    pfn_t pfn = m2p_get(&l->t->d->host.m2p, mfn);
    bool first;

    if (pfn.v >= l->t->d->p2m.nr) {
        test_fail(l->t, "frame 0x%lx is in use, its PFN 0x%lx lies past the list", mfn.v, pfn.v);
        return false;
    }
    first = !is_marked(l, pfn.v);
    l->used[pfn.v / 64] |= (uint64_t)1 << pfn.v % 64;
    return first;
}

/*
 * Windows show frames that have another use as well; so does shared_info, which is Xen's; and what
 * is behind the foreign window's pages is not ours, and known by its range.
 */
static bool is_view(const struct domain *d, uint64_t va)
{
    uint64_t i;

    return va - (uintptr_t)d->fixmap.pages < NR_FIXMAP_SLOTS * PAGE_SIZE ||
           va == (uintptr_t)d->shared || foreign_find(&d->foreign, va, &i);
}

static void check_page(struct ledger *l, uint64_t va, uint64_t pte)
{
    struct test *t = l->t;
    bool is_text = va >= (uintptr_t)image_start && va < (uintptr_t)rodata_start;
    mfn_t mfn = pte_mfn(pte);

    CHECK(is_text || (pte & PTE_NX), "0x%lx is executable, and no text: %016lx", va, pte);
    CHECK(!is_text || !(pte & PTE_W), "0x%lx is text, and writable: %016lx", va, pte);
    if (is_view(t->d, va))
        return;
    /* the page that all holes share is the only one that is mapped more than once */
    CHECK(mark(l, mfn) || mfn_eq(mfn, t->d->revectored.none_leaf),
          "0x%lx maps frame 0x%lx, which is mapped elsewhere, or is a table", va, mfn.v);
}

/* Marks what is behind an entry. A table that holes share is read once: it was marked before. */
static enum pt_next mark_entry(void *context, const struct pt_visited *e)
{
    struct ledger *l = context;

    if (e->is_leaf)
        check_page(l, e->va, e->pte);
    else if (!mark(l, pte_mfn(e->pte)))
        return PT_SKIP;
    return PT_ENTER;
}

static void mark_tables(struct ledger *l)
{
    mark(l, l->t->d->pt.root);
    pt_visit(&l->t->d->pt, mark_entry, l);
}

static void mark_ramdisk(struct ledger *l)
{
    const struct domain *d = l->t->d;
    uint64_t nr = (d->boot.ramdisk_bytes + PAGE_SIZE - 1) / PAGE_SIZE;

    for (uint64_t i = 0; i < nr; i++) {
        pfn_t pfn = plan_renumbered(&d->plan, to_pfn(d->boot.ramdisk_pfn + i));

        l->used[pfn.v / 64] |= (uint64_t)1 << pfn.v % 64;
    }
}

/* Pages of ours that xenconsoled and xenstored use; mapped or not, they are not free. */
static void mark_rings(struct ledger *l)
{
    const struct boot_info *b = &l->t->d->boot;

    if (!mfn_eq(b->console, INVALID_MFN))
        mark(l, b->console);
    if (!mfn_eq(b->store, INVALID_MFN))
        mark(l, b->store);
}

/* Marks the free frames, 64 at a time; none of them may be marked before. */
static void mark_free(struct ledger *l)
{
    const struct pfn_runs *f = &l->t->d->frame_pool.free;

    for (size_t i = 0; i < f->nr_runs; i++)
        for (uint64_t pfn = f->runs[i].start, nr; pfn < f->runs[i].end; pfn += nr) {
            uint64_t bits, *word = &l->used[pfn / 64];

            nr = min_u64(f->runs[i].end - pfn, 64 - pfn % 64);
            bits = INVALID_ENTRY >> (64 - nr) << pfn % 64;
            if (*word & bits)
                test_fail(l->t, "of the free PFNs [0x%lx, 0x%lx) some are in use: %016lx", pfn,
                          pfn + nr, *word & bits);
            *word |= bits;
        }
}

static void check_all(struct ledger *l)
{
    const struct p2m *p2m = &l->t->d->p2m;
    struct sweep s;

    test_sweep(l->t, &s, p2m->nr, 0, "PFNs");
    for (uint64_t pfn = sweep_next(&s, 0); pfn < p2m->nr; pfn = sweep_next(&s, pfn + 1)) {
        bool owned = !mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN);

        if (owned && !is_marked(l, pfn))
            test_fail(l->t, "PFN 0x%lx is lost: neither free nor in use", pfn);
        if (!owned && is_marked(l, pfn))
            test_fail(l->t, "PFN 0x%lx is in use or free, and has no frame", pfn);
    }
}

TEST_LAST(accounting,
          "each frame is free, or mapped once, or a table, or the ramdisk's; only text can be run")
{
    struct domain *d = t->d;
    uint64_t len_bytes = DIV_ROUND_UP(d->p2m.nr, 8);
    struct ledger l = {.t = t, .used = heap_alloc(&d->heap, len_bytes)};

    if (!l.used) {
        test_error(t, "no memory for a bitmap of 0x%lx PFNs", d->p2m.nr);
        return;
    }
    mark_tables(&l);
    mark_ramdisk(&l);
    mark_rings(&l);
    mark_free(&l);
    check_all(&l);
    heap_free(&d->heap, l.used, len_bytes);
}
