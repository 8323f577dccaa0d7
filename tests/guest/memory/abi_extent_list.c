/* SPDX-License-Identifier: MIT */
/*
 * Lists of extents that Xen carries out in part, or not at all.
 *
 * <xen/memory.h>: the result is "the number of extents successfully allocated or freed". A balloon
 * keeps its frames by this number alone. Without these tests the result could differ from what Xen
 * did, and frames behind a bad extent could be gone without a word.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

#define NR_FRAMES 5
/* The number of extents that Xen can encode when it continues a hypercall (MEMOP_EXTENT_SHIFT 6).
 */
#define MAX_EXTENTS (UINT32_MAX >> 6)

/*
 * Releases the frames of PFNs [0, NR_FRAMES), but entry @bad of the list is @entry. Xen must have
 * done the extents before it, and no other.
 */
static void try_release(struct extents *e, uint64_t bad, uint64_t entry, const char *step)
{
    struct test *t = e->t;

    for (uint64_t i = 0; i < NR_FRAMES; i++)
        e->list[i] = i == bad ? entry : extents_mfn(e, i).v;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, NR_FRAMES, 0, 0), (long)bad,
             "XENMEM_decrease_reservation of %u extents, extent %lu (from 0) is MFN 0x%lx (%s)",
             NR_FRAMES, bad, entry, step);
    extents_check_gone(e, 0, bad, step);
    extents_check_kept(e, bad, NR_FRAMES - bad, step);
    extents_check_pages(e, -(int64_t)bad, step);
    for (uint64_t i = 0; i < bad; i++)
        if (!extents_populate(e, i, 0, 0, step))
            return;
}

static bool all_filled(const struct extents *e)
{
    for (uint64_t i = 0; i < e->nr; i++)
        if (mfn_eq(extents_mfn(e, i), INVALID_MFN))
            return false;
    return true;
}

TEST_RULE(abi_release_bad_extent,
          "decrease_reservation stops at a bad extent: its result is the number of frames released")
{
    uint64_t past = t->d->host.ram_end, none = INVALID_ENTRY;
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    try_release(&e, 0, past, "past the host's RAM");
    if (all_filled(&e))
        try_release(&e, 2, none, "~0");
    if (all_filled(&e))
        try_release(&e, NR_FRAMES - 1, none >> 12, "the largest machine address");
    if (all_filled(&e)) /* a frame that extent 0 has released */
        try_release(&e, 3, extents_mfn(&e, 0).v, "listed before");
    if (all_filled(&e) && !boot_info_is_shim(&t->d->boot))
        try_release(&e, 1, xen_frame(t->d).v, "a page table of Xen");
    extents_close(&e);
}

/*
 * Three extents of two frames; the second frame of the second extent is not this domain's. Xen may
 * release the first frame of that extent, but counts no part of an extent.
 */
TEST_RULE(abi_release_bad_frame,
          "a bad frame inside an extent ends decrease_reservation: later extents stay")
{
    static const char step[] = "release of 3 extents of order 1, a frame of the second is bad";
    struct extents e;
    bool filled = true;

    if (!extents_max_order(t)) {
        test_skip(t, "the PV shim returns single frames only");
        return;
    }
    if (!extents_open(&e, t, 6))
        return;
    extents_release(&e, 0, 6, "release of single frames");
    for (uint64_t i = 0; i < 6 && filled; i += 2)
        filled = extents_populate(&e, i, 1, 0, "populate of an extent of order 1");
    if (filled) {
        extents_release(&e, 3, 1, "release of the second frame of an extent");
        for (uint64_t i = 0; i < 3; i++)
            e.list[i] = extents_mfn(&e, 2 * i).v;
        CHECK_RC(extents_op(XENMEM_decrease_reservation, e.list, 3, 1, 0), 1, "%s", step);
        extents_check_gone(&e, 0, 3, step);
        extents_check_kept(&e, 4, 2, step);
        extents_check_pages(&e, -3, step);
    } else
        test_skip(t, "Xen has no extent of order 1");
    extents_close(&e);
}

/* Only this domain's memory: a domain that does not exist, one that is no guest, and dom0. */
TEST_RULE(abi_extent_domain, "memory_op does nothing for a domain that is not this one")
{
    static const char step[] = "memory_op for another domain";
    static const domid_t domains[] = {NO_DOMAIN, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0};
    size_t nr = ARRAY_SIZE(domains);
    struct extents e;

    if (boot_info_is_initdomain(&t->d->boot))
        nr--; /* it is this one */
    if (!extents_open(&e, t, 1))
        return;
    for (size_t i = 0; i < nr; i++) {
        struct xen_memory_reservation arg = {.nr_extents = 1, .domid = domains[i]};

        e.list[0] = extents_mfn(&e, 0).v;
        set_xen_guest_handle(arg.extent_start, e.list);
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &arg), 0,
                 "XENMEM_decrease_reservation for domain 0x%x", domains[i]);
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &arg), 0,
                 "XENMEM_populate_physmap for domain 0x%x", domains[i]);
        CHECK_RC(HYPERVISOR_memory_op(XENMEM_increase_reservation, &arg), 0,
                 "XENMEM_increase_reservation for domain 0x%x", domains[i]);
        CHECK_EQ(e.list[0], extents_mfn(&e, 0).v, "memory_op for domain 0x%x: extent list",
                 domains[i]);
        extents_check_kept(&e, 0, 1, step);
        extents_check_pages(&e, 0, step);
    }
    extents_close(&e);
}

/* The first @readable entries of a list of NR_FRAMES are the end of @page; the rest is not mapped.
 */
