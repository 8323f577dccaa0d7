/* SPDX-License-Identifier: MIT */
/*
 * Page types that a mapping or a copy of a grant takes (get_page_type of Xen's arch/x86/mm.c).
 *
 * Without these tests a guest could write to its own page tables through a grant, because a frame
 * could be a page table and mapped writable at a time.
 */
#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 32
#define HOST       GNTMAP_host_map
#define DEVICE     GNTMAP_device_map
#define RO         GNTMAP_readonly

/* Without a grant: both frames are this domain's own. */
static void check_copy_by_frame(struct grant_room *g, mfn_t from, mfn_t table)
{
    struct test *t = g->fr.room.t;
    struct gnttab_copy op = {
        .source = {.domid = DOMID_SELF, .u.gmfn = from.v },
        .dest = {.domid = DOMID_SELF, .u.gmfn = table.v},
        .len = sizeof(uint64_t),
        .status = NO_STATUS,
    };

    CHECK_RC(grant_copy(&op, 1), 0, "GNTTABOP_copy to MFN 0x%lx, an L1 table", table.v);
    CHECK_GNTST(op.status, GNTST_general_error,
                "GNTTABOP_copy to MFN 0x%lx, an L1 table, by frame number", table.v);
}

/* @table is pinned as an L1 table, and granted. */
static void check_table_frame(struct grant_room *g, struct spot table, struct spot at)
{
    struct test *t = g->fr.room.t;
    struct grant_mapping m = {.addr = at.va, .flags = HOST | RO, .ref = REF};

    if (grant_must_map(g, &m, "read-only, of an L1 table")) {
        grant_check_marks(g, REF, GRANT_READ, "L1 table mapped read-only");
        grant_must_unmap(g, &m, "read-only, of an L1 table");
    }
    m.flags = HOST;
    if (g->first)
        grant_must_refuse(g, &m, GNTST_general_error, "writable, of an L1 table");
    m.flags = DEVICE;
    if (g->more)
        grant_must_refuse(g, &m, GNTST_general_error, "device_map, of an L1 table");
    grant_check_no_pte(g, at.va, "after a refused GNTTABOP_map_grant_ref of an L1 table");
    grant_check_marks(g, REF, 0, "writable mapping of an L1 table refused");
    if (g->first)
        CHECK_GNTST(grant_copy_to(g, at.mfn, REF), GNTST_general_error,
                    "GNTTABOP_copy into a granted L1 table");
    if (g->first)
        check_copy_by_frame(g, at.mfn, table.mfn);
    grant_check_marks(g, REF, 0, "GNTTABOP_copy into an L1 table refused");
    CHECK_EQ(pt_read(&g->fr.room.pt, table.mfn, 1, 0), 0,
             "entry 0 of an L1 table after the refused GNTTABOP_copy");
    fixmap_unmap_mfn(&t->d->fixmap, table.mfn);
}

static void check_table(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot table = room_spot(&g->fr.room), at = room_spot(&g->fr.room);
    int rc;

    CHECK_RC(spot_show(at, at.mfn, PTE_RW), 0, "update_va_mapping of the source of the copy");
    *(volatile uint64_t *)at.va = PTE_A;
    CHECK_RC(spot_show(at, INVALID_MFN, 0), 0, "update_va_mapping of the source of the copy to 0");
    grant_give(g, REF, table.mfn, false);
    rc = pt_pin(table.mfn, 1);
    check_frame(t, rc, 0, "pin of a zeroed frame as L1", table.mfn);
    if (!rc) {
        check_table_frame(g, table, at);
        check_frame(t, pt_unpin(table.mfn), 0, "unpin of the L1 table", table.mfn);
    }
    grant_drop(g, at);
    grant_drop(g, table);
}

TEST_RULE(abi_grant_table_frame,
          "a granted page table can be mapped read-only, but a grant gives no way to write it")
{
    grant_room_each(t, ROOM_PAGES, check_table);
}

/*
 * One copy into a page that the kernel has mapped writable. If the copy dropped a type that it did
 * not take, the page could become a table now; a second such copy would crash Xen.
 */
static void check_copied(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot from = room_spot(&g->fr.room), to;

    (void)grant_page(g, &to);
    grant_give(g, REF, to.mfn, false);
    CHECK_GNTST(grant_copy_to(g, from.mfn, REF), GNTST_okay, "GNTTABOP_copy to a writable page");
    check_frame_refused(t, pt_pin(to.mfn, 1),
                        "pin as L1 of a page that is mapped writable, after GNTTABOP_copy to it",
                        to.mfn);
    grant_page_drop(g, to);
    grant_drop(g, from);
}

/* While the frame is mapped with @flags: may it become a page table? */
static void check_pin(struct granted *a, uint32_t flags)
{
    struct test *t = a->g->fr.room.t;
    int rc;

    a->m.flags = flags;
    if (!grant_must_map(a->g, &a->m, "a zeroed frame"))
        return;
    rc = pt_pin(a->frame.mfn, 1);
    if (flags & RO)
        CHECK_RC(rc, 0, "pin as L1 of MFN 0x%lx, mapped by GNTTABOP_map_grant_ref, flags 0x%x",
                 a->frame.mfn.v, flags);
    else
        CHECK(rc < 0,
              "pin as L1 of MFN 0x%lx, mapped by GNTTABOP_map_grant_ref, flags 0x%x: result is %d, "
              "expected a negative errno",
              a->frame.mfn.v, flags, rc);
    if (!rc)
        check_frame(t, pt_unpin(a->frame.mfn), 0, "unpin of the L1 table", a->frame.mfn);
    grant_must_unmap(a->g, &a->m, "a zeroed frame");
    grant_check_untyped(a->g, a->frame.mfn, "after the unmap of the only mapping");
}

static void check_writable(struct grant_room *g)
{
    struct granted a = granted_open(g, REF, HOST);

    check_pin(&a, HOST | RO);
    check_pin(&a, DEVICE | RO);
    if (g->first)
        check_pin(&a, HOST);
    if (g->more) {
        check_pin(&a, DEVICE);
        check_pin(&a, HOST | DEVICE);
        check_copied(g);
    }
    granted_close(&a);
}

TEST_RULE(
    abi_grant_as_table,
    "a frame cannot become a page table while a grant maps it writable, and can while read-only")
{
    grant_room_each(t, ROOM_PAGES, check_writable);
}

/*
 * Maps an ordinary page at the address of a mapping, and then a grant there: Xen drops the
 * reference of the ordinary PTE.
 */
static void check_over(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a = granted_open(g, REF, HOST | RO);

    CHECK_RC(spot_show(a.at, a.at.mfn, PTE_RW), 0, "update_va_mapping of 0x%lx, writable", a.at.va);
    if (grant_must_map(g, &a.m, "over a writable mapping of another frame")) {
        grant_check_untyped(g, a.at.mfn, "writable mapping replaced by the mapping of a grant");
        grant_must_unmap(g, &a.m, "over a writable mapping of another frame");
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_over_mapping,
          "GNTTABOP_map_grant_ref drops the page reference of the PTE that it replaces")
{
    grant_room_each(t, ROOM_PAGES, check_over);
}
