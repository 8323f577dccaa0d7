/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_unmap_grant_ref and GNTTABOP_unmap_and_replace (<xen/grant_table.h>).
 *
 * Without these tests Xen could end a mapping that the caller did not name, or end the use of a
 * grant while a PTE still maps the page: then the granter takes the page back, and the grantee can
 * still write to it. (XSA-224 and XSA-234 were errors of Xen in the same code: "host and device
 * mappings were not counted in pairs" and "insufficient grant unmapping checks for x86 PV guests".)
 */
#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 32
#define HOST       GNTMAP_host_map
#define RO         GNTMAP_readonly

static bool mapped_open(struct granted *a, struct grant_room *g, uint32_t flags)
{
    *a = granted_open(g, REF, flags);
    return grant_must_map(g, &a->m, "a valid grant");
}

/* The frame of @a is mapped at @va. */
static void check_pte(struct granted *a, uint64_t va, bool readonly, const char *when)
{
    struct test *t = a->g->fr.room.t;
    uint64_t pte = grant_pte(a->g, va);

    CHECK(pte_present(pte) && mfn_eq(pte_mfn(pte), a->frame.mfn) && !(pte & PTE_W) == readonly,
          "%s: PTE of address 0x%lx, a grant mapping that must stay, is 0x%lx, expected MFN 0x%lx, "
          "%s",
          when, va, pte, a->frame.mfn.v, readonly ? "read-only" : "writable");
}

/* The mapping of @a is still there, with all that belongs to it. */
static void check_intact(struct granted *a, const char *when)
{
    bool readonly = a->m.flags & RO;

    check_pte(a, a->at.va, readonly, when);
    grant_check_marks(a->g, REF, readonly ? GRANT_READ : GRANT_WRITE, when);
}

static void refuse(struct granted *a, uint64_t addr, grant_handle_t handle, int16_t expected,
                   const char *what)
{
    struct test *t = a->g->fr.room.t;

    CHECK_GNTST(grant_unmap_at(a->g, addr, 0, handle), expected, "GNTTABOP_unmap_grant_ref, %s",
                what);
    check_intact(a, what);
}

/* The address of an ordinary mapping, with the same rights, of another frame. */
static void refuse_other(struct granted *a)
{
    struct test *t = a->g->fr.room.t;
    uint64_t before;

    CHECK_RC(spot_show(a->other, a->other.mfn, PTE_RW), 0, "update_va_mapping of 0x%lx",
             a->other.va);
    before = grant_pte(a->g, a->other.va);
    refuse(a, a->other.va, a->m.handle, GNTST_general_error, "address of an ordinary mapping");
    CHECK_EQ(grant_pte(a->g, a->other.va), before,
             "PTE of 0x%lx, an ordinary mapping, after a refused GNTTABOP_unmap_grant_ref",
             a->other.va);
    CHECK_RC(spot_show(a->other, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0",
             a->other.va);
}

static void check_refused(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a;

    if (mapped_open(&a, g, HOST)) {
        if (g->first) {
            refuse(&a, a.at.va, UINT32_MAX, GNTST_bad_handle, "handle 0xffffffff");
            refuse(&a, a.other.va, a.m.handle, GNTST_general_error, "address without a mapping");
        }
        if (g->more) {
            refuse(&a, a.at.va, a.m.handle ^ 1, GNTST_bad_handle, "handle of no mapping");
            refuse_other(&a);
        }
        refuse(&a, 0, a.m.handle, GNTST_okay, "host_addr 0 and dev_bus_addr 0 (nothing to do)");
        grant_must_unmap(g, &a.m, "a valid handle and address");
        if (g->more)
            CHECK_GNTST(grant_unmap_at(g, a.at.va, 0, a.m.handle), GNTST_bad_handle,
                        "GNTTABOP_unmap_grant_ref, handle of a mapping that was removed before");
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_unmap_refused,
          "a refused GNTTABOP_unmap_grant_ref leaves the mapping, its rights and its use marks")
{
    grant_room_each(t, ROOM_PAGES, check_refused);
}

/*
 * Two mappings of one frame, with other rights: the handle of one does not end the other, because
 * Xen counts writable types (XSA-234).
 */
static void check_rights(struct grant_room *g)
{
    struct grant_mapping ro;
    struct granted a;

    if (mapped_open(&a, g, HOST)) {
        ro = (struct grant_mapping){.addr = a.other.va, .flags = HOST | RO, .ref = REF};
        if (grant_must_map(g, &ro, "read-only, besides a writable mapping")) {
            if (g->first)
                refuse(&a, ro.addr, a.m.handle, GNTST_general_error,
                       "address of a read-only mapping, handle of a writable mapping");
            if (g->more)
                refuse(&a, a.at.va, ro.handle, GNTST_general_error,
                       "address of a writable mapping, handle of a read-only mapping");
            check_pte(&a, ro.addr, true, "after refused unmaps");
            grant_must_unmap(g, &ro, "the read-only mapping");
            check_intact(&a, "after the unmap of a read-only mapping of the same grant");
        }
        grant_must_unmap(g, &a.m, "the writable mapping");
    }
    granted_close(&a);
}

TEST_RULE(
    abi_grant_unmap_rights,
    "GNTTABOP_unmap_grant_ref removes no mapping with other rights than the handle's (XSA-234)")
{
    grant_room_each(t, ROOM_PAGES, check_rights);
}

static void check_host_bus(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a;

    if (mapped_open(&a, g, HOST)) {
        int16_t status = grant_unmap_at(g, a.at.va, a.m.bus + PAGE_SIZE, a.m.handle);

        CHECK_GNTST(status, GNTST_okay,
                    "GNTTABOP_unmap_grant_ref of a mapping for the host, dev_bus_addr is that of "
                    "another frame");
        if (status)
            grant_must_unmap(g, &a.m, "a valid handle and address");
        granted_close(&a);
    }
}

TEST_RULE(abi_grant_unmap_host_bus,
          "GNTTABOP_unmap_grant_ref ignores dev_bus_addr of a mapping for the host alone")
{
    const struct host *h = &t->d->host;

    if (h->major == 4 && h->minor < 16) {
        test_skip(t, "Xen before 4.16 compares dev_bus_addr also for a mapping for the host alone");
        return;
    }
    grant_room_each(t, ROOM_PAGES, check_host_bus);
}

/* The granter ends the entry while the page is mapped: Xen has a record of the frame (act->mfn). */
static void check_ended(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a;

    for (unsigned int i = 0; i < 2; i++) {
        if (mapped_open(&a, g, HOST | (i ? RO : 0))) {
            uint16_t marks = g->version == 1 ? grant_marks(g, REF) : 0;

            grant_write(g, REF, marks, NO_DOMAIN, to_mfn(0));
            grant_must_unmap(g, &a.m, "after the granter has ended the entry");
            CHECK_EQ(grant_flags(g, REF), 0,
                     "flags of grant entry %u, ended while mapped, after the unmap", REF);
        }
        granted_close(&a);
    }
}

TEST_RULE(abi_grant_unmap_ended,
          "GNTTABOP_unmap_grant_ref removes a mapping whose grant entry has been overwritten")
{
    grant_room_each(t, ROOM_PAGES, check_ended);
}

/* Moves what is mapped at @new_addr to @host_addr, by the handle of @a. Returns the status. */
static int16_t replace_at(struct granted *a, uint64_t host_addr, uint64_t new_addr)
{
    struct test *t = a->g->fr.room.t;
    struct gnttab_unmap_and_replace op = {
        .host_addr = host_addr,
        .new_addr = new_addr,
        .handle = a->m.handle,
        .status = NO_STATUS,
    };

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1), 0,
             "GNTTABOP_unmap_and_replace of 0x%lx by 0x%lx", host_addr, new_addr);
    return op.status;
}

static int16_t replace(struct granted *a, uint64_t new_addr)
{
    return replace_at(a, a->m.addr, new_addr);
}

/* The ordinary mapping of @other.mfn moves from @other.va to @at.va, with rights and references. */
static void check_moved(struct granted *a, uint64_t flags)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;
    uint64_t before;

    CHECK_RC(spot_show(a->other, a->other.mfn, flags), 0, "update_va_mapping of 0x%lx",
             a->other.va);
    before = grant_pte(g, a->other.va);
    CHECK_GNTST(replace(a, a->other.va), GNTST_okay, "GNTTABOP_unmap_and_replace, 0x%lx by 0x%lx",
                a->at.va, a->other.va);
    CHECK_EQ(grant_pte(g, a->at.va), before,
             "after GNTTABOP_unmap_and_replace: PTE of host_addr 0x%lx", a->at.va);
    grant_check_no_pte(g, a->other.va, "after GNTTABOP_unmap_and_replace: new_addr");
    grant_check_marks(g, REF, 0, "after GNTTABOP_unmap_and_replace");
    if (flags & PTE_W && g->more)
        check_frame_refused(t, pt_pin(a->other.mfn, 1),
                            "pin as L1 of a frame whose writable mapping "
                            "GNTTABOP_unmap_and_replace moved",
                            a->other.mfn);
    CHECK_RC(spot_show(a->at, INVALID_MFN, 0), 0, "update_va_mapping of host_addr to 0");
    grant_check_untyped(g, a->other.mfn, "moved by GNTTABOP_unmap_and_replace, then unmapped");
}

