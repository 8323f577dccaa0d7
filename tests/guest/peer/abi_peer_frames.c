/* SPDX-License-Identifier: MIT */
/*
 * References to frames of another domain: how long a frame, and its owner, stay.
 *
 * Without these tests a frame could go to a new owner while a mapping of it is left, which lets a
 * domain read or write the memory of another one; or a reference could be lost, so that the memory
 * of each domain that ends is gone until the host is started again.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/peer/peer_domain.h"

#include <xen/memory.h>

#define ROOM_PAGES 32
#define NR_FRAMES  4

static void release(const struct peer *p, mfn_t mfn, const char *what)
{
    uint64_t list[1] = {mfn.v};
    struct test *t = p->t;

    CHECK_RC(peer_reservation(XENMEM_decrease_reservation, p->id, list, 1, 0), 1,
             "extents done by XENMEM_decrease_reservation of MFN 0x%lx of domain %u, %s", mfn.v,
             p->id, what);
}

/* Xen clears the M2P entry when it gets the frame back, not while a mapping is left. */
static void check_freed(const struct peer *p, mfn_t mfn, uint64_t nr_left, const char *when)
{
    struct test *t = p->t;

    peer_check_pages(p, nr_left, false, when);
    CHECK_EQ(m2p_get(&t->d->host.m2p, mfn).v, INVALID_ENTRY, "%s: M2P entry of MFN 0x%lx", when,
             mfn.v);
}

TEST_RULE(abi_peer_release,
          "a released frame is free at once, or when another domain unmaps the frame")
{
    struct spot s;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    peer_set_word(&p, p.mfn[0], 0, PEER_WORD);
    peer_check_pages(&p, NR_FRAMES, false, "before XENMEM_decrease_reservation");
    release(&p, p.mfn[1], "mapped nowhere now");
    check_freed(&p, p.mfn[1], NR_FRAMES - 1, "after the release of a frame that is not mapped");
    for (unsigned int i = 0; i < 2; i++) {
        const mfn_t mfn = i ? p.mfn[2] : p.mfn[0];

        peer_map(&p, s, mfn, i ? PTE_RW : PTE_RO);
        release(&p, mfn, i ? "mapped writable" : "mapped read-only");
        peer_check_pages(&p, NR_FRAMES - 1 - i, false, "after the release of a mapped frame");
        peer_check_word(&p, s, i ? 0 : PEER_WORD, "after the release of a mapped frame");
        peer_unmap(&p, s);
        check_freed(&p, mfn, NR_FRAMES - 2 - i, "after the released frame was unmapped");
    }
    room_drop(&p.room, s);
    peer_close(&p);
}

TEST_RULE(abi_peer_death, "a domain that was destroyed stays, dying, while its frames are mapped")
{
    struct spot rw, ro;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    rw = room_spot(&p.room), ro = room_spot(&p.room);
    peer_set_word(&p, p.mfn[0], 0, PEER_WORD);
    peer_map(&p, rw, p.mfn[0], PTE_RW);
    peer_map(&p, ro, p.mfn[1], PTE_RO);
    peer_destroy(&p);
    peer_check_pages(&p, 2, true, "destroyed while two frames are mapped");
    peer_check_word(&p, rw, PEER_WORD, "after XEN_DOMCTL_destroydomain");
    peer_check_word(&p, ro, 0, "after XEN_DOMCTL_destroydomain");
    peer_unmap(&p, ro);
    peer_check_pages(&p, 1, true, "destroyed, one of two frames unmapped");
    CHECK_RC(probe_write((void *)rw.va, 0), 0,
             "write to a frame of a dying domain, mapped at 0x%lx", rw.va);
    peer_unmap(&p, rw);
    peer_check_gone(&p, "destroyed, both frames unmapped");
    room_drop(&p.room, ro);
    room_drop(&p.room, rw);
    peer_close(&p);
}

TEST_RULE(abi_peer_death_shared, "a domain stays, dying, while its shared_info is mapped elsewhere")
{
    struct spot s;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    peer_map(&p, s, to_mfn(peer_info_of(&p, "new domain").shared_info_frame), PTE_RW);
    peer_destroy(&p);
    peer_check_pages(&p, 0, true, "destroyed while shared_info is mapped");
    peer_check_word(&p, s, 0,
                    "in shared_info of a dying domain (vcpu_info[0].evtchn_upcall_pending)");
    peer_unmap(&p, s);
    peer_check_gone(&p, "destroyed, shared_info unmapped");
    room_drop(&p.room, s);
    peer_close(&p);
}

TEST_RULE(abi_peer_dying, "a dying domain gets no new page")
{
    uint64_t list[1] = {PEER_EXTRA_PFN};
    struct spot s;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    peer_map(&p, s, p.mfn[0], PTE_RO);
    peer_destroy(&p);
    peer_set_max_pages(&p, NR_FRAMES);
    CHECK_RC(peer_reservation(XENMEM_populate_physmap, p.id, list, 1, 0), 0,
             "extents done by XENMEM_populate_physmap for dying domain %u", p.id);
    peer_destroy(&p); /* once more: nothing is left to do */
    peer_check_pages(&p, 1, true, "destroyed twice while a frame is mapped");
    room_drop(&p.room, s);
    peer_close(&p);
}
