/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_* operations in the name of another domain (<xen/memory.h>, "domid").
 *
 * A toolstack gives a domain its memory. Without these tests Xen could count a page for the wrong
 * domain, exceed the limit that the toolstack has set, or give a domain a frame whose M2P entry
 * names the PFN of another one.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/peer/peer_domain.h"

#include <xen/memory.h>

#define ROOM_PAGES 24
#define NR_FRAMES  4
#define NR_EXTRA   8

/* <xen/memory.h> defines it for the tools of Xen only. */
#define XENMEM_claim_pages 24

/* XENMEM_current_reservation and XENMEM_maximum_reservation of the peer, and of this domain. */
static void check_counts(const struct peer *p, uint64_t current, uint64_t maximum, const char *when)
{
    struct test *t = p->t;
    domid_t id = p->id;

    CHECK_RC(HYPERVISOR_memory_op(XENMEM_current_reservation, &id), (long)current,
             "%s: XENMEM_current_reservation of domain %u", when, p->id);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &id), (long)maximum,
             "%s: XENMEM_maximum_reservation of domain %u", when, p->id);
}

static void check_m2p(struct test *t, uint64_t mfn, uint64_t pfn, const char *when)
{
    CHECK_EQ(m2p_get(&t->d->host.m2p, to_mfn(mfn)).v, pfn, "%s: M2P entry of MFN 0x%lx", when, mfn);
}

static void fill(uint64_t list[NR_EXTRA], uint64_t step)
{
    for (unsigned int i = 0; i < NR_EXTRA; i++)
        list[i] = PEER_EXTRA_PFN + i * step;
}

TEST_RULE(abi_peer_populate,
          "XENMEM_populate_physmap for another domain counts and names its frames")
{
    uint64_t own = host_current_pages(), list[NR_EXTRA];
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    check_counts(&p, NR_FRAMES, NR_FRAMES, "new domain");
    for (unsigned int i = 0; i < NR_FRAMES; i++)
        check_m2p(t, p.mfn[i].v, PEER_PFN + i, "new domain");
    peer_set_max_pages(&p, NR_FRAMES + NR_EXTRA);
    fill(list, 4);
    CHECK_RC(peer_reservation(XENMEM_populate_physmap, p.id, list, NR_EXTRA / 4, 2), NR_EXTRA / 4,
             "extents of 4 pages done by XENMEM_populate_physmap for domain %u", p.id);
    for (uint64_t i = 0; i < NR_EXTRA; i++)
        check_m2p(t, list[i / 4] + i % 4, PEER_EXTRA_PFN + i, "after XENMEM_populate_physmap");
    check_counts(&p, NR_FRAMES + NR_EXTRA, NR_FRAMES + NR_EXTRA, "after XENMEM_populate_physmap");
    CHECK_EQ(
        host_current_pages(), own,
        "XENMEM_current_reservation of this domain after XENMEM_populate_physmap for domain %u",
        p.id);
    CHECK_RC(peer_reservation(XENMEM_decrease_reservation, p.id, list, NR_EXTRA / 4, 2),
             NR_EXTRA / 4, "extents of 4 pages done by XENMEM_decrease_reservation of domain %u",
             p.id);
    for (uint64_t i = 0; i < NR_EXTRA; i++)
        check_m2p(t, list[i / 4] + i % 4, INVALID_ENTRY, "after XENMEM_decrease_reservation");
    check_counts(&p, NR_FRAMES, NR_FRAMES + NR_EXTRA, "after XENMEM_decrease_reservation");
    peer_close(&p);
}

TEST_RULE(abi_peer_max_mem, "Xen gives a domain no page above the limit of XEN_DOMCTL_max_mem")
{
    uint64_t list[NR_EXTRA];
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    peer_set_max_pages(&p, NR_FRAMES + 2);
    fill(list, 1);
    CHECK_RC(peer_reservation(XENMEM_populate_physmap, p.id, list, NR_EXTRA, 0), 2,
             "extents done by XENMEM_populate_physmap of %u pages, limit is 2 pages higher",
             NR_EXTRA);
    check_counts(&p, NR_FRAMES + 2, NR_FRAMES + 2, "at the limit");
    for (unsigned int i = 0; i < 2; i++)
        check_m2p(t, list[i], PEER_EXTRA_PFN + i, "at the limit");
    peer_set_max_pages(&p, 1);
    check_counts(&p, NR_FRAMES + 2, 1, "limit of 1 page");
    peer_set_max_pages(&p, NR_FRAMES + 3);
    list[0] = 0;
    CHECK_RC(peer_reservation(XENMEM_increase_reservation, p.id, list, 1, 0), 1,
             "extents done by XENMEM_increase_reservation, one page below the limit");
    check_counts(&p, NR_FRAMES + 3, NR_FRAMES + 3, "after XENMEM_increase_reservation");
    CHECK_RC(peer_reservation(XENMEM_decrease_reservation, p.id, list, 1, 0), 1,
             "extents done by XENMEM_decrease_reservation of MFN 0x%lx, the new frame", list[0]);
    peer_close(&p);
}

