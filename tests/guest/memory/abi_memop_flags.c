/* SPDX-License-Identifier: MIT */
/*
 * mem_flags of a memory request: NUMA nodes, address bits, and other flags (XENMEMF_* of
 * <xen/memory.h>).
 *
 * XSA-231, "Missing NUMA node parameter verification": with a node past the last one that Xen can
 * have, Xen read past the end of an array. Without these tests a driver that needs memory below
 * 4 GiB could get other memory. Xen checks the node of each request in one place, also for
 * decrease_reservation, which allocates nothing. So that request is made first: a Xen without the
 * check fails the test there, and does not get the request that would end the host.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

/* Xen has at most 64 nodes (MAX_NUMNODES). 255 means "no node", 254 is the last that has a flag. */
static const unsigned int bad_nodes[] = {64, 65, 127, 128, 191, 254};

/* decrease_reservation and the checks of exchange come before an allocation. */
static void try_without_memory(struct extents *e, unsigned int flags)
{
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, 1);
    struct test *t = e->t;

    e->list[0] = extents_mfn(e, 0).v;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, 1, 0, flags), 0,
             "XENMEM_decrease_reservation of one frame, mem_flags 0x%x", flags);
    extents_check_kept(e, 0, 1, "release with a node out of range");
    extents_check_pages(e, 0, "release with a node out of range");
    x.in.domid = x.out.domid = NO_DOMAIN, x.out.mem_flags = flags;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EINVAL,
             "XENMEM_exchange for domain 0x%x, which does not exist, mem_flags 0x%x", NO_DOMAIN,
             flags);
}

static void try_memory(struct extents *e, unsigned int flags)
{
    uint64_t nr_exchanged;
    struct test *t = e->t;

    CHECK_RC(extents_exchange_first(e, flags, &nr_exchanged), -EINVAL,
             "XENMEM_exchange of one frame, mem_flags 0x%x", flags);
    extents_check_kept(e, 0, 1, "exchange with a node out of range");

    e->list[0] = e->first;
    CHECK_RC(extents_op(XENMEM_populate_physmap, e->list, 1, 0, flags), 0,
             "XENMEM_populate_physmap of one frame, mem_flags 0x%x", flags);
    CHECK_RC(extents_op(XENMEM_increase_reservation, e->list, 1, 0, flags), 0,
             "XENMEM_increase_reservation of one frame, mem_flags 0x%x", flags);
    extents_check_pages(e, 0, "requests with a node out of range");
}

/*
 * The node that a domU names is a wish: Xen ignores it. The flag for "no other node" makes it an
 * order, which a domU may not give.
 */
TEST_RULE(abi_memop_node, "Xen refuses memory of a NUMA node that it cannot have (XSA-231)")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    struct extents e;

    if (!extents_open(&e, t, 1))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(bad_nodes) && t->result == TEST_SUCCESS; i++) {
        try_without_memory(&e, XENMEMF_exact_node(bad_nodes[i]));
        if (initdom)
            try_without_memory(&e, XENMEMF_node(bad_nodes[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad_nodes) && t->result == TEST_SUCCESS; i++) {
        try_memory(&e, XENMEMF_exact_node(bad_nodes[i]));
        if (initdom)
            try_memory(&e, XENMEMF_node(bad_nodes[i]));
    }
    extents_close(&e);
}

/* Requests that Xen carries out, whatever memory and nodes it has. */
static const struct {
    const char *step;
    unsigned int flags;
} good[] = {
    {"populate with node 0",                                    XENMEMF_node(0)                },
    {"populate with node 63",                                   XENMEMF_node(63)               },
    {"populate with virtual node 0, in a domain without vNUMA", XENMEMF_node(0) | XENMEMF_vnode},
    {"populate with 255 address bits",                          XENMEMF_address_bits(255)      },
};

TEST_RULE(abi_memop_hint,
          "a NUMA node without XENMEMF_exact_node_request is a wish: Xen has memory for it")
{
    struct extents e;

    if (!extents_open(&e, t, 1))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        extents_release(&e, 0, 1, good[i].step);
        if (!extents_populate(&e, 0, 0, good[i].flags, good[i].step)) {
            test_fail(t, "%s: XENMEM_populate_physmap: result is 0, expected 1", good[i].step);
            break;
        }
    }
    extents_close(&e);
}

static void check_bits(struct extents *e, uint64_t mfn, unsigned int bits, const char *what)
{
    struct test *t = e->t;

    CHECK(mfn >> (bits - PAGE_SHIFT) == 0,
          "%s with %u address bits: the frame is MFN 0x%lx, expected one below 0x%lx", what, bits,
          mfn, (uint64_t)1 << (bits - PAGE_SHIFT));
}

/* Xen may have no such frame: then it must say so. */
static void try_bits(struct extents *e, unsigned int bits)
{
    struct test *t = e->t;
    uint64_t nr_exchanged;
    long rc;

    rc = extents_exchange_first(e, XENMEMF_address_bits(bits), &nr_exchanged);
    if (rc != -ENOMEM)
        CHECK_RC(rc, 0, "XENMEM_exchange of one frame, %u address bits", bits);
    if (!rc) {
        check_bits(e, e->out[0], bits, "XENMEM_exchange");
        extents_adopt(e, 0, 1, e->out[0], "exchange with address bits");
    }
    extents_check_pages(e, 0, "exchange with address bits");

    extents_release(e, 0, 1, "release before a populate with address bits");
    if (extents_populate(e, 0, 0, XENMEMF_address_bits(bits), "populate with address bits"))
        check_bits(e, extents_mfn(e, 0).v, bits, "XENMEM_populate_physmap");
    else if (!extents_populate(e, 0, 0, 0, "populate without address bits"))
        test_error(t, "XENMEM_populate_physmap of one frame, with no address bits, after one frame "
                      "was released: result is 0, expected 1");
}

TEST_RULE(abi_memop_bits, "memory that is asked for with XENMEMF_address_bits(n) lies below 2^n")
{
    static const unsigned int limits[] = {28, 30, 32};
    static const unsigned int absurd[] = {1, 11, 12};
    struct extents e;

    if (!extents_open(&e, t, 2))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(limits) && t->result == TEST_SUCCESS; i++)
        try_bits(&e, limits[i]);
    if (t->result == TEST_SUCCESS)
        extents_release(&e, 1, 1, "release of a free frame");
    for (size_t i = 0; i < ARRAY_SIZE(absurd) && t->result == TEST_SUCCESS; i++)
        CHECK(!extents_populate(&e, 1, 0, XENMEMF_address_bits(absurd[i]),
                                "populate with fewer address bits than a page has"),
              "XENMEM_populate_physmap with %u address bits: result is 1, expected 0", absurd[i]);
    extents_close(&e);
}

/* <xen/memory.h>: "populate-on-demand" is for a domain whose memory Xen translates. */
TEST_RULE(abi_memop_pod, "a PV guest cannot populate itself on demand (XENMEMF_populate_on_demand)")
{
    struct extents e;

    if (!extents_open(&e, t, 1))
        return;
    extents_release(&e, 0, 1, "release of a free frame");
    CHECK(!extents_populate(&e, 0, 0, XENMEMF_populate_on_demand, "populate on demand"),
          "XENMEM_populate_physmap with XENMEMF_populate_on_demand: result is 1, expected 0");
    extents_close(&e);
}
