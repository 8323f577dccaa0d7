/* SPDX-License-Identifier: MIT */
/*
 * Without this another domain could have us run its code: what it writes into a page that we map
 * must not be executable, whatever the kind of the mapping. All of the foreign slot is walked, as
 * the CPU sees it, while the window holds pages. The entry of a grant's mapping is Xen's to make
 * (Xen's arch/x86/pv/grant_table.c, grant_to_pte_flags(), which sets NX), and not ours. An entry
 * that is not present must be 0: with an address in it, it is what XSA-273 (L1TF) is about.
 */
#include "tests/guest/foreign_room.h"

/* Looks at all that the table @table maps, from @va on; how many pages there are. */
static uint64_t walk(struct foreign_room *s, mfn_t table, unsigned int level, uint64_t va)
{
    struct test *t = s->room.t;
    uint64_t nr = 0;

    for (unsigned int i = 0; i < PTES_PER_TABLE; i++, va += level_bytes(level)) {
        uint64_t pte = pt_read(&s->room.pt, table, level, i);

        CHECK(pte_present(pte) || !pte, "0x%lx has an entry that is not present: %016lx", va, pte);
        if (!pte_present(pte))
            continue;
        if (!pte_is_leaf(pte, level)) {
            nr += walk(s, pte_mfn(pte), level - 1, va);
            continue;
        }
        nr++;
        CHECK(level == 1 && (pte & PTE_NX), "0x%lx, at level %u, has entry %016lx", va, level, pte);
    }
    return nr;
}

TEST(foreign_rights, "no page of the foreign window can be run, and what is not there is 0")
{
    struct foreign_room s;
    struct foreign_range *r;
    uint64_t *page, root, nr, expected;
    int16_t status[2];
    uint32_t refs[2];

    if (!share_open_maps(&s, t, 16))
        return;
    page = room_alloc(&s.room, 1);
    r = share_range(&s, FOREIGN_GRANT, s.self, 2);
    refs[0] = share_grant(&s, page, false);
    refs[1] = share_grant(&s, page, true);
    CHECK(!grant_map(r, 0, refs, status, 1, false), "it cannot be mapped");
    CHECK(!grant_map(r, 1, refs + 1, status + 1, 1, true), "nor for reading");

    root = pt_read(&s.room.pt, s.room.pt.root, PT_LEVELS, pte_index(FOREIGN_BASE, PT_LEVELS));
    nr = walk(&s, pte_mfn(root), PT_LEVELS - 1, FOREIGN_BASE);
    expected = s.window.nr_frames + t->d->foreign.nr_frames;
    for (const struct foreign_range *f = s.window.first; f; f = f->next)
        expected += f->nr_mapped;
    for (const struct foreign_range *f = t->d->foreign.first; f; f = f->next)
        expected += f->nr_mapped;
    CHECK(nr == expected, "%lu pages are mapped in the window, by its books %lu", nr, expected);

    share_drop(&s, r);
    share_end(&s, refs[0]);
    share_end(&s, refs[1]);
    room_free(&s.room, page, 1);
    share_close(&s);
}
