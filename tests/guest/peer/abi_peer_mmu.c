/* SPDX-License-Identifier: MIT */
/*
 * The foreign domain of mmu_update, mmuext_op and update_va_mapping_otherdomain.
 *
 * A toolstack maps frames of other domains. Without these tests Xen could take the frames of one
 * domain for those of another: a hypercall that names no foreign domain could reach a foreign
 * frame, or an operation on this domain could be done in the name of another one. <xen/xen.h>:
 * "FD != DOMID_SELF" is the owner of the frames that the new entries map. For tables of level 2 to
 * 4 Xen once ignored the argument (commit 7993e3be68).
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES 32

static void check_unmapped(const struct peer *p, struct spot s, const char *when)
{
    struct test *t = p->t;

    CHECK_EQ(pt_walk(&t->d->pt, s.va).pte, 0, "%s: PTE of 0x%lx", when, s.va);
}

static void map_by_each(const struct peer *p, struct spot s)
{
    struct pt_entry e = pt_walk(&p->t->d->pt, s.va);
    struct test *t = p->t;

    peer_map(p, s, p->mfn[0], PTE_RW);
    CHECK_RC(probe_write((void *)s.va, PEER_WORD), 0, "write to a writable mapping of MFN 0x%lx",
             p->mfn[0].v);
    peer_unmap(p, s);
    peer_set_word(p, p->mfn[1], 0, PEER_WORD + 1);

    peer_map(p, s, p->mfn[0], PTE_RO);
    peer_check_word(p, s, PEER_WORD, "after update_va_mapping_otherdomain");
    CHECK_RC(probe_write((void *)s.va, 0), -EFAULT, "write to a read-only mapping of MFN 0x%lx",
             p->mfn[0].v);
    peer_unmap(p, s);

    CHECK_RC(peer_mmu_update(e.table, e.index, pte_make(p->mfn[1], PTE_RO), p->id, DOMID_SELF), 0,
             "mmu_update of an L1 entry to MFN 0x%lx, FD is its owner, domain %u", p->mfn[1].v,
             p->id);
    peer_check_word(p, s, PEER_WORD + 1, "after mmu_update");
    peer_unmap(p, s);
}

TEST_RULE(abi_peer_map, "a frame of another domain is mapped only if FD names its owner")
{
    struct spot s;
    struct peer p;

    if (!peer_open(&p, t, 2, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    map_by_each(&p, s);
    check_frame_refused(t, spot_show(s, p.mfn[0], PTE_RO),
                        "update_va_mapping (FD is this domain) of a frame of another domain",
                        p.mfn[0]);
    check_unmapped(&p, s, "after the refused update_va_mapping");
    room_drop(&p.room, s);
    peer_close(&p);
}

static void check_entry(const struct peer *p, mfn_t table, unsigned int level, uint64_t expected,
                        const char *when)
{
    struct test *t = p->t;

    CHECK_EQ(pt_read(&t->d->pt, table, level, 0), expected, "%s: entry 0 of the L%u table", when,
             level);
}

/* @table is an own empty table of @level, @child an own empty frame. */
static void try_level(const struct peer *p, mfn_t table, mfn_t child, unsigned int level)
{
    uint64_t entry = pte_make(child, PTE_TABLE);
    struct test *t = p->t;

    CHECK_RC(pt_pin(table, level), 0, "pin as L%u of a zeroed frame, MFN 0x%lx", level, table.v);
    CHECK_RC(peer_mmu_update(table, 0, entry, p->id, DOMID_SELF), -EINVAL,
             "mmu_update of an empty L%u entry to an own table, FD is domain %u", level, p->id);
    check_entry(p, table, level, 0, "after the refused mmu_update");
    CHECK_RC(pt_write(table, 0, entry), 0, "mmu_update of an L%u entry to an own table", level);
    CHECK_RC(peer_mmu_update(table, 0, 0, p->id, DOMID_SELF), -EINVAL,
             "mmu_update of a present L%u entry to 0, FD is domain %u", level, p->id);
    check_entry(p, table, level, entry, "after the refused mmu_update to 0");
    CHECK_RC(pt_write(table, 0, 0), 0, "mmu_update of the L%u entry to 0", level);
    fixmap_unmap_mfn(&t->d->fixmap, table);
    CHECK_RC(pt_unpin(table), 0, "unpin of the L%u table, MFN 0x%lx", level, table.v);
}

