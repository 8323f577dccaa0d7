/* SPDX-License-Identifier: MIT */
/*
 * Without foreign_rights, another domain could have this kernel execute its code: what that domain
 * writes into a page that is mapped here must not be executable, whatever the kind of mapping. Xen,
 * not this kernel, writes the PTE of a mapped grant (Xen's arch/x86/pv/grant_table.c,
 * grant_to_pte_flags(), which sets NX).
 *
 * Without foreign_l1tf, an entry that is not present could hold an address, which a CPU with L1TF
 * follows in speculation (XSA-273): such an entry must be 0.
 *
 * Both walk all page tables of the foreign slot, while a read-write and a read-only grant are
 * mapped and after they are unmapped.
 */
#include "tests/guest/foreign_room.h"

struct foreign_walk {
    struct foreign_room *fr;
    void (*check)(struct test *t, uint64_t va, unsigned int level, uint64_t pte);
    uint64_t nr_pages; /* pages that are mapped */
};

static void walk_table(struct foreign_walk *w, mfn_t table, unsigned int level, uint64_t va)
{
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte = pt_read(&w->fr->room.pt, table, level, i);
        bool is_table = pte_present(pte) && !pte_is_leaf(pte, level);

        w->check(w->fr->room.t, va, level, pte);
        if (is_table)
            walk_table(w, pte_mfn(pte), level - 1, va);
        w->nr_pages += pte_present(pte) && !is_table;
    }
}

/* Pages that the window's ranges account for: heads, and what is mapped. */
static uint64_t count_pages(const struct foreign_window *window)
{
    uint64_t nr = window->nr_frames;

    for (const struct foreign_range *r = window->first; r; r = r->next)
        nr += r->nr_mapped;
    return nr;
}

static void walk_window(struct foreign_walk *w)
{
    struct test *t = w->fr->room.t;
    struct pagetable *pt = &w->fr->room.pt;
    uint64_t root = pt_read(pt, pt->root, PT_LEVELS, pte_index(FOREIGN_BASE, PT_LEVELS));
    uint64_t expected = count_pages(&w->fr->window) + count_pages(&t->d->foreign);

    w->nr_pages = 0;
    walk_table(w, pte_mfn(root), PT_LEVELS - 1, FOREIGN_BASE);
    CHECK(w->nr_pages == expected,
          "L4 entry of the foreign window (from 0x%lx on) maps %lu pages, expected %lu, the "
          "number of pages that foreign_map has mapped there",
          FOREIGN_BASE, w->nr_pages, expected);
}

/* Walks while one page is mapped by a read-write and by a read-only grant, and again afterwards. */
static void walk_with_grants(struct test *t,
                             void (*check)(struct test *, uint64_t, unsigned int, uint64_t))
{
    struct self_grant g;
    struct foreign_walk w = {.fr = &g.fr, .check = check};
    uint32_t ro_ref;

    if (!self_grant_open(&g, t, 2))
        return;
    ro_ref = foreign_room_grant(&g.fr, g.page, true);
    (void)foreign_room_map(&g.fr, g.r, 0, g.ref, false);
    (void)foreign_room_map(&g.fr, g.r, 1, ro_ref, true);
    walk_window(&w);
    foreign_room_unmap(&g.fr, g.r, 0, 2);
    walk_window(&w);
    foreign_room_end_grant(&g.fr, ro_ref);
    self_grant_close(&g);
}

static void check_nx(struct test *t, uint64_t va, unsigned int level, uint64_t pte)
{
    CHECK(!pte_present(pte) || !pte_is_leaf(pte, level) || (level == 1 && (pte & PTE_NX)),
          "L%u entry of address 0x%lx is 0x%lx, expected an L1 entry with NX (bit 63)", level, va,
          pte);
}

TEST(foreign_rights, "no page mapped in the foreign window is executable")
{
    if (!pte_has_nx()) {
        test_skip(t, "this CPU has no NX bit");
        return;
    }
    walk_with_grants(t, check_nx);
}

static void check_zero(struct test *t, uint64_t va, unsigned int level, uint64_t pte)
{
    CHECK(pte_present(pte) || !pte, "L%u entry of address 0x%lx is 0x%lx (not present), expected 0",
          level, va, pte);
}

TEST(foreign_l1tf, "each non-present entry in the page tables of the foreign window is 0 (XSA-273)")
{
    walk_with_grants(t, check_zero);
}
