/* SPDX-License-Identifier: MIT */
/*
 * The size of a domain: XENMEM_current_reservation, XENMEM_maximum_reservation and
 * XENMEM_increase_reservation of <xen/memory.h>.
 *
 * A balloon compares these numbers with its own, and the toolstack divides the host by them.
 * Without these tests a domain could grow past its maximum, or ask for another domain's size.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

#define NR_FRAMES 4
#define MAX_ROOM  512 /* frames that a test gets at most, to reach the maximum of its domain */

/* increase_reservation gives frames without PFNs: the M2P entries are the guest's to set. */
static void take(struct extents *e, uint64_t i, unsigned int order)
{
    static const char step[] = "XENMEM_increase_reservation";
    uint64_t nr = (uint64_t)1 << order;
    struct test *t = e->t;
    struct mmu_update req;
    long rc;

    e->list[0] = 0, e->list[1] = UNWRITTEN;
    rc = extents_op(XENMEM_increase_reservation, e->list, 1, order, 0);
    CHECK_EQ(e->list[1], UNWRITTEN, "%s: list entry behind the only extent", step);
    if (rc == 0 && order)
        return; /* Xen has no extent of this order */
    CHECK_RC(rc, 1, "XENMEM_increase_reservation of one extent of order %u", order);
    for (uint64_t j = 0; rc == 1 && j < nr; j++) {
        req = m2p_update(to_mfn(e->list[0] + j), e->first + i + j);
        CHECK_RC(HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF), 0,
                 "mmu_update of the M2P entry of MFN 0x%lx, frame %lu of the extent that "
                 "XENMEM_increase_reservation returned",
                 e->list[0] + j, j);
    }
    if (rc == 1)
        extents_adopt(e, i, nr, e->list[0], step);
    extents_check_pages(e, rc == 1 ? (int64_t)nr : 0, step);
}

TEST_RULE(abi_increase, "XENMEM_increase_reservation returns frames that are this domain's")
{
    struct extents e;

    if (!extents_open(&e, t, NR_FRAMES))
        return;
    for (unsigned int order = 0; order < 3 && order <= extents_max_order(t); order++) {
        extents_release(&e, 0, (uint64_t)1 << order, "release of single frames");
        take(&e, 0, order);
        if (mfn_eq(extents_mfn(&e, 0), INVALID_MFN))
            break;
        extents_release_order(&e, 0, order, "release of what increase_reservation returned");
        for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
            take(&e, i, 0);
    }
    extents_close(&e);
}

/*
 * Asks for a frame more than this domain may have. Xen may have fewer frames left. They are
 * released again: the list has their MFNs.
 */
static void try_past_max(struct extents *e, uint64_t room)
{
    static const char step[] = "populate past XENMEM_maximum_reservation";
    struct test *t = e->t;
    uint64_t got;
    long rc;

    for (uint64_t i = 0; i <= room; i++)
        e->list[i] = e->first + i % e->nr;
    rc = extents_op(XENMEM_populate_physmap, e->list, room + 1, 0, 0);
    CHECK(
        rc >= 0 && (uint64_t)rc <= room,
        "XENMEM_populate_physmap of %lu frames, for which this domain has room for %lu: result is "
        "%ld, expected at most %lu",
        room + 1, room, rc, room);
    got = rc < 0 ? 0 : min_u64((uint64_t)rc, room + 1);
    extents_check_pages(e, (int64_t)got, step);
    if (got)
        CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, got, 0, 0), (long)got,
                 "XENMEM_decrease_reservation of the %lu frames that populate_physmap returned",
                 got);
    extents_check_pages(e, -(int64_t)got, "release of the frames up to the maximum");
    extents_check_kept(e, 0, 1, step);
}

TEST_RULE(abi_reservation_max, "a domain gets no frame more than XENMEM_maximum_reservation")
{
    uint64_t current = host_current_pages(), max = host_maximum_pages();
    struct extents e;

    if (max < current || max - current > MAX_ROOM) {
        test_skip(t, "this domain has 0x%lx frames, its maximum is 0x%lx", current, max);
        return;
    }
    if (!extents_open(&e, t, MAX_ROOM))
        return;
    try_past_max(&e, max - current);
    extents_close(&e);
}

static long size_of(unsigned int cmd, domid_t domain)
{
    struct xen_memory_domain arg = {.domid = domain};

    return HYPERVISOR_memory_op(cmd, &arg);
}

