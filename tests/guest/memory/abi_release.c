/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_decrease_reservation after each use of a frame: what is released is gone.
 *
 * Without these tests a reference that Xen forgets to drop would keep a frame for ever: a domain
 * that balloons down would shrink only in its own eyes. Each use takes references of its own
 * (<xen/xen.h>, <xen/grant_table.h>), and the last one that is dropped frees the frame: Xen counts
 * one frame less, and the M2P names no PFN for it (free_domheap_pages() and mark_page_free() of
 * Xen's common/page_alloc.c).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/foreign_room.h"
#include "tests/guest/memory/extent_tree.h"

static struct spot spot_of(const struct extents *e, uint64_t i)
{
    return (struct spot){.va = e->spot.va, .mfn = extents_mfn(e, i)};
}

static void show(struct extents *e, uint64_t i, uint64_t flags, const char *what)
{
    struct test *t = e->t;
    struct spot s = spot_of(e, i);

    check_frame(t, spot_show(s, s.mfn, flags), 0, what, s.mfn);
}

static void use_writable(struct extents *e)
{
    show(e, 0, PTE_RW, "update_va_mapping, writable");
    *(volatile uint64_t *)e->spot.va = 1;
    show(e, 0, 0, "update_va_mapping to 0");
}

static void use_readonly(struct extents *e)
{
    show(e, 0, PTE_RO, "update_va_mapping, read-only");
    show(e, 0, 0, "update_va_mapping to 0");
}

/* The second entry replaces the first one without a moment in which nothing is mapped. */
static void use_rights(struct extents *e)
{
    show(e, 0, PTE_RO, "update_va_mapping, read-only");
    show(e, 0, PTE_RW, "update_va_mapping, writable instead of read-only");
    show(e, 0, PTE_RO, "update_va_mapping, read-only instead of writable");
    show(e, 0, 0, "update_va_mapping to 0");
}

static void use_pinned(struct extents *e)
{
    mfn_t mfn = extents_mfn(e, 0);
    struct test *t = e->t;

    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        extents_fill(e, 0, 0); /* Xen wrote entries into the L4 table */
        CHECK_RC(pt_pin(mfn, level), 0, "pin of MFN 0x%lx, zeroed, as L%u", mfn.v, level);
        CHECK_RC(pt_unpin(mfn), 0, "unpin of MFN 0x%lx, pinned as L%u", mfn.v, level);
    }
}

static void use_tables(struct extents *e)
{
    struct extent_tree tree;

    if (extent_tree_hook(&tree, e)) {
        tree.page[1] = 1;
        extent_tree_unhook(&tree, e);
    }
}

static void use_m2p(struct extents *e)
{
    struct test *t = e->t;
    struct mmu_update req[2];

    for (unsigned int i = 0; i < 2; i++)
        req[i] = m2p_update(extents_mfn(e, 0), e->first + 1 - i);
    check_frame(t, HYPERVISOR_mmu_update(req, 2, NULL, DOMID_SELF), 0,
                "mmu_update of the M2P entry to another PFN and back", extents_mfn(e, 0));
}

static void use_exchange(struct extents *e)
{
    struct test *t = e->t;
    uint64_t nr_exchanged;

    CHECK_RC(extents_exchange_first(e, 0, &nr_exchanged), 0, "XENMEM_exchange of MFN 0x%lx",
             extents_mfn(e, 0).v);
    if (nr_exchanged)
        extents_adopt(e, 0, 1, e->out[0], "XENMEM_exchange");
}

static const struct {
    const char *step;
    void (*use)(struct extents *e);
    uint64_t nr; /* frames that it uses */
} uses[] = {
    {"mapped writable and unmapped",                 use_writable, 1          },
    {"mapped read-only and unmapped",                use_readonly, 1          },
    {"mapped with changing rights and unmapped",     use_rights,   1          },
    {"pinned and unpinned as a table of each level", use_pinned,   1          },
    {"used as page tables of levels 1 to 3",         use_tables,   TREE_FRAMES},
    {"named as another PFN in the M2P and back",     use_m2p,      1          },
    {"got from XENMEM_exchange",                     use_exchange, 1          },
};

/* False: Xen has given a frame to another domain, so no further use can be tried. */
static bool try_use(struct extents *e, size_t u)
{
    uses[u].use(e);
    for (uint64_t i = 0; i < uses[u].nr; i++) {
        extents_release(e, i, 1, uses[u].step);
        if (!extents_populate(e, i, 0, 0, uses[u].step))
            return false;
    }
    return true;
}

