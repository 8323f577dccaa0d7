/* SPDX-License-Identifier: MIT */
/*
 * Arguments of XENMEM_exchange (<xen/memory.h>) that Xen must refuse, and lists that it must leave
 * in the middle.
 *
 * With an unchecked list in Xen's own area a guest could take over the host: XSA-212, "broken check
 * in memory_exchange() permits PV guest breakout", and XSA-29, "XENMEM_exchange may overwrite
 * hypervisor memory". "On partial success nr_exchanged indicates how much work was done", and "all
 * other input and output extents are untouched": without these tests a guest could lose a frame
 * that it gave, or a frame that it got.
 *
 * The tests name addresses at which Xen has the M2P entry of a frame of this domain. A broken Xen
 * reads or writes just this entry, the test sees it, and the kernel goes on.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

#define NONCANONICAL 0x0000800000000000
/* Xen's own, writable mapping of the M2P (RDWR_MPT_VIRT_START of Xen's asm/config.h). */
#define WRITABLE_M2P ((uint64_t)0xffff828000000000)

#define NR_FRAMES    4ul

static void fill(struct extents *e)
{
    for (uint64_t i = 0; i < NR_FRAMES; i++)
        e->list[i] = extents_mfn(e, i).v, e->out[i] = e->first + i;
}

static void set_m2p(struct extents *e, uint64_t i, uint64_t value)
{
    struct mmu_update req = m2p_update(extents_mfn(e, i), value);
    struct test *t = e->t;

    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF), 0,
             "mmu_update of the M2P entry of MFN 0x%lx to 0x%lx", extents_mfn(e, i).v, value);
}

/*
 * Exchanges the frame of PFN 0; the output list is the M2P entry of the frame of PFN 1 in Xen's
 * area, by the mapping at @m2p. A broken Xen reads the PFN there and writes the new MFN there.
 */
static void try_out(struct extents *e, uint64_t m2p, const char *where)
{
    const uint64_t *entry = (const uint64_t *)m2p + extents_mfn(e, 1).v;
    struct xen_memory_exchange x = extents_exchange(e->list, entry, 1);
    struct test *t = e->t;
    uint64_t found;

    fill(e);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EFAULT,
             "XENMEM_exchange of MFN 0x%lx, output list at %p (%s)", e->list[0],
             (const void *)entry, where);
    CHECK_EQ(x.nr_exchanged, 0, "XENMEM_exchange with its output list in %s: nr_exchanged", where);
    found = m2p_get(&t->d->host.m2p, extents_mfn(e, 1)).v;
    CHECK_EQ(found, e->first + 1, "word of Xen's area at %p, named as output list,",
             (const void *)entry);
    extents_check_kept(e, 0, 1, "XENMEM_exchange with its output list in Xen's area");
    if (found != e->first + 1) {
        extents_adopt(e, 0, 1, found, "XENMEM_exchange with its output list in Xen's area");
        set_m2p(e, 1, e->first + 1);
    }
    extents_check_pages(e, 0, "XENMEM_exchange with its output list in Xen's area");
}

TEST(
    abi_exchange,
    "XENMEM_exchange refuses an output list at an address of Xen, and exchanges no frame (XSA-212)")
{
    uint64_t m2p = (uintptr_t)t->d->host.m2p.table;
    struct xen_memory_exchange x;
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    try_out(&e, WRITABLE_M2P, "Xen's writable M2P");
    if (t->result == TEST_SUCCESS)
        try_out(&e, m2p, "the M2P");
    if (t->result == TEST_SUCCESS) {
        x = extents_exchange(e.list, (const uint64_t *)NONCANONICAL, 1);
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EFAULT,
                 "XENMEM_exchange of MFN 0x%lx, output list at 0x%lx (non-canonical)", e.list[0],
                 NONCANONICAL);
        extents_check_kept(&e, 0, 1, "XENMEM_exchange with a non-canonical output list");
        extents_check_pages(&e, 0, "XENMEM_exchange with a non-canonical output list");
    }
    extents_close(&e);
}