TEST_RULE(
    abi_reservation,
    "the sizes of this domain are the same by its number and by DOMID_SELF, current <= maximum")
{
    static const unsigned int cmds[] = {XENMEM_current_reservation, XENMEM_maximum_reservation,
                                        XENMEM_maximum_gpfn};
    domid_t self = host_domid();

    CHECK(host_current_pages() <= host_maximum_pages() ||
              host_current_pages() == t->d->boot.nr_pages,
          "XENMEM_current_reservation is 0x%lx, expected at most XENMEM_maximum_reservation, 0x%lx",
          host_current_pages(), host_maximum_pages());
    for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
        if (self != DOMID_INVALID)
            CHECK_RC(size_of(cmds[i], self), size_of(cmds[i], DOMID_SELF),
                     "memory_op %u of domain %u, compared with DOMID_SELF", cmds[i], self);
        CHECK_RC(size_of(cmds[i], NO_DOMAIN), -ESRCH,
                 "memory_op %u of domain 0x%x, which does not exist", cmds[i], NO_DOMAIN);
    }
    CHECK_RC(size_of(XENMEM_maximum_gpfn, DOMID_SELF), (long)t->d->shared->arch.max_pfn - 1,
             "XENMEM_maximum_gpfn, compared with arch_shared_info.max_pfn - 1");
}

/* As at the start of a kernel, which Xen's builder does not tell any max_pfn. */
TEST_RULE(abi_max_gpfn_unset, "XENMEM_maximum_gpfn is 0 while arch_shared_info.max_pfn is 0")
{
    uint64_t max_pfn = t->d->shared->arch.max_pfn;
    long rc;

    __atomic_store_n(&t->d->shared->arch.max_pfn, 0, __ATOMIC_SEQ_CST);
    rc = size_of(XENMEM_maximum_gpfn, DOMID_SELF);
    __atomic_store_n(&t->d->shared->arch.max_pfn, max_pfn, __ATOMIC_SEQ_CST);
    CHECK_RC(rc, 0, "XENMEM_maximum_gpfn while arch_shared_info.max_pfn is 0");
}

static long vnuma(domid_t domain, uint16_t pad)
{
    struct xen_vnuma_topology_info arg = {.domid = domain, .pad = pad};

    return HYPERVISOR_memory_op(XENMEM_get_vnumainfo, &arg);
}

TEST_RULE(abi_vnuma,
          "XENMEM_get_vnumainfo refuses a domain without virtual NUMA, and bad arguments")
{
    if (t->d->host.has_flask) {
        test_skip(t, "XSM/FLASK may deny XENMEM_get_vnumainfo");
        return;
    }
    CHECK_RC(vnuma(DOMID_SELF, 1), -EINVAL, "XENMEM_get_vnumainfo, pad is 1");
    CHECK_RC(vnuma(NO_DOMAIN, 0), -ESRCH,
             "XENMEM_get_vnumainfo of domain 0x%x, which does not exist", NO_DOMAIN);
    CHECK_RC(vnuma(DOMID_SELF, 0), -EOPNOTSUPP, "XENMEM_get_vnumainfo of this domain");
}

/* <xen/memory.h>: the field pad of struct xen_mem_acquire_resource "must be zero". */
TEST_RULE(abi_acquire_pad, "XENMEM_acquire_resource refuses a pad that is not 0")
{
    uint64_t mfn = 0;
    struct xen_mem_acquire_resource r = {
        .domid = NO_DOMAIN, .type = XENMEM_resource_grant_table, .nr_frames = 1};

    set_xen_guest_handle(r.frame_list, &mfn);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_acquire_resource, &r), -ESRCH,
             "XENMEM_acquire_resource of domain 0x%x, which does not exist", NO_DOMAIN);
    r.pad = 1;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_acquire_resource, &r), -EINVAL,
             "XENMEM_acquire_resource of domain 0x%x, pad is 1", NO_DOMAIN);
}

/* <xen/memory.h>: "translated guests only". */
TEST_RULE(abi_physmap, "add_to_physmap and remove_from_physmap are refused to a PV guest")
{
    struct xen_add_to_physmap add = {.domid = DOMID_SELF, .space = XENMAPSPACE_gmfn};
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF};
    struct extents e;

    if (!extents_open(&e, t, 2))
        return;
    add.idx = extents_mfn(&e, 0).v, add.gpfn = e.first + 1;
    remove.gpfn = extents_mfn(&e, 0).v;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_add_to_physmap, &add), -EACCES,
             "XENMEM_add_to_physmap of MFN 0x%lx", add.idx);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_remove_from_physmap, &remove), -EACCES,
             "XENMEM_remove_from_physmap of MFN 0x%lx", remove.gpfn);
    extents_check_kept(&e, 0, 2, "refused changes of the physmap");
    extents_check_pages(&e, 0, "refused changes of the physmap");
    extents_close(&e);
}
