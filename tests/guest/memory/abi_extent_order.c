/* SPDX-License-Identifier: MIT */
/*
 * Extents of every order: populate_physmap, exchange and decrease_reservation.
 *
 * Without these tests Xen could give, take or name only a part of an extent, and each kernel that
 * uses single frames would work. <xen/memory.h>: an extent has 2^extent_order frames and is aligned
 * to its size; the list names "GMFN bases of extents that were allocated"; "this command also
 * updates the mach_to_phys translation table".
 */
#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

#define NR_FRAMES 512 /* of an extent of order 9 */

static void check_base(struct extents *e, unsigned int order, uint64_t mfn, const char *step)
{
    struct test *t = e->t;

    CHECK_EQ(mfn % ((uint64_t)1 << order), 0,
             "%s: MFN 0x%lx of an extent of order %u, modulo 2^%u,", step, mfn, order, order);
}

/* Are all frames of the extent this domain's? Each is mapped writable, which Xen allows no other
 * domain.
 */
static void check_ends(struct extents *e, uint64_t i, unsigned int order)
{
    uint64_t ends[] = {i, i + ((uint64_t)1 << order) - 1};
    struct test *t = e->t;

    for (size_t k = 0; k < ARRAY_SIZE(ends); k++) {
        mfn_t mfn = extents_mfn(e, ends[k]);

        check_frame(t, spot_show(e->spot, mfn, PTE_RW), 0,
                    "update_va_mapping, writable, of the first or last frame of an extent", mfn);
        *(volatile uint64_t *)e->spot.va = mfn.v;
        check_frame(t, spot_show(e->spot, INVALID_MFN, 0), 0, "update_va_mapping to 0", mfn);
    }
}

static void print_no_extent(const struct test *t, unsigned int order)
{
    print("%s: Xen has no free extent of order %u; the order is not tested\n", t->title, order);
}

/* The frames of PFNs [0, 2^order) go, an extent comes, and goes. */
static void try_order(struct extents *e, unsigned int order)
{
    uint64_t nr = (uint64_t)1 << order;
    struct test *t = e->t;

    extents_release(e, 0, nr, "release of single frames");
    if (extents_populate(e, 0, order, 0, "populate of one extent")) {
        check_base(e, order, extents_mfn(e, 0).v, "populate of one extent");
        check_ends(e, 0, order);
        extents_release_order(e, 0, order, "release of one extent");
    } else
        print_no_extent(t, order);
    for (uint64_t i = 0; i < nr; i++)
        e->list[i] = e->first + i;
    CHECK_RC(extents_op(XENMEM_populate_physmap, e->list, nr, 0, 0), (long)nr,
             "XENMEM_populate_physmap of %lu extents of order 0", nr);
    for (uint64_t i = 0; i < nr; i++)
        extents_adopt(e, i, 1, e->list[i], "populate of single frames");
    extents_check_pages(e, (int64_t)nr, "populate of single frames");
}

TEST_RULE(
    abi_extent_order,
    "an extent of each order 0 to 9 is populated and released as a whole, in the order of PFNs")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    for (unsigned int order = 0; order <= extents_max_order(t); order++)
        try_order(&e, order);
    extents_close(&e);
}

/* Several extents in one list: the PFNs [0, NR_MANY << order) get new frames, and lose them. */
#define NR_MANY    4
#define ORDER_MANY 3

static void check_many(struct extents *e, const uint64_t *mfns, long nr_done, const char *step)
{
    uint64_t nr = (uint64_t)1 << ORDER_MANY;
    struct test *t = e->t;

    for (uint64_t k = 0; k < NR_MANY; k++) {
        if ((long)k < nr_done) {
            check_base(e, ORDER_MANY, mfns[k], step);
            extents_adopt(e, k * nr, nr, mfns[k], step);
        } else
            CHECK_EQ(mfns[k], e->first + k * nr, "%s: list entry %lu, which was not done,", step,
                     k);
    }
    CHECK_EQ(mfns[NR_MANY], UNWRITTEN, "%s: list entry behind the last extent", step);
    extents_check_pages(e, nr_done * (int64_t)nr, step);
}