/* The input list is the M2P entry of the frame of PFN 1, which for now holds the MFN of PFN 0. */
static void try_in(struct extents *e, uint64_t m2p, const char *where)
{
    const uint64_t *entry = (const uint64_t *)m2p + extents_mfn(e, 1).v;
    struct xen_memory_exchange x = extents_exchange(entry, e->out, 1);
    struct test *t = e->t;

    fill(e);
    set_m2p(e, 1, extents_mfn(e, 0).v);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EFAULT,
             "XENMEM_exchange of the MFN at %p (%s)", (const void *)entry, where);
    set_m2p(e, 1, e->first + 1);
    CHECK_EQ(x.nr_exchanged, 0, "XENMEM_exchange with its input list in %s: nr_exchanged", where);
    CHECK_EQ(e->out[0], e->first, "XENMEM_exchange with its input list in %s: output list", where);
    extents_check_kept(e, 0, 1, "XENMEM_exchange with its input list in Xen's area");
    if (x.nr_exchanged)
        extents_adopt(e, 0, 1, e->out[0], "XENMEM_exchange with its input list in Xen's area");
    extents_check_pages(e, 0, "XENMEM_exchange with its input list in Xen's area");
}

TEST_RULE(abi_exchange_in,
          "XENMEM_exchange refuses an input list at an address of Xen, and exchanges no frame")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    try_in(&e, WRITABLE_M2P, "Xen's writable M2P");
    try_in(&e, (uintptr_t)t->d->host.m2p.table, "the M2P");
    extents_close(&e);
}

/* Numbers of a request whose lists are valid. */
static const struct numbers {
    const char *what;
    uint64_t nr_in, nr_out, nr_exchanged;
    unsigned int order_in, order_out;
    domid_t in, out;
    long rc;
} numbers[] = {
    {"0 extents",                               0,                       0,                       0, 0, 0, DOMID_SELF, DOMID_SELF, 0      },
    {"nr_exchanged 2 of 2 extents",             2,                       2,                       2, 0, 0, DOMID_SELF, DOMID_SELF, 0      },
    {"nr_exchanged 3 of 2 extents",             2,                       2,                       3, 0, 0, DOMID_SELF, DOMID_SELF, -EINVAL},
    {"fewer frames out than in",                2,                       1,                       0, 0, 0, DOMID_SELF, DOMID_SELF, -EINVAL},
    {"more frames out than in",                 1,                       2,                       0, 0, 0, DOMID_SELF, DOMID_SELF, -EINVAL},
    {"as many extents, of a higher order",      1,                       1,                       0, 0, 1, DOMID_SELF, DOMID_SELF, -EINVAL},
    {"as many extents, of a lower order",       1,                       1,                       0, 1, 0, DOMID_SELF, DOMID_SELF, -EINVAL},
    {"a number of frames that wraps",           ((uint64_t)1 << 63) + 1, 2,                       0, 1, 0, DOMID_SELF, DOMID_SELF,
     -EINVAL                                                                                                                              },
    {"a number of frames out that wraps",       2,                       ((uint64_t)1 << 63) + 1, 0, 0, 1, DOMID_SELF,
     DOMID_SELF,                                                                                                                   -EINVAL},
    {"input of this domain, output of another", 1,                       1,                       0, 0, 0, DOMID_SELF, NO_DOMAIN,  -EINVAL},
    {"a domain that does not exist",            1,                       1,                       0, 0, 0, NO_DOMAIN,  NO_DOMAIN,  -ESRCH },
};