static void check_replace(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a;

    if (mapped_open(&a, g, HOST))
        check_moved(&a, PTE_RO);
    granted_close(&a);
    if (mapped_open(&a, g, HOST | RO))
        check_moved(&a, PTE_RW);
    granted_close(&a);
    if (mapped_open(&a, g, HOST))
        CHECK_GNTST(replace(&a, 0), GNTST_okay, "GNTTABOP_unmap_and_replace, new_addr 0");
    granted_close(&a);
}

TEST_RULE(abi_grant_replace,
          "GNTTABOP_unmap_and_replace moves the PTE of new_addr to host_addr, with its references")
{
    grant_room_each(t, ROOM_PAGES, check_replace);
}

static void check_replace_refused(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a;
    uint64_t before;

    if (mapped_open(&a, g, HOST | GNTMAP_contains_pte)) {
        CHECK_RC(spot_show(a.other, a.other.mfn, PTE_RO), 0, "update_va_mapping of new_addr");
        before = grant_pte(g, a.other.va);
        CHECK_GNTST(replace(&a, a.other.va), GNTST_general_error,
                    "GNTTABOP_unmap_and_replace of a mapping with contains_pte");
        check_intact(&a, "after the refused GNTTABOP_unmap_and_replace");
        CHECK_EQ(grant_pte(g, a.other.va), before,
                 "after the refused GNTTABOP_unmap_and_replace: PTE of new_addr 0x%lx", a.other.va);
        grant_must_unmap(g, &a.m, "after a refused GNTTABOP_unmap_and_replace");
    }
    granted_close(&a);
    if (!g->more)
        return;
    if (mapped_open(&a, g, HOST)) {
        /* Xen takes the PTE of new_addr first. When it refuses host_addr, that PTE is gone. */
        CHECK_RC(spot_show(a.other, a.other.mfn, PTE_RW), 0, "update_va_mapping of new_addr");
        CHECK_GNTST(replace_at(&a, a.at.va + PAGE_SIZE, a.other.va), GNTST_general_error,
                    "GNTTABOP_unmap_and_replace, host_addr without a mapping");
        check_intact(&a, "after GNTTABOP_unmap_and_replace with another host_addr");
        CHECK_RC(spot_show(a.other, INVALID_MFN, 0), 0, "update_va_mapping of new_addr to 0");
        grant_check_untyped(g, a.other.mfn, "new_addr of a refused GNTTABOP_unmap_and_replace");
        CHECK_GNTST(replace(&a, HYPERVISOR_VIRT_START), GNTST_general_error,
                    "GNTTABOP_unmap_and_replace, new_addr in Xen's area");
        check_intact(&a, "after GNTTABOP_unmap_and_replace with new_addr in Xen's area");
        grant_must_unmap(g, &a.m, "after a refused GNTTABOP_unmap_and_replace");
    }
    granted_close(&a);
}

TEST_RULE(
    abi_grant_replace_refused,
    "GNTTABOP_unmap_and_replace refuses contains_pte and an address of Xen, and changes no PTE")
{
    grant_room_each(t, ROOM_PAGES, check_replace_refused);
}
