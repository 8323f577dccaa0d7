/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_transfer: a frame of this domain becomes a frame of another domain that has an entry
 * with GTF_accept_transfer for it (<xen/grant_table.h>).
 *
 * Without this test a frame could have two owners, or none, after a transfer, or the new owner
 * could be told a wrong frame.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"
#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES 32
#define REF        8

static void check_moved(const struct peer *p, const volatile struct grant_entry_v1 *e, mfn_t mfn,
                        uint64_t own_pages)
{
    struct test *t = p->t;

    CHECK_EQ(e->flags, GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed,
             "flags of entry %u of domain %u after GNTTABOP_transfer", REF, p->id);
    CHECK_EQ(e->frame, mfn.v, "frame in entry %u of domain %u after GNTTABOP_transfer", REF, p->id);
    CHECK_EQ(m2p_get(&t->d->host.m2p, mfn).v, PEER_EXTRA_PFN,
             "M2P entry of the transferred MFN 0x%lx", mfn.v);
    peer_check_pages(p, 2, false, "after GNTTABOP_transfer");
    CHECK_EQ(host_current_pages(), own_pages - 1, "pages of this domain after GNTTABOP_transfer");
    CHECK_EQ(peer_word(p, mfn, 0), PEER_WORD, "word 0 of the transferred frame");
}

/*
 * -EOPNOTSUPP: Xen's option gnttab=no-transfer. Returns false if the PFN of @s has no frame now,
 * because Xen has none to replace the transferred one.
 */
static bool transfer(struct peer *p, volatile struct grant_entry_v1 *e, struct spot *s)
{
    struct gnttab_transfer op = {.mfn = s->mfn.v, .domid = p->id, .ref = REF, .status = NO_STATUS};
    uint64_t own_pages = host_current_pages();
    struct test *t = p->t;
    pfn_t pfn = m2p_get(&t->d->host.m2p, s->mfn);
    long rc;

    e->domid = p->self;
    e->frame = PEER_EXTRA_PFN;
    __atomic_store_n(&e->flags, GTF_accept_transfer, __ATOMIC_SEQ_CST);
    peer_set_max_pages(p, 2);
    rc = HYPERVISOR_grant_table_op(GNTTABOP_transfer, &op, 1);
    if (rc == -EOPNOTSUPP || rc == -EACCES || (!rc && op.status == GNTST_permission_denied)) {
        test_skip(t, "this Xen allows no GNTTABOP_transfer");
    } else {
        CHECK_RC(rc, 0, "GNTTABOP_transfer of MFN 0x%lx to domain %u", s->mfn.v, p->id);
        CHECK_GNTST(op.status, GNTST_okay, "GNTTABOP_transfer of MFN 0x%lx to domain %u", s->mfn.v,
                    p->id);
        if (!rc && op.status == GNTST_okay)
            check_moved(p, e, s->mfn, own_pages);
    }
    if (host_current_pages() >= own_pages)
        return true;
    CHECK_RC(p2m_set(&t->d->p2m, pfn, INVALID_MFN), 0, "p2m_set of PFN 0x%lx to ~0", pfn.v);
    return grant_refill(t, pfn.v, &s->mfn);
}

TEST_RULE(abi_peer_transfer, "GNTTABOP_transfer moves a frame to the domain that accepts it")
{
    volatile struct grant_entry_v1 *table;
    struct spot s, given;
    struct peer p;
    bool whole = true;

    if (!has_grant_table(t) || !peer_open(&p, t, 1, ROOM_PAGES))
        return;
    s = room_spot(&p.room), given = room_spot(&p.room);
    table = peer_map_grant_table(&p, s);
    if (table) {
        CHECK_RC(spot_show(given, given.mfn, PTE_RW), 0, "update_va_mapping of 0x%lx, writable",
                 given.va);
        *(volatile uint64_t *)given.va = PEER_WORD;
        CHECK_RC(spot_show(given, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", given.va);
        whole = transfer(&p, &table[REF], &given);
    }
    if (whole)
        room_drop(&p.room, given);
    room_drop(&p.room, s);
    peer_close(&p);
}
