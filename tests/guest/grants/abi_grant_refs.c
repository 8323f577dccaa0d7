/* SPDX-License-Identifier: MIT */
/*
 * Grant references and entries that GNTTABOP_map_grant_ref must refuse (<xen/grant_table.h>): each
 * with its own status, and without a trace.
 *
 * Without these tests a grantee could map a page that was granted to another domain, or that the
 * granter does not own, and a use mark or a handle could be lost with each refusal: then the
 * granter could never end a grant, or the grantee never map one again.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 40
#define HOST       GNTMAP_host_map
#define RO         GNTMAP_readonly

static void refuse(struct granted *a, uint32_t ref, uint32_t flags, int16_t status,
                   const char *what)
{
    struct grant_mapping m = {.addr = a->at.va, .flags = HOST | flags, .ref = ref};

    grant_must_refuse(a->g, &m, status, what);
    grant_check_no_pte(a->g, a->at.va, what);
    if (ref < GRANT_END)
        grant_check_marks(a->g, ref, 0, what);
}

/* Entries that are no grant of a whole page to this domain. */
static const struct {
    const char *what;
    uint16_t flags;
    unsigned int version; /* 0: both */
    bool for_other;       /* granted to another domain */
} entries[] = {
    {"entry of another domain",        GTF_permit_access,                0, true },
    {"entry without flags",            0,                                0, false},
    {"entry with GTF_accept_transfer", GTF_accept_transfer,              0, false},
    {"entry with GTF_transitive",      GTF_transitive,                   2, false},
    {"entry of a part of a page",      GTF_permit_access | GTF_sub_page, 2, false},
};

static void check_entries(struct grant_room *g)
{
    struct granted a = granted_open(g, REF, HOST);

    for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
        bool here = entries[i].version ? entries[i].version == g->version : g->more;

        if (!here && !(g->first && i == 0))
            continue;
        if (entries[i].version && grant_xen_is_debug(g))
            continue;
        grant_write(g, REF, entries[i].flags, entries[i].for_other ? NO_DOMAIN : g->fr.self,
                    a.frame.mfn);
        if (g->more)
            refuse(&a, REF, 0, GNTST_general_error, entries[i].what);
        refuse(&a, REF, RO, GNTST_general_error, entries[i].what);
    }
    if (g->more) {
        grant_give(g, REF, a.frame.mfn, true);
        refuse(&a, REF, 0, GNTST_general_error, "read-only entry, mapped writable");
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_entry_refused,
          "GNTTABOP_map_grant_ref refuses an entry that does not grant this domain a whole page")
{
    grant_room_each(t, ROOM_PAGES, check_entries);
}

/* Changes the frame of the entry, and maps the grant again: Xen maps the old frame (act->mfn). */
static void map_second(struct granted *a, uint32_t flags, const char *what)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;
    struct grant_mapping second = {.addr = a->other.va, .flags = flags, .ref = REF};

    grant_write(g, REF, grant_flags(g, REF), g->fr.self, a->other.mfn);
    if (!grant_must_map(g, &second, what))
        return;
    CHECK_EQ(pte_mfn(grant_pte(g, second.addr)).v, a->frame.mfn.v,
             "GNTTABOP_map_grant_ref, %s: MFN in the PTE of 0x%lx", what, second.addr);
    grant_check_marks(g, REF, flags & RO ? GRANT_READ : GRANT_WRITE, what);
    grant_must_unmap(g, &second, what);
    grant_check_marks(g, REF, GRANT_READ, "second mapping removed, a read-only one left");
}

/* A second mapping that is the first writable one: Xen reads the entry's rights again. */
static void check_second_writable(struct granted *a)
{
    grant_give(a->g, REF, a->frame.mfn, false);
    if (!grant_must_map(a->g, &a->m, "writable entry, mapped read-only"))
        return;
    map_second(a, HOST, "writable, of an entry that is mapped read-only and whose frame changed");
    grant_must_unmap(a->g, &a->m, "first mapping");
}

/* A read-only entry stays read-only for a second mapping. */
static void check_second_readonly(struct granted *a)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;
    struct grant_mapping second = {.addr = a->other.va, .flags = HOST, .ref = REF};

    grant_give(g, REF, a->frame.mfn, true);
    if (!grant_must_map(g, &a->m, "read-only entry, mapped read-only"))
        return;
    if (g->first)
        grant_must_refuse(g, &second, GNTST_general_error,
                          "read-only entry that is mapped read-only, mapped writable");
    second.flags = GNTMAP_device_map;
    if (g->more) {
        grant_must_refuse(g, &second, GNTST_general_error,
                          "read-only entry that is mapped read-only, writable for a device");
        CHECK_GNTST(grant_copy_to(g, a->other.mfn, REF), GNTST_general_error,
                    "GNTTABOP_copy to a read-only entry that is mapped read-only");
    }
    grant_check_marks(g, REF, GRANT_READ, "mapped read-only, second mapping refused");
    map_second(a, HOST | RO,
               "read-only, of an entry that is mapped read-only and whose frame "
               "changed");
    grant_must_unmap(g, &a->m, "first mapping");
    grant_check_marks(g, REF, 0, "both mappings removed");
}

static void check_second(struct grant_room *g)
{
    struct granted a = granted_open(g, REF, HOST | RO);

    check_second_readonly(&a);
    check_second_writable(&a);
    granted_close(&a);
}

