/* SPDX-License-Identifier: MIT */
/*
 * Page tables that belong to another domain: pinned, updated and looked at from outside.
 *
 * A toolstack builds the page tables of a PV domain, and pins them with the domain as FD. Without
 * these tests Xen could let a new domain map frames of the dom0 that builds it, forget the type of
 * a table that a toolstack saves, or update a table in the name of the wrong domain. <xen/xen.h>:
 * PFD is the domain that owns the page table, plus one, in the upper half of mmu_update's last
 * argument.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/peer/peer_domain.h"

#include <xen/memory.h>

#define ROOM_PAGES 24

/* Frames of the peer: tables of level 1 to 4, at index level - 1, and two pages of data. */
#define DATA      4
#define NR_FRAMES 6

/* XEN_DOMCTL_PFINFO_* of <xen/domctl.h>: level << 28, the pinned bit, and "not a page of it" */
#define TYPE(level) ((uint64_t)(level) << 28)
#define PINNED      ((uint64_t)1 << 31)
#define NO_PAGE     ((uint64_t)0xf << 28)

static mfn_t table_of(const struct peer *p, unsigned int level)
{
    return p->mfn[level - 1];
}

static long pin(const struct peer *p, unsigned int level)
{
    return peer_mmuext(MMUEXT_PIN_L1_TABLE + level - 1, table_of(p, level), p->id);
}

static long unpin(const struct peer *p, unsigned int level)
{
    return peer_mmuext(MMUEXT_UNPIN_TABLE, table_of(p, level), p->id);
}

/* Entry 1 of each table of the peer names the next lower one; that of the L1 table, a data page. */
static void fill_tables(const struct peer *p)
{
    for (unsigned int level = PT_LEVELS; level > 1; level--)
        peer_set_word(p, table_of(p, level), 1, pte_make(table_of(p, level - 1), PTE_TABLE));
    peer_set_word(p, table_of(p, 1), 1, pte_make(p->mfn[DATA], PTE_RW));
}

/*
 * Xen up to 4.15 reports the last type of a frame that is no page table any more (commit
 * 0a87e677f4).
 */
static bool reports_old_types(const struct test *t)
{
    return t->d->host.major == 4 && t->d->host.minor < 16;
}

static void check_types(const struct peer *p, const uint64_t expected[PT_LEVELS], const char *when)
{
    struct peer_domctl op = {0};
    struct test *t = p->t;
    uint64_t list[NR_FRAMES];

    for (unsigned int i = 0; i < NR_FRAMES; i++)
        list[i] = p->mfn[i].v;
    op.u.types.nr = NR_FRAMES;
    op.u.types.array = list;
    CHECK_RC(peer_domctl(p, PEER_PAGE_TYPES, &op), 0, "XEN_DOMCTL_getpageframeinfo3, %s", when);
    for (unsigned int i = 0; i < NR_FRAMES; i++) {
        uint64_t type = i < PT_LEVELS ? expected[i] : 0;

        if (type || !reports_old_types(t))
            CHECK_EQ(list[i], type, "%s: type of frame %u (MFN 0x%lx) of domain %u", when, i,
                     p->mfn[i].v, p->id);
    }
}

TEST_RULE(abi_peer_no_page, "getpageframeinfo3 calls shared_info no page of the domain (XTAB)")
{
    struct peer_domctl op = {0};
    uint64_t list[2], shared_info;
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    shared_info = peer_info_of(&p, "new domain").shared_info_frame;
    list[0] = shared_info, list[1] = p.mfn[0].v;
    op.u.types.nr = ARRAY_SIZE(list);
    op.u.types.array = list;
    CHECK_RC(peer_domctl(&p, PEER_PAGE_TYPES, &op), 0, "XEN_DOMCTL_getpageframeinfo3");
    CHECK_EQ(list[0], NO_PAGE, "type of MFN 0x%lx, shared_info of domain %u", shared_info, p.id);
    CHECK_EQ(list[1], 0, "type of MFN 0x%lx, an ordinary page of domain %u", p.mfn[0].v, p.id);
    op.u.types.nr = 1025;
    CHECK_RC(peer_domctl(&p, PEER_PAGE_TYPES, &op), -E2BIG,
             "XEN_DOMCTL_getpageframeinfo3 of 1025 frames");
    peer_close(&p);
}

