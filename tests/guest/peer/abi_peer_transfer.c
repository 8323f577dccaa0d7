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
#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"
#include "tests/guest/peer/peer_domain.h"

#include <xen/memory.h>

#define ROOM_PAGES 32
#define REF        8
#define WORD       0x70656572 /* "peer" in ASCII */

/* The peer's grant table (version 1), mapped writable at @s; NULL if that failed. */
static volatile struct grant_entry_v1 *map_table(const struct peer *p, struct spot s)
{
    uint64_t frame = 0, resource = 0;
    struct gnttab_setup_table setup = {.dom = p->id, .nr_frames = 1};
    struct xen_mem_acquire_resource r = {
        .domid = p->id, .type = XENMEM_resource_grant_table, .nr_frames = 1};
    struct test *t = p->t;

    set_xen_guest_handle(setup.frame_list, &frame);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0,
             "GNTTABOP_setup_table of 1 frame for domain %u", p->id);
    CHECK_GNTST(setup.status, GNTST_okay, "GNTTABOP_setup_table of 1 frame for domain %u", p->id);
    set_xen_guest_handle(r.frame_list, &resource);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_acquire_resource, &r), 0,
             "XENMEM_acquire_resource of frame 0 of the grant table of domain %u", p->id);
    CHECK_EQ(resource, frame, "MFN of frame 0 of the grant table by XENMEM_acquire_resource");
    r.frame = PEER_GRANT_FRAMES;
    CHECK(HYPERVISOR_memory_op(XENMEM_acquire_resource, &r) < 0,
          "XENMEM_acquire_resource of a frame past the limit of the grant table of domain %u: "
          "result is 0 (success), expected a negative errno",
          p->id);
    peer_map(p, s, to_mfn(frame), PTE_RW);
    return probe_write((void *)s.va, 0) ? NULL : (volatile struct grant_entry_v1 *)s.va;
}

/* Gives the PFN of the transferred frame a new frame, so that the room is complete again. */
static void refill(const struct peer *p, struct spot *s, pfn_t pfn)
{
    struct test *t = p->t;
    uint64_t list[1] = {pfn.v};

    if (host_populate(list, 1) != 1) {
        test_error(t, "XENMEM_populate_physmap of PFN 0x%lx, whose frame was transferred, failed",
                   pfn.v);
        return;
    }
    s->mfn = to_mfn(list[0]);
    CHECK_RC(p2m_set(&t->d->p2m, pfn, s->mfn), 0, "p2m_set of PFN 0x%lx to MFN 0x%lx", pfn.v,
             s->mfn.v);
}

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
    CHECK_EQ(peer_word(p, mfn, 0), WORD, "word 0 of the transferred frame");
}

/* -EOPNOTSUPP: Xen's option gnttab=no-transfer. */
static void transfer(struct peer *p, volatile struct grant_entry_v1 *e, struct spot *s)
{
    struct gnttab_transfer op = {.mfn = s->mfn.v, .domid = p->id, .ref = REF};
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
    if (host_current_pages() < own_pages)
        refill(p, s, pfn);
}

TEST_RULE(abi_peer_transfer, "GNTTABOP_transfer moves a frame to the domain that accepts it")
{
    volatile struct grant_entry_v1 *table;
    struct spot s, given;
    struct peer p;

    if (!has_grant_table(t) || !peer_open(&p, t, 1, ROOM_PAGES))
        return;
    s = room_spot(&p.room), given = room_spot(&p.room);
    table = map_table(&p, s);
    if (table && !spot_show(given, given.mfn, PTE_RW)) {
        *(volatile uint64_t *)given.va = WORD;
        CHECK_RC(spot_show(given, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", given.va);
        transfer(&p, &table[REF], &given);
    }
    room_drop(&p.room, given);
    room_drop(&p.room, s);
    peer_close(&p);
}