static long exchange(uint64_t *in, uint64_t *out, domid_t in_dom, domid_t out_dom, uint64_t *nr)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 2, .domid = in_dom },
          .out = {.nr_extents = 2, .domid = out_dom}
    };
    long rc;

    set_xen_guest_handle(x.in.extent_start, in);
    set_xen_guest_handle(x.out.extent_start, out);
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    *nr = x.nr_exchanged;
    return rc;
}

TEST_RULE(abi_peer_exchange,
          "XENMEM_exchange for another domain replaces frames of that domain only")
{
    uint64_t in[2], out[2] = {PEER_EXTRA_PFN, PEER_EXTRA_PFN + 1}, nr;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    in[0] = p.mfn[0].v, in[1] = p.mfn[1].v;
    CHECK_RC(exchange(in, out, p.id, DOMID_SELF, &nr), -EINVAL,
             "XENMEM_exchange from domain %u to this domain", p.id);
    CHECK_RC(exchange(in, out, p.id, p.id, &nr), 0, "XENMEM_exchange of 2 frames of domain %u",
             p.id);
    CHECK_EQ(nr, 2, "nr_exchanged of 2 frames of domain %u", p.id);
    for (unsigned int i = 0; i < 2; i++) {
        check_m2p(t, out[i], PEER_EXTRA_PFN + i, "after XENMEM_exchange");
        peer_set_word(&p, to_mfn(out[i]), 0, i); /* the new frame is the peer's */
    }
    peer_check_pages(&p, NR_FRAMES, false, "after XENMEM_exchange");
    in[0] = p.mfn[2].v, in[1] = p.window.mfn.v;
    out[0] = PEER_EXTRA_PFN + 2, out[1] = PEER_EXTRA_PFN + 3;
    CHECK_RC(exchange(in, out, p.id, p.id, &nr), -EINVAL,
             "XENMEM_exchange for domain %u of its frame, then a frame of this domain", p.id);
    CHECK_EQ(nr, 1, "nr_exchanged when the second frame is not one of domain %u", p.id);
    check_m2p(t, out[0], PEER_EXTRA_PFN + 2, "after XENMEM_exchange of the first of 2 frames");
    peer_check_pages(&p, NR_FRAMES, false, "after the second XENMEM_exchange");
    peer_close(&p);
}

static long claim(const struct peer *p, uint64_t nr_pages)
{
    return peer_reservation(XENMEM_claim_pages, p->id, NULL, nr_pages, 0);
}

static void check_outstanding(const struct peer *p, uint64_t expected, const char *when)
{
    struct test *t = p->t;

    CHECK_EQ(peer_info_of(p, when).outstanding_pages, expected,
             "%s: outstanding_pages of domain %u", when, p->id);
}

TEST_RULE(abi_peer_claim,
          "XENMEM_claim_pages reserves what a domain lacks, up to its limit, one claim at a time")
{
    uint64_t list[NR_EXTRA];
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    peer_set_max_pages(&p, NR_FRAMES + NR_EXTRA);
    CHECK_RC(claim(&p, NR_FRAMES), -EINVAL,
             "XENMEM_claim_pages of %u pages for domain %u, which has as many", NR_FRAMES, p.id);
    CHECK_RC(claim(&p, NR_FRAMES + NR_EXTRA + 1), -EINVAL,
             "XENMEM_claim_pages of %u pages for domain %u, whose limit is %u pages",
             NR_FRAMES + NR_EXTRA + 1, p.id, NR_FRAMES + NR_EXTRA);
    check_outstanding(&p, 0, "after refused claims");
    CHECK_RC(claim(&p, NR_FRAMES + 4), 0, "XENMEM_claim_pages of 4 more pages");
    check_outstanding(&p, 4, "after XENMEM_claim_pages of 4 more pages");
    CHECK_RC(claim(&p, NR_FRAMES + 5), -EINVAL,
             "XENMEM_claim_pages for domain %u, which has a claim of 4 more pages", p.id);
    fill(list, 1);
    CHECK_RC(peer_reservation(XENMEM_populate_physmap, p.id, list, 3, 0), 3,
             "extents done by XENMEM_populate_physmap of 3 of 4 claimed pages");
    check_outstanding(&p, 1, "after 3 of 4 claimed pages were populated");
    CHECK_RC(claim(&p, 0), 0, "XENMEM_claim_pages of 0, which ends the claim");
    check_outstanding(&p, 0, "after the claim was ended");
    CHECK_RC(claim(&p, NR_FRAMES + NR_EXTRA), 0, "XENMEM_claim_pages after a claim was ended");
    peer_close(&p);
}