TEST_RULE(abi_peer_pin,
          "tables pinned with FD have the type that getpageframeinfo3 reports, until unpin")
{
    static const uint64_t none[PT_LEVELS] = {0};
    struct spot s;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    check_types(&p, none, "before the pin");
    fill_tables(&p);
    peer_map(&p, s, table_of(&p, 1), PTE_RW);
    check_frame_refused(t, pin(&p, 1), "pin as L1 of a frame that this domain maps writable",
                        table_of(&p, 1));
    peer_unmap(&p, s);
    check_frame(t, pin(&p, 4), 0, "pin as L4, FD is the owner", table_of(&p, 4));
    check_frame(t, pin(&p, 1), 0, "pin of the L1 of a pinned L4", table_of(&p, 1));
    check_types(&p,
                (const uint64_t[PT_LEVELS]){TYPE(1) | PINNED, TYPE(2), TYPE(3), TYPE(4) | PINNED},
                "with L4 and L1 pinned");
    peer_map(&p, s, table_of(&p, 2), PTE_RO);
    peer_unmap(&p, s);
    check_frame(t, unpin(&p, 4), 0, "unpin of the L4", table_of(&p, 4));
    check_types(&p, (const uint64_t[PT_LEVELS]){TYPE(1) | PINNED}, "with the L1 pinned");
    check_frame(t, unpin(&p, 1), 0, "unpin of the L1", table_of(&p, 1));
    check_types(&p, none, "after both unpins");
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        peer_map(&p, s, table_of(&p, level), PTE_RW); /* no type is left */
        peer_unmap(&p, s);
    }
    room_drop(&p.room, s);
    peer_close(&p);
}

static void check_update(const struct peer *p, unsigned int level, uint64_t pte, domid_t fd,
                         long expected, const char *what)
{
    const uint64_t bits = PTE_MFN_MASK | PTE_P;
    mfn_t table = table_of(p, level);
    uint64_t before = peer_word(p, table, 7);
    struct test *t = p->t;

    CHECK_RC(peer_mmu_update(table, 7, pte, fd, p->id), expected,
             "mmu_update of entry 7 of an L%u of domain %u (PFD), FD is 0x%x, to %s", level, p->id,
             fd, what);
    CHECK_EQ(peer_word(p, table, 7) & bits, (expected ? before : pte) & bits,
             "MFN and P of entry 7 of an L%u of domain %u after %s mmu_update to %s", level, p->id,
             expected ? "the refused" : "the", what);
}

/* The entry holds a reference: a released frame stays until the entry is cleared. */
static void check_reference(const struct peer *p)
{
    uint64_t list[1] = {p->mfn[DATA + 1].v};
    struct test *t = p->t;

    CHECK_RC(peer_reservation(XENMEM_decrease_reservation, p->id, list, 1, 0), 1,
             "extents done by XENMEM_decrease_reservation of a frame that an L1 entry maps");
    peer_check_pages(p, NR_FRAMES, false, "after the release of a frame that an L1 entry maps");
    check_update(p, 1, 0, p->id, 0, "0");
    peer_check_pages(p, NR_FRAMES - 1, false, "after the L1 entry was cleared");
}

static void update_l1(const struct peer *p)
{
    uint64_t own = pte_make(p->window.mfn, PTE_RO), data = pte_make(p->mfn[DATA], PTE_RW);
    struct test *t = p->t;

    check_update(p, 1, pte_make(p->mfn[DATA + 1], PTE_RW), p->id, 0, "a frame of this domain");
    check_reference(p);
    CHECK_RC(peer_mmu_update(p->mfn[DATA], 7, 0x1234, p->id, p->id), 0,
             "mmu_update (PFD) of word 7 of a page of domain %u that is no page table", p->id);
    CHECK_EQ(peer_word(p, p->mfn[DATA], 7), 0x1234,
             "word 7 of MFN 0x%lx, no page table, of domain %u after mmu_update (PFD)",
             p->mfn[DATA].v, p->id);
    check_update(p, 1, own, p->id, -EBUSY, "a frame of the calling domain");
    check_update(p, 1, own, DOMID_SELF, 0, "a frame of the calling domain, which is FD");
    check_update(p, 1, 0, DOMID_SELF, 0, "0");
    check_frame_refused(t, peer_mmu_update(table_of(p, 1), 7, data, p->id, DOMID_SELF),
                        "mmu_update without PFD of an L1 of another domain", table_of(p, 1));
}

TEST_RULE(abi_peer_pfd,
          "mmu_update updates the page tables of the domain that PFD names, at each level")
{
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    fill_tables(&p);
    check_frame(t, pin(&p, 4), 0, "pin as L4, FD is the owner", table_of(&p, 4));
    update_l1(&p);
    for (unsigned int level = 2; level <= PT_LEVELS; level++) {
        uint64_t entry = pte_make(table_of(&p, level - 1), PTE_TABLE);

        check_update(&p, level, entry, DOMID_SELF, -EINVAL, "a lower table, FD is not the owner");
        check_update(&p, level, entry, p.id, 0, "a lower table");
        check_update(&p, level, 0, DOMID_SELF, -EINVAL, "0, FD is not the owner");
        check_update(&p, level, 0, p.id, 0, "0");
    }
    check_frame(t, unpin(&p, 4), 0, "unpin of the L4", table_of(&p, 4));
    peer_close(&p);
}