static void try_unreadable(struct extents *e, void *page, uint64_t readable)
{
    static const char step[] = "release by a list that ends in an unmapped page";
    uint64_t *list = (uint64_t *)((uintptr_t)page + PAGE_SIZE) - readable;
    struct test *t = e->t;

    for (uint64_t i = 0; i < readable; i++)
        list[i] = extents_mfn(e, i).v;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, list, NR_FRAMES, 0, 0), (long)readable,
             "XENMEM_decrease_reservation of %u extents, of which %lu can be read", NR_FRAMES,
             readable);
    extents_check_gone(e, 0, readable, step);
    extents_check_kept(e, readable, NR_FRAMES - readable, step);
    extents_check_pages(e, -(int64_t)readable, step);

    for (uint64_t i = 0; i < readable; i++)
        list[i] = e->first + i;
    CHECK_RC(extents_op(XENMEM_populate_physmap, list, NR_FRAMES, 0, 0), (long)readable,
             "XENMEM_populate_physmap of %u extents, of which %lu can be read", NR_FRAMES,
             readable);
    for (uint64_t i = 0; i < readable; i++)
        extents_adopt(e, i, 1, list[i], "populate by a list that ends in an unmapped page");
    extents_check_pages(e, (int64_t)readable, "populate by a list that ends in an unmapped page");
}

TEST_RULE(abi_extent_list_end,
          "memory_op does the extents before an unreadable part of the list, and counts just these")
{
    struct extents e;
    void *page;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    page = room_alloc(e.room, 1);
    for (uint64_t readable = 0; readable < NR_FRAMES && all_filled(&e); readable++)
        try_unreadable(&e, page, readable);
    room_free(e.room, page, 1);
    extents_close(&e);
}

/* A request of @nr extents that Xen must refuse as a whole, though the first extent is good. */
static void try_count(struct extents *e, uint64_t nr, long expected)
{
    static const char step[] = "release of an absurd number of extents";
    struct test *t = e->t;

    e->list[0] = extents_mfn(e, 0).v, e->list[1] = INVALID_ENTRY;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, nr, 0, 0), expected,
             "XENMEM_decrease_reservation, nr_extents 0x%lx, extent 0 is good and extent 1 is bad",
             nr);
    extents_check_gone(e, 0, (uint64_t)expected, step);
    extents_check_kept(e, (uint64_t)expected, 1 - (uint64_t)expected, step);
    extents_check_pages(e, -expected, step);
}

TEST_RULE(abi_extent_count, "memory_op does nothing if nr_extents is more than it can continue")
{
    static const uint64_t absurd[] = {
        MAX_EXTENTS + 1ul,       UINT32_MAX,        (uint64_t)1 << 32,
        ((uint64_t)1 << 32) + 1, (uint64_t)1 << 63, UINT64_MAX,
    };
    struct extents e;

    if (!extents_open(&e, t, 1))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(absurd) && all_filled(&e); i++)
        try_count(&e, absurd[i], 0);
    if (all_filled(&e))
        try_count(&e, MAX_EXTENTS, 1);
    extents_close(&e);
}

/*
 * Two frames of the extents with MFNs that follow each other: the numbers of their PFNs. False:
 * there are none.
 */
static bool find_neighbours(const struct extents *e, uint64_t *low, uint64_t *high)
{
    for (*low = 0; *low < e->nr; ++*low)
        for (*high = 0; *high < e->nr; ++*high)
            if (extents_mfn(e, *high).v == extents_mfn(e, *low).v + 1)
                return true;
    return false;
}

/*
 * The frame behind PFN @low's is not this domain's any more. So an extent of more than one frame
 * cannot be released as a whole, and a Xen that accepts the order releases one frame.
 */
static void try_order(struct extents *e, uint64_t low, unsigned int order)
{
    static const char step[] = "memory_op with an order past the limit";
    struct test *t = e->t;
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, 1);

    e->list[0] = extents_mfn(e, low).v, e->out[0] = e->first + low;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, 1, order, 0), 0,
             "XENMEM_decrease_reservation of an extent of order %u", order);
    CHECK_RC(extents_op(XENMEM_populate_physmap, e->out, 1, order, 0), 0,
             "XENMEM_populate_physmap of an extent of order %u", order);
    x.in.extent_order = x.out.extent_order = order;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EPERM,
             "XENMEM_exchange of an extent of order %u", order);
    CHECK_EQ(e->out[0], e->first + low, "%s: output list", step);
    extents_check_kept(e, low, 1, step);
    extents_check_pages(e, 0, step);
}

/*
 * The largest order of Xen on x86, 1 GiB. By default the limit of a domU is 9, or 12 if the domU
 * has a device (XSA-158).
 */
#define DOMU_REFUSED 18

TEST_RULE(abi_extent_max_order,
          "memory_op refuses an extent of an order past the limit of this domain")
{
    /* Xen's option memop-max-order= can raise the limit of each domain to MAX_ORDER, 20. */
    static const unsigned int orders[] = {21, 31, 32, 63, 64, UINT32_MAX};
    struct extents e;
    uint64_t low, high;

    if (!extents_open(&e, t, 16))
        return;
    if (find_neighbours(&e, &low, &high)) {
        extents_release(&e, high, 1, "release of a free frame");
        if (!boot_info_is_initdomain(&t->d->boot) && !boot_info_is_shim(&t->d->boot))
            try_order(&e, low, DOMU_REFUSED);
        for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
            if (!mfn_eq(extents_mfn(&e, low), INVALID_MFN))
                try_order(&e, low, orders[i]);
    } else
        test_skip(t, "no two of 16 free frames have MFNs that follow each other");
    extents_close(&e);
}