static void try_numbers(struct extents *e, const struct numbers *n)
{
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, 0);
    struct test *t = e->t;
    long rc;

    x.in.nr_extents = n->nr_in, x.in.extent_order = n->order_in, x.in.domid = n->in;
    x.out.nr_extents = n->nr_out, x.out.extent_order = n->order_out, x.out.domid = n->out;
    x.nr_exchanged = n->nr_exchanged;
    fill(e);
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    if (rc == -EPERM && n->order_in + n->order_out)
        return; /* memop-max-order= allows no order but 0: nothing was compared */
    CHECK_RC(rc, n->rc, "XENMEM_exchange with %s", n->what);
    CHECK_EQ(x.nr_exchanged, n->nr_exchanged, "XENMEM_exchange with %s: nr_exchanged", n->what);
    for (uint64_t i = 0; i < NR_FRAMES; i++)
        CHECK_EQ(e->out[i], e->first + i, "XENMEM_exchange with %s: entry %lu of the output list",
                 n->what, i);
    extents_check_kept(e, 0, NR_FRAMES, n->what);
    extents_check_pages(e, 0, n->what);
}

TEST_RULE(abi_exchange_numbers,
          "XENMEM_exchange refuses numbers of extents, orders or domains that do not match")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(numbers) && t->result == TEST_SUCCESS; i++)
        try_numbers(&e, &numbers[i]);
    extents_close(&e);
}

/* Xen did the input extents from number @from to @nr_done, which are single frames. */
static void check_done(struct extents *e, const struct xen_memory_exchange *x, uint64_t from,
                       uint64_t nr_done, const char *step)
{
    uint64_t order = x->out.extent_order, done = nr_done >> order;
    struct test *t = e->t;

    CHECK_EQ(x->nr_exchanged, nr_done, "%s: nr_exchanged", step);
    for (uint64_t i = from; i < done; i++)
        extents_adopt(e, i << order, (uint64_t)1 << order, e->out[i], step);
    for (uint64_t i = done; i < NR_FRAMES >> order; i++)
        CHECK_EQ(e->out[i], e->first + (i << order),
                 "%s: entry %lu of the output list, an extent that must stay,", step, i);
    for (uint64_t i = 0; i < NR_FRAMES; i++)
        if (i < from || i >= nr_done)
            extents_check_kept(e, i, 1, step);
    extents_check_pages(e, 0, step);
}

/* Input extent @bad is no RAM. The frames before it that belong to the same output extent stay. */
static void try_bad(struct extents *e, uint64_t bad, unsigned int order)
{
    static const char step[] = "XENMEM_exchange with a bad input extent";
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, NR_FRAMES);
    struct test *t = e->t;
    long rc;

    fill(e);
    e->list[bad] = t->d->host.ram_end;
    for (uint64_t i = 0; i < NR_FRAMES >> order; i++)
        e->out[i] = e->first + (i << order);
    x.out.nr_extents = NR_FRAMES >> order, x.out.extent_order = order;
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    if (order && (rc == -EPERM || rc == -ENOMEM))
        return; /* no extent of this order is to be had */
    CHECK_RC(rc, -EINVAL,
             "XENMEM_exchange of %lu frames for extents of order %u, frame %lu is past the RAM",
             NR_FRAMES, order, bad);
    check_done(e, &x, 0, bad >> order << order, step);
}

TEST_RULE(
    abi_exchange_partial,
    "XENMEM_exchange stops at a bad extent: nr_exchanged counts those before it, later ones stay")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    for (unsigned int order = 0; order < 3 && order <= extents_max_order(t); order++)
        for (uint64_t bad = 0; bad < NR_FRAMES && t->result == TEST_SUCCESS; bad++)
            try_bad(&e, bad, order);
    extents_close(&e);
}

/* Xen continues an exchange that it has preempted by the number in nr_exchanged. */
TEST_RULE(abi_exchange_resume, "XENMEM_exchange skips the first nr_exchanged extents")
{
    struct xen_memory_exchange x;
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    fill(&e);
    x = extents_exchange(e.list, e.out, NR_FRAMES);
    x.nr_exchanged = 3;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), 0,
             "XENMEM_exchange of %lu frames, nr_exchanged 3", NR_FRAMES);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_EQ(e.out[i], e.first + i,
                 "XENMEM_exchange from extent 3 on: entry %lu of the output list", i);
    check_done(&e, &x, 3, NR_FRAMES, "XENMEM_exchange from extent 3 on");
    extents_close(&e);
}