/* Zeroes the frame of @s, into which Xen has written entries of its own if it was an L4 table. */
static void wipe(struct test *t, struct spot s)
{
    int rc = spot_show(s, s.mfn, PTE_RW);

    check_frame(t, rc, 0, "update_va_mapping, writable, of a former page table", s.mfn);
    if (!rc)
        memset((void *)s.va, 0, PAGE_SIZE);
    check_frame(t, spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping to 0", s.mfn);
}

TEST_RULE(abi_peer_foreign_levels,
          "mmu_update of an L2, L3 or L4 entry fails with EINVAL if FD is another domain")
{
    struct spot table, child;
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    table = room_spot(&p.room), child = room_spot(&p.room);
    for (unsigned int level = 2; level <= PT_LEVELS; level++) {
        try_level(&p, table.mfn, child.mfn, level);
        wipe(t, table);
    }
    room_drop(&p.room, child);
    room_drop(&p.room, table);
    peer_close(&p);
}

static const struct {
    const char *name;
    unsigned int cmd;
} own_ops[] = {
    {"MMUEXT_NEW_BASEPTR",        MMUEXT_NEW_BASEPTR       },
    {"MMUEXT_NEW_USER_BASEPTR",   MMUEXT_NEW_USER_BASEPTR  },
    {"MMUEXT_TLB_FLUSH_LOCAL",    MMUEXT_TLB_FLUSH_LOCAL   },
    {"MMUEXT_INVLPG_LOCAL",       MMUEXT_INVLPG_LOCAL      },
    {"MMUEXT_TLB_FLUSH_MULTI",    MMUEXT_TLB_FLUSH_MULTI   },
    {"MMUEXT_INVLPG_MULTI",       MMUEXT_INVLPG_MULTI      },
    {"MMUEXT_TLB_FLUSH_ALL",      MMUEXT_TLB_FLUSH_ALL     },
    {"MMUEXT_INVLPG_ALL",         MMUEXT_INVLPG_ALL        },
    {"MMUEXT_FLUSH_CACHE",        MMUEXT_FLUSH_CACHE       },
    {"MMUEXT_FLUSH_CACHE_GLOBAL", MMUEXT_FLUSH_CACHE_GLOBAL},
    {"MMUEXT_SET_LDT",            MMUEXT_SET_LDT           },
};

TEST_RULE(abi_peer_own_ops,
          "mmuext_op for the calling vCPU (CR3, TLB, cache, LDT) allows no other FD")
{
    uint64_t none = 0;
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(own_ops); i++) {
        /* arguments that do no harm if Xen carries out the operation for this domain */
        struct mmuext_op op = {.cmd = own_ops[i].cmd};

        if (op.cmd == MMUEXT_NEW_BASEPTR)
            op.arg1.mfn = t->d->pt.root.v;
        if (op.cmd == MMUEXT_TLB_FLUSH_MULTI || op.cmd == MMUEXT_INVLPG_MULTI)
            set_xen_guest_handle(op.arg2.vcpumask, (void *)&none);
        CHECK_RC(HYPERVISOR_mmuext_op(&op, 1, NULL, p.id), -EPERM, "%s, FD is domain %u",
                 own_ops[i].name, p.id);
    }
    peer_close(&p);
}

static long copy_page(mfn_t to, mfn_t from, domid_t owner)
{
    struct mmuext_op op = {.cmd = MMUEXT_COPY_PAGE, .arg1.mfn = to.v, .arg2.src_mfn = from.v};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, owner);
}

TEST_RULE(abi_peer_copy,
          "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE change the frames that they name, of domain FD")
{
    struct peer p;

    if (!peer_open(&p, t, 3, ROOM_PAGES))
        return;
    for (unsigned int i = 0; i < 3; i++)
        for (unsigned int w = 0; w < PTES_PER_TABLE; w += PTES_PER_TABLE - 1)
            peer_set_word(&p, p.mfn[i], w, PEER_WORD + i);
    CHECK_RC(peer_mmuext(MMUEXT_CLEAR_PAGE, p.mfn[0], p.id), 0,
             "MMUEXT_CLEAR_PAGE of a frame of domain %u, FD is its owner", p.id);
    CHECK_RC(copy_page(p.mfn[1], p.mfn[2], p.id), 0,
             "MMUEXT_COPY_PAGE between frames of domain %u, FD is their owner", p.id);
    for (unsigned int w = 0; w < PTES_PER_TABLE; w += PTES_PER_TABLE - 1) {
        CHECK_EQ(peer_word(&p, p.mfn[0], w), 0, "word %u of MFN 0x%lx after MMUEXT_CLEAR_PAGE", w,
                 p.mfn[0].v);
        CHECK_EQ(peer_word(&p, p.mfn[1], w), PEER_WORD + 2,
                 "word %u of MFN 0x%lx, the target of MMUEXT_COPY_PAGE", w, p.mfn[1].v);
        CHECK_EQ(peer_word(&p, p.mfn[2], w), PEER_WORD + 2,
                 "word %u of MFN 0x%lx, the source of MMUEXT_COPY_PAGE", w, p.mfn[2].v);
    }
    peer_close(&p);
}

/* One MMU_MACHPHYS_UPDATE. @domains is the last argument of mmu_update, with both domains. */
static long set_m2p(mfn_t mfn, uint64_t pfn, uint64_t domains)
{
    struct mmu_update req = {.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = pfn};

    return HYPERVISOR_any(__HYPERVISOR_mmu_update, (uintptr_t)&req, 1, 0, domains);
}

TEST_RULE(abi_peer_m2p, "MMU_MACHPHYS_UPDATE changes the M2P entry of a frame of FD, without a PFD")
{
    const struct m2p *m2p = &t->d->host.m2p;
    struct peer p;

    if (!peer_open(&p, t, 2, ROOM_PAGES))
        return;
    check_frame(t, set_m2p(p.mfn[0], PEER_EXTRA_PFN, p.id), 0,
                "MMU_MACHPHYS_UPDATE, FD is the owner", p.mfn[0]);
    check_frame(t, set_m2p(p.mfn[1], PEER_EXTRA_PFN, p.id | (uint64_t)(p.id + 1) << 16), -EPERM,
                "MMU_MACHPHYS_UPDATE with a page table domain (PFD)", p.mfn[1]);
    CHECK_EQ(m2p_get(m2p, p.mfn[0]).v, PEER_EXTRA_PFN,
             "M2P entry of MFN 0x%lx after MMU_MACHPHYS_UPDATE", p.mfn[0].v);
    CHECK_EQ(m2p_get(m2p, p.mfn[1]).v, PEER_PFN + 1,
             "M2P entry of MFN 0x%lx after a refused MMU_MACHPHYS_UPDATE", p.mfn[1].v);
    peer_close(&p);
}