/* Two claims of this size are more than Xen has. */
static uint64_t most_of_free_memory(void)
{
    return peer_xen_free_bytes() / PAGE_SIZE * 3 / 4;
}

TEST_RULE(abi_peer_claim_death, "a claim of memory (XENMEM_claim_pages) ends with its domain")
{
    uint64_t nr_pages = most_of_free_memory();

    if (peer_xen_free_bytes() == UINT64_MAX || nr_pages < NR_EXTRA) {
        test_skip(t, "Xen has no free memory to claim, or does not tell how much there is");
        return;
    }
    for (unsigned int i = 0; i < 2; i++) {
        struct peer p;

        if (!peer_open(&p, t, 1, ROOM_PAGES))
            return;
        peer_set_max_pages(&p, nr_pages);
        CHECK_RC(claim(&p, nr_pages), 0, "XENMEM_claim_pages of three quarters of Xen's memory, %s",
                 i ? "after the first domain with such a claim was destroyed" : "first domain");
        peer_close(&p);
    }
}

#define NR_ENTRIES 4

/* XENMEM_memory_map of this domain. */
static long own_map(struct e820_entry entries[NR_ENTRIES], unsigned int *nr)
{
    struct xen_memory_map map = {.nr_entries = NR_ENTRIES};
    long rc;

    set_xen_guest_handle(map.buffer, (void *)entries);
    rc = HYPERVISOR_memory_op(XENMEM_memory_map, &map);
    *nr = map.nr_entries;
    return rc;
}

TEST_RULE(abi_peer_memory_map,
          "XENMEM_set_memory_map for another domain does not change the map of the calling domain")
{
    struct e820_entry before[NR_ENTRIES] = {0}, after[NR_ENTRIES] = {0};
    struct e820_entry entry = {.addr = 0x123000, .len_bytes = PAGE_SIZE, .type = 1};
    struct xen_foreign_memory_map map = {.map.nr_entries = 1};
    unsigned int nr_before, nr_after;
    struct peer p;
    long rc, rc_after;

    if (t->d->host.has_flask) {
        test_skip(t, "XSM/FLASK denies XENMEM_set_memory_map");
        return;
    }
    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    rc = own_map(before, &nr_before);
    map.domid = p.id;
    set_xen_guest_handle(map.map.buffer, (void *)&entry);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), 0,
             "XENMEM_set_memory_map of 1 entry for domain %u", p.id);
    map.map.nr_entries = UINT32_MAX;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), -EINVAL,
             "XENMEM_set_memory_map of 2^32 - 1 entries for domain %u", p.id);
    rc_after = own_map(after, &nr_after);
    CHECK_RC(rc_after, rc,
             "XENMEM_memory_map of this domain after XENMEM_set_memory_map for domain %u", p.id);
    CHECK_EQ(
        nr_after, nr_before,
        "nr_entries by XENMEM_memory_map of this domain after XENMEM_set_memory_map for domain %u",
        p.id);
    for (size_t i = 0; i < NR_ENTRIES; i++)
        check_e820_entry(t,
                         "memory map of this domain after XENMEM_set_memory_map for another domain",
                         i, &after[i], &before[i]);
    peer_close(&p);
}

/* The peer has no P2M that Xen keeps: it is a PV domain. */
TEST_RULE(abi_peer_physmap, "XENMEM_{add_to,remove_from}_physmap of a PV domain fail with EACCES")
{
    struct xen_add_to_physmap add = {.space = XENMAPSPACE_shared_info, .gpfn = PEER_PFN};
    struct xen_remove_from_physmap remove = {.gpfn = PEER_PFN};
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    add.domid = remove.domid = p.id;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add), -EACCES,
             "XENMEM_add_to_physmap of shared_info for PV domain %u", p.id);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &remove), -EACCES,
             "XENMEM_remove_from_physmap for PV domain %u", p.id);
    peer_check_pages(&p, NR_FRAMES, false, "after refused changes of the physmap");
    peer_close(&p);
}
