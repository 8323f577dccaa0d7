/* SPDX-License-Identifier: MIT */
#include "mm/pt_visit.h"

#include <xen/xen.h>

struct walk {
    struct pagetable *pt;
    pt_visitor_t visit;
    void *context;
};

static bool is_xens(unsigned int level, uint64_t va)
{
    return level == PT_LEVELS && va >= HYPERVISOR_VIRT_START && va < HYPERVISOR_VIRT_END;
}

/*
 * Visits @table, whose first entry covers addresses from @va on. Most entries are not present, and
 * cost a few instructions: the table is looked up again only when another one may have been read.
 */
static bool visit_table(const struct walk *w, mfn_t table, unsigned int level, uint64_t va)
{
    const volatile uint64_t *entries = pt_show(w->pt, table, level);
    uint64_t before = 0; /* the entry before; 0 points to no table */

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        struct pt_visited e = {.level = level};
        enum pt_next next;
        bool repeats;

        if (level == PT_LEVELS && i == PTES_PER_TABLE / 2)
            va |= 0xffff000000000000; /* the upper half */
        e.va = va;
        e.pte = is_xens(level, va) ? 0 : entries[i];
        e.is_leaf = pte_is_leaf(e.pte, level);
        repeats = !e.is_leaf && e.pte == before;
        before = e.pte;
        if (!pte_present(e.pte) || repeats)
            continue;
        next = w->visit(w->context, &e);
        if (next == PT_STOP)
            return true;
        if (next == PT_ENTER && !e.is_leaf && visit_table(w, pte_mfn(e.pte), level - 1, va))
            return true;
        entries = pt_show(w->pt, table, level);
    }
    return false;
}

bool pt_visit(struct pagetable *pt, pt_visitor_t visit, void *context)
{
    struct walk w = {pt, visit, context};

    return visit_table(&w, pt->root, PT_LEVELS, 0);
}