TEST_RULE(abi_grant_second_map,
          "Xen gives a second mapping of a grant no more rights than its entry, and the same frame")
{
    grant_room_each(t, ROOM_PAGES, check_second);
}

/* Frames that this domain does not own. Xen logs nothing. */
static void check_frames(struct grant_room *g)
{
    struct domain *d = g->fr.room.t->d;
    struct granted a = granted_open(g, REF, HOST);
    bool fits = g->version == 2 || d->host.max_mfn < UINT32_MAX; /* a domU's has 35 bits */
    mfn_t past = fits ? to_mfn(d->host.max_mfn + 1) : grant_no_frame(g);
    const struct {
        const char *what;
        mfn_t mfn;
    } frames[] = {
        {"frame past the last MFN",   past             },
        {"highest frame of an entry", grant_no_frame(g)},
        {"frame of Xen",              xen_frame(d)     },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(frames); i++) {
        if (i == 2 && !g->more)
            continue;
        grant_give(g, REF, frames[i].mfn, false);
        refuse(&a, REF, RO, GNTST_bad_page, frames[i].what);
        if (i < 2) /* Xen logs the third one */
            refuse(&a, REF, 0, GNTST_bad_page, frames[i].what);
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_frame_refused,
          "GNTTABOP_map_grant_ref refuses a granted frame that the granter does not own")
{
    grant_room_each(t, ROOM_PAGES, check_frames);
}

static void check_ends(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct granted a = granted_open(g, REF, HOST);
    uint32_t end = grant_end_of_table(g);

    if (g->first)
        refuse(&a, end, 0, GNTST_bad_gntref, "first reference past the table");
    if (g->more) {
        refuse(&a, end - 1, 0, GNTST_general_error, "last reference of the table, unused");
        refuse(&a, UINT32_MAX, 0, GNTST_bad_gntref, "reference 0xffffffff");
        CHECK_GNTST(
            grant_map_from(g, &a.m, DOMID_SELF), GNTST_bad_domain,
            "GNTTABOP_map_grant_ref of DOMID_SELF, which <xen/grant_table.h> does not allow");
        CHECK_GNTST(grant_map_from(g, &a.m, DOMID_IO), GNTST_bad_domain,
                    "GNTTABOP_map_grant_ref of DOMID_IO");
    }
    granted_close(&a);
}

TEST_RULE(abi_grant_ref_refused,
          "GNTTABOP_map_grant_ref refuses a reference past the table, and DOMID_SELF as granter")
{
    grant_room_each(t, ROOM_PAGES, check_ends);
}

/*
 * Handles: Xen gives them from a list per vCPU, first in, first out, 256 in a page of records. If a
 * refusal lost its handle, 600 of them would use up more than a page.
 */
#define NR_REFUSED  600
#define MAX_HANDLES 5000

/*
 * The number of handles in Xen's list: of mappings, one after the other, until the first handle
 * comes again. MAX_HANDLES: none came again.
 */
static unsigned int count_handles(struct granted *a)
{
    grant_handle_t first = 0;

    for (unsigned int nr = 0; nr < MAX_HANDLES; nr++) {
        bool again;

        if (!grant_must_map(a->g, &a->m, "a valid grant"))
            break;
        again = nr && a->m.handle == first;
        first = nr ? first : a->m.handle;
        grant_must_unmap(a->g, &a->m, "a valid mapping");
        if (again)
            return nr;
    }
    return MAX_HANDLES;
}

static void refuse_many(struct granted *a, mfn_t bad, struct gnttab_map_grant_ref *op)
{
    struct test *t = a->g->fr.room.t;

    grant_give(a->g, REF + 1, bad, false);
    for (unsigned int i = 0; i < NR_REFUSED; i++)
        op[i] = (struct gnttab_map_grant_ref){
            .host_addr = a->at.va, .flags = HOST, .ref = REF + 1, .dom = a->g->fr.self};
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, op, NR_REFUSED), 0,
             "GNTTABOP_map_grant_ref of %d grants of bad frames", NR_REFUSED);
    for (unsigned int i = 0; i < NR_REFUSED; i++)
        CHECK_GNTST(op[i].status, GNTST_bad_page,
                    "GNTTABOP_map_grant_ref of %d grants of bad frames: request %u", NR_REFUSED, i);
}

static void check_handles(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    uint64_t nr = DIV_ROUND_UP(NR_REFUSED * sizeof(struct gnttab_map_grant_ref), PAGE_SIZE);
    void *ops = room_alloc(&g->fr.room, nr);
    struct granted a = granted_open(g, REF, HOST);
    unsigned int before, after;

    before = count_handles(&a);
    if (before == MAX_HANDLES)
        test_skip(t, "Xen has %u or more handles for this vCPU, which this test cannot count",
                  MAX_HANDLES);
    refuse_many(&a, grant_no_frame(g), ops);
    after = count_handles(&a);
    CHECK(
        after >= before,
        "number of handles of Xen for this vCPU after %d refused mappings is %u, expected %u (the "
        "number before) or more",
        NR_REFUSED, after, before);
    granted_close(&a);
    room_free(&g->fr.room, ops, nr);
}

TEST_RULE(abi_grant_handles, "a refused GNTTABOP_map_grant_ref uses up no handle")
{
    grant_room_each(t, ROOM_PAGES, check_handles);
}
