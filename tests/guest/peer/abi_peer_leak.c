/* SPDX-License-Identifier: MIT */
/*
 * The memory of domains that are gone.
 *
 * Without this test Xen could lose a page for each domain that ends: a table of grants or event
 * channels, a vCPU, or a frame whose reference nobody holds. A host would run out of memory after
 * thousands of domains.
 *
 * Xen frees the last structures of a domain in an RCU callback, after the hypercall has returned,
 * so the test waits for the memory.
 */
#include "arch/x86/hypercall.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"

#include "tests/guest/foreign_room.h"
#include "tests/guest/peer/peer_domain.h"

#include <xen/memory.h>

#define ROOM_PAGES 32
#define NR_FRAMES  8

/*
 * Domains that end between the two measurements. A page lost for each is as much as this number;
 * fewer pages may be those of Xen's allocator of small objects, which keeps some for later.
 */
#define NR_DOMAINS 4

/* Waits of 1 ms until Xen has freed all. Xen takes one or two; a wait can take longer. */
#define MAX_WAITS 3000

/* Waits without a change after which the free memory is taken as settled. */
#define NR_SAME 5

/* A domain with all that Xen allocates for one: grant table, ports, memory map, page tables. */
static bool live_and_die(struct test *t)
{
    struct evtchn_alloc_unbound alloc = {.remote_dom = DOMID_SELF};
    struct e820_entry entry = {.addr = 0, .len_bytes = PAGE_SIZE, .type = 1};
    struct xen_foreign_memory_map map = {.map.nr_entries = 1};
    struct gnttab_setup_table setup = {.nr_frames = PEER_GRANT_FRAMES, .status = NO_STATUS};
    uint64_t frame;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return false;
    alloc.dom = map.domid = setup.dom = p.id;
    for (unsigned int i = 0; i < PEER_LAST_PORT; i++)
        CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), 0,
                 "EVTCHNOP_alloc_unbound in domain %u, number %u", p.id, i);
    set_xen_guest_handle(map.map.buffer, (void *)&entry);
    if (!t->d->host.has_flask)
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), 0,
                 "XENMEM_set_memory_map of domain %u", p.id);
    set_xen_guest_handle(setup.frame_list, &frame);
    if (t->d->grants.table) {
        CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0,
                 "GNTTABOP_setup_table of 1 frame for domain %u", p.id);
        CHECK_GNTST(setup.status, GNTST_okay, "GNTTABOP_setup_table of 1 frame for domain %u",
                    p.id);
    }
    for (unsigned int level = PT_LEVELS; level > 1; level--)
        peer_set_word(&p, p.mfn[level], 1, pte_make(p.mfn[level - 1], PTE_TABLE));
    CHECK_RC(peer_mmuext(MMUEXT_PIN_L4_TABLE, p.mfn[PT_LEVELS], p.id), 0,
             "MMUEXT_PIN_L4_TABLE for domain %u", p.id);
    peer_map(&p, p.window, p.mfn[0], PTE_RW);
    peer_destroy(&p);
    peer_unmap(&p, p.window);
    peer_close(&p);
    return true;
}

static uint64_t free_after_1_ms(void)
{
    watchdog_kick();
    evtchn_wait(clock_ns() + NS_PER_MS);
    return peer_xen_free_bytes();
}

/* Waits until the free memory stays the same, and returns it: Xen has freed what has ended. */
static uint64_t settled(void)
{
    uint64_t last = peer_xen_free_bytes();

    for (unsigned int nr_same = 0, i = 0; nr_same < NR_SAME && i < MAX_WAITS; i++) {
        uint64_t now = free_after_1_ms();

        nr_same = now == last ? nr_same + 1 : 0;
        last = now;
    }
    return last;
}

TEST_RULE(abi_peer_leak, "Xen has the memory of a domain back when the domain is gone")
{
    uint64_t before, after, lost;

    if (peer_xen_free_bytes() == UINT64_MAX) {
        test_skip(t, "Xen does not tell this domain its free memory (XEN_SYSCTL_availheap)");
        return;
    }
    if (!live_and_die(t)) /* what Xen keeps from the first domain on is no leak */
        return;
    before = settled();
    for (unsigned int i = 0; i < NR_DOMAINS; i++)
        if (!live_and_die(t))
            return;
    after = peer_xen_free_bytes();
    for (unsigned int i = 0; after < before && i < MAX_WAITS; i++)
        after = free_after_1_ms();
    lost = after < before ? (before - after) / PAGE_SIZE : 0;
    CHECK(lost < NR_DOMAINS,
          "free memory of Xen after %u domains ended: %lu pages less than before, expected fewer "
          "than %u",
          NR_DOMAINS, lost, NR_DOMAINS);
}
