/* SPDX-License-Identifier: MIT */
/*
 * Without this memory could be lost without a trace, or be free and in use at once, and one page
 * writable and executable among thousands. All tables are walked from the root; each frame that is
 * mapped, or is a table, or is the ramdisk's, is marked in a bitmap by PFN. Then the free frames
 * must be just those that are not marked.
 */
#include "kernel/test.h"

#include <xen/xen.h>

struct ledger {
    struct test *t;
    uint64_t *used; /* a bit for each PFN */
};

static void mark(struct ledger *l, mfn_t mfn)
{
    pfn_t pfn = m2p_get(&l->t->d->host.m2p, mfn);

    if (mfn_eq(mfn, maddr_to_mfn(l->t->d->boot.shared_info)))
        return; /* Xen's own page */
    if (pfn.v < l->t->d->p2m.nr)
        l->used[pfn.v / 64] |= (uint64_t)1 << pfn.v % 64;
    else
        test_fail(l->t, "frame 0x%lx is in use, its PFN 0x%lx lies past the list", mfn.v, pfn.v);
}

static bool is_marked(const struct ledger *l, uint64_t pfn)
{
    return l->used[pfn / 64] >> pfn % 64 & 1;
}

static void mark_tables(struct ledger *l, mfn_t table, unsigned int level, uint64_t va)
{
    struct test *t = l->t;

    mark(l, table);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte;

        if (level == PT_LEVELS && i == PTES_PER_TABLE / 2)
            va |= 0xffff000000000000; /* the upper half */
        if (level == PT_LEVELS && va >= HYPERVISOR_VIRT_START && va < HYPERVISOR_VIRT_END)
            continue;
        pte = pt_read(&t->d->pt, table, level, i);
        if (!pte_present(pte))
            continue;
        if (!pte_is_leaf(pte, level)) {
            mark_tables(l, pte_mfn(pte), level - 1, va);
            continue;
        }
        CHECK((pte & PTE_NX) || !(pte & PTE_W), "0x%lx is writable and executable: %016lx", va,
              pte);
        mark(l, pte_mfn(pte));
    }
}

static void mark_ramdisk(struct ledger *l)
{
    const struct domain *d = l->t->d;

    for (uint64_t i = 0; i < boot_info_ramdisk_pages(&d->boot); i++) {
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

/* Marks the free frames, which must not be marked, and counts what then is not. */
static void check_free(struct ledger *l)
{
    const struct frames *f = &l->t->d->frames;

    for (size_t i = 0; i < f->nr_runs; i++)
        for (uint64_t pfn = f->runs[i].start; pfn < f->runs[i].end; pfn++) {
            if (is_marked(l, pfn))
                test_fail(l->t, "PFN 0x%lx is free and in use", pfn);
            l->used[pfn / 64] |= (uint64_t)1 << pfn % 64;
        }
}

static void check_all(struct ledger *l)
{
    const struct p2m *p2m = &l->t->d->p2m;

    for (uint64_t pfn = 0; pfn < p2m->nr; pfn++) {
        bool owned = !mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN);

        if (owned && !is_marked(l, pfn))
            test_fail(l->t, "PFN 0x%lx is lost: neither free nor in use", pfn);
        if (!owned && is_marked(l, pfn))
            test_fail(l->t, "PFN 0x%lx is in use or free, and has no frame", pfn);
    }
}

TEST(accounting, "each frame is free, or mapped, or a table, or the ramdisk's; no page is W and X")
{
    struct domain *d = t->d;
    uint64_t len_bytes = DIV_ROUND_UP(d->p2m.nr, 8);
    struct ledger l = {.t = t, .used = heap_alloc(&d->heap, len_bytes)};

    if (!l.used) {
        test_error(t, "no memory for a bitmap of 0x%lx PFNs", d->p2m.nr);
        return;
    }
    mark_tables(&l, d->pt.root, PT_LEVELS, 0);
    mark_ramdisk(&l);
    mark_rings(&l);
    check_free(&l);
    check_all(&l);
    heap_free(&d->heap, l.used, len_bytes);
}