TEST_RULE(
    abi_release,
    "decrease_reservation frees a frame that was mapped, pinned, a page table or exchanged before")
{
    struct extents e;

    if (!extents_open(&e, t, TREE_FRAMES))
        return;
    for (size_t u = 0; u < ARRAY_SIZE(uses) && try_use(&e, u); u++)
        ;
    extents_close(&e);
}

/* A grant of the frame of PFN number 0, and a place to map it. */
struct granted {
    struct foreign_room fr;
    struct extents e;
    struct foreign_range *r;
    uint32_t ref;
};

static bool granted_open(struct granted *g, struct test *t)
{
    if (!foreign_room_open_to_map(&g->fr, t, EXTENTS_ROOM_PAGES(1) + 16))
        return false;
    if (!extents_open_in(&g->e, &g->fr.room, 1)) {
        foreign_room_close(&g->fr);
        return false;
    }
    g->r = foreign_room_range(&g->fr, FOREIGN_GRANT, g->fr.self, 1);
    g->ref = foreign_room_grant_pfn(&g->fr, to_pfn(g->e.first), false);
    return true;
}

static void granted_close(struct granted *g)
{
    foreign_room_drop(&g->fr, g->r);
    foreign_room_end_grant(&g->fr, g->ref);
    extents_close(&g->e);
    foreign_room_close(&g->fr);
}

TEST_RULE(abi_release_granted,
          "decrease_reservation frees a frame whose grant was mapped and unmapped before")
{
    struct granted g;

    if (!granted_open(&g, t))
        return;
    for (unsigned int readonly = 0; readonly < 2; readonly++) {
        if (foreign_room_map(&g.fr, g.r, 0, g.ref, readonly))
            foreign_room_unmap(&g.fr, g.r, 0, 1);
    }
    extents_release(&g.e, 0, 1, "grant mapped read-write, unmapped, mapped read-only, unmapped");
    /* The grant entry names a frame that this domain has no more. */
    foreign_room_map_fails(&g.fr, g.r, 0, g.ref, -EIO);
    foreign_room_check_empty(&g.fr, g.r, 0);
    extents_check_pages(&g.e, 0, "grant_map of a released frame");
    granted_close(&g);
}

/*
 * A frame of a grant mapping has two references of the mapping and one of its own. To release it
 * drops its own, so it stays usable by the grantee until the grant is unmapped.
 */
TEST_RULE(abi_release_grant_mapped,
          "a released frame whose grant is mapped stays until the grant is unmapped")
{
    struct granted g;

    if (!granted_open(&g, t))
        return;
    if (foreign_room_map(&g.fr, g.r, 0, g.ref, false)) {
        foreign_room_page(g.r, 0)[3] = GRANTER_WORD;
        g.e.list[0] = extents_mfn(&g.e, 0).v;
        CHECK_RC(extents_op(XENMEM_decrease_reservation, g.e.list, 1, 0, 0), 1,
                 "XENMEM_decrease_reservation of MFN 0x%lx, whose grant is mapped", g.e.list[0]);
        extents_check_kept(&g.e, 0, 1, "release of a frame whose grant is mapped");
        extents_check_pages(&g.e, 0, "release of a frame whose grant is mapped");
        foreign_room_check_word(&g.fr, g.r, 0, 3, GRANTER_WORD);
        foreign_room_unmap(&g.fr, g.r, 0, 1);
        extents_check_gone(&g.e, 0, 1, "unmap of the grant of a released frame");
        extents_check_pages(&g.e, -1, "unmap of the grant of a released frame");
    }
    granted_close(&g);
}

TEST_RULE(abi_release_then_use,
          "a released frame can be neither mapped, nor pinned, nor released again")
{
    struct extents e;
    struct spot s;

    if (!extents_open(&e, t, 1))
        return;
    s = spot_of(&e, 0);
    extents_release(&e, 0, 1, "release of a free frame");
    check_frame_refused(t, spot_show(s, s.mfn, PTE_RO),
                        "update_va_mapping, read-only, of a released frame", s.mfn);
    check_frame_refused(t, pt_pin(s.mfn, 1), "pin as L1 of a released frame", s.mfn);
    check_frame(t, extents_op(XENMEM_decrease_reservation, &s.mfn.v, 1, 0, 0), 0,
                "XENMEM_decrease_reservation of a released frame", s.mfn);
    extents_check_pages(&e, 0, "attempts to use a released frame");
    extents_close(&e);
}