TEST_RULE(abi_extent_many,
          "a list of extents of order 3 is populated and released, each extent as a whole")
{
    static const char populate[] = "populate of 4 extents", release[] = "release of 4 extents";
    uint64_t nr = (uint64_t)NR_MANY << ORDER_MANY;
    struct extents e;
    long done;

    if (extents_max_order(t) < ORDER_MANY) {
        test_skip(t, "the PV shim returns single frames only");
        return;
    }
    if (!extents_open(&e, t, nr))
        return;
    extents_release(&e, 0, nr, "release of single frames");
    for (uint64_t k = 0; k < NR_MANY; k++)
        e.list[k] = e.first + (k << ORDER_MANY);
    e.list[NR_MANY] = UNWRITTEN;
    done = extents_op(XENMEM_populate_physmap, e.list, NR_MANY, ORDER_MANY, 0);
    check_many(&e, e.list, done, populate);
    if (done == NR_MANY) {
        CHECK_RC(extents_op(XENMEM_decrease_reservation, e.list, NR_MANY, ORDER_MANY, 0), NR_MANY,
                 "XENMEM_decrease_reservation of %d extents of order %d", NR_MANY, ORDER_MANY);
        extents_check_gone(&e, 0, nr, release);
        extents_check_pages(&e, -(int64_t)nr, release);
    } else
        print_no_extent(t, ORDER_MANY);
    extents_close(&e);
}

/* An exchange of the frames of PFNs [0, 2^order), which has @in and @out extents on either side. */
struct swap {
    unsigned int in_order, out_order;
    const char *step;
};

static void fill_lists(struct extents *e, const struct swap *s, uint64_t nr)
{
    for (uint64_t k = 0; k < nr >> s->in_order; k++)
        e->list[k] = extents_mfn(e, k << s->in_order).v;
    for (uint64_t k = 0; k < nr >> s->out_order; k++)
        e->out[k] = e->first + (k << s->out_order);
    e->out[nr >> s->out_order] = UNWRITTEN;
}

/* False: Xen has no extent of the order that it was asked for, and has changed nothing. */
static bool swap(struct extents *e, const struct swap *s, unsigned int order)
{
    uint64_t nr = (uint64_t)1 << order, nr_in = nr >> s->in_order, nr_out = nr >> s->out_order;
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, nr_in);
    struct test *t = e->t;
    long rc;

    fill_lists(e, s, nr);
    x.in.extent_order = s->in_order;
    x.out.nr_extents = nr_out, x.out.extent_order = s->out_order;
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    CHECK_EQ(e->out[nr_out], UNWRITTEN, "%s: entry behind the output list", s->step);
    /* EPERM: Xen's option memop-max-order= allows no such order */
    if ((rc == -ENOMEM || (rc == -EPERM && order)) && !x.nr_exchanged) {
        extents_check_kept(e, 0, nr, s->step);
        extents_check_pages(e, 0, s->step);
        return false;
    }
    CHECK_RC(rc, 0, "%s: XENMEM_exchange of %lu extents of order %u for %lu of order %u", s->step,
             nr_in, s->in_order, nr_out, s->out_order);
    CHECK_EQ(x.nr_exchanged, nr_in, "%s: nr_exchanged", s->step);
    extents_check_gone(e, 0, nr, s->step);
    for (uint64_t k = 0; k < nr_out; k++) {
        check_base(e, s->out_order, e->out[k], s->step);
        extents_adopt(e, k << s->out_order, (uint64_t)1 << s->out_order, e->out[k], s->step);
    }
    extents_check_pages(e, 0, s->step);
    return rc == 0;
}

TEST_RULE(abi_exchange_order,
          "XENMEM_exchange of small extents for one of each order 0 to 9, and back, moves each PFN")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    for (unsigned int order = 0; order <= extents_max_order(t); order++) {
        struct swap join = {0, order, "exchange of single frames for an extent"};
        struct swap split = {order, 0, "exchange of an extent for single frames"};
        struct swap halve = {order, order ? order - 1 : 0, "exchange of an extent for two halves"};

        if (!swap(&e, &join, order))
            print_no_extent(t, order);
        else if (!swap(&e, order % 2 ? &halve : &split, order))
            break;
    }
    extents_close(&e);
}
