/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_query_size, GNTTABOP_setup_table and GNTTABOP_swap_grant_ref (<xen/grant_table.h>).
 *
 * Without these tests a guest could be given the frames of a grant table in another order after a
 * resume, grow its table past the limit, or move a grant that is in use.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define REF_B      (GRANT_FIRST + 1)
#define ROOM_PAGES 40
#define HOST       GNTMAP_host_map
#define RO         GNTMAP_readonly

static int16_t setup(struct test *t, domid_t domain, uint32_t nr, uint64_t *list)
{
    struct gnttab_setup_table s = {.dom = domain, .nr_frames = nr, .status = NO_STATUS};

    set_xen_guest_handle(s.frame_list, list);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &s, 1), 0,
             "GNTTABOP_setup_table of %u frames of domain 0x%x", nr, domain);
    return s.status;
}

/* The frames of the table, a second time, are those that the kernel has mapped. */
static void check_frames(struct grant_room *g, uint64_t *list, uint32_t nr)
{
    struct test *t = g->fr.room.t;
    const struct grants *k = &t->d->grants;

    for (uint32_t i = 0; i <= nr; i++)
        list[i] = UINT64_MAX;
    CHECK_GNTST(setup(t, DOMID_SELF, nr, list), GNTST_okay, "GNTTABOP_setup_table of %u frames",
                nr);
    for (uint32_t i = 0; i < nr; i++)
        CHECK_EQ(list[i], pt_mfn(&g->fr.room.pt, foreign_va(k->table, i)).v,
                 "MFN of frame %u of the grant table by another GNTTABOP_setup_table of %u frames",
                 i, nr);
    CHECK_EQ(list[nr], UINT64_MAX, "entry behind the %u frames of GNTTABOP_setup_table", nr);
}

static void check_table(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    const struct grants *k = &t->d->grants;
    uint64_t *list = room_alloc(&g->fr.room, 1);
    uint64_t *end = list + PAGE_SIZE / sizeof(*list);
    struct gnttab_query_size q = grant_query_size(t, DOMID_SELF, GNTST_okay), own;

    CHECK(q.nr_frames >= k->nr_frames && q.nr_frames <= q.max_nr_frames,
          "GNTTABOP_query_size: %u frames, limit %u, expected the %u frames of the kernel, or more "
          "up to the limit",
          q.nr_frames, q.max_nr_frames, k->nr_frames);
    own = grant_query_size(t, g->fr.self, GNTST_okay);
    CHECK_EQ(own.nr_frames, q.nr_frames, "nr_frames of GNTTABOP_query_size of domain %u",
             g->fr.self);
    CHECK_EQ(own.max_nr_frames, q.max_nr_frames,
             "max_nr_frames of GNTTABOP_query_size of domain %u", g->fr.self);
    (void)grant_query_size(t, NO_DOMAIN, GNTST_bad_domain);
    for (uint32_t nr = 0; nr <= k->nr_frames && nr < 16; nr++)
        check_frames(g, list, nr);
    CHECK_GNTST(setup(t, NO_DOMAIN, 1, list), GNTST_bad_domain,
                "GNTTABOP_setup_table of domain 0x%x", NO_DOMAIN);
    CHECK_GNTST(setup(t, DOMID_SELF, 1, end), GNTST_bad_virt_addr,
                "GNTTABOP_setup_table, list at an address without a mapping");
    if (g->first)
        CHECK_GNTST(setup(t, DOMID_SELF, q.max_nr_frames + 1, list), GNTST_general_error,
                    "GNTTABOP_setup_table of one frame more than the limit %u", q.max_nr_frames);
    own = grant_query_size(t, DOMID_SELF, GNTST_okay);
    CHECK_EQ(own.nr_frames, q.nr_frames,
             "nr_frames of GNTTABOP_query_size after refused GNTTABOP_setup_table");
    room_free(&g->fr.room, list, 1);
}

TEST_RULE(abi_grant_setup_table,
          "GNTTABOP_setup_table returns the same frames each time, and refuses more than the limit")
{
    grant_room_each(t, ROOM_PAGES, check_table);
}

/* Returns whether the status is @expected. */
static bool swap(struct test *t, uint32_t a, uint32_t b, int16_t expected, const char *what)
{
    struct gnttab_swap_grant_ref op = {.ref_a = a, .ref_b = b, .status = NO_STATUS};

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, &op, 1), 0,
             "GNTTABOP_swap_grant_ref of references %u and %u, %s", a, b, what);
    CHECK_GNTST(op.status, expected, "GNTTABOP_swap_grant_ref of references %u and %u, %s", a, b,
                what);
    return op.status == expected;
}

/* Reference @ref grants @mfn with @flags: Xen maps it, and no other. */
static void check_swapped(struct grant_room *g, uint32_t ref, uint64_t va, mfn_t mfn,
                          uint16_t flags)
{
    struct test *t = g->fr.room.t;
    struct grant_mapping m = {.addr = va, .flags = HOST | RO, .ref = ref};

    CHECK_EQ(grant_flags(g, ref), flags, "after GNTTABOP_swap_grant_ref: flags of reference %u",
             ref);
    if (!grant_must_map(g, &m, "after GNTTABOP_swap_grant_ref"))
        return;
    CHECK_EQ(pte_mfn(grant_pte(g, va)).v, mfn.v,
             "MFN mapped by reference %u after GNTTABOP_swap_grant_ref", ref);
    grant_must_unmap(g, &m, "after GNTTABOP_swap_grant_ref");
}

/* Two swaps in one hypercall: the second one restores the entries. */
static void check_swap_batch(struct grant_room *g, struct spot a, struct spot b)
{
    struct test *t = g->fr.room.t;
    struct gnttab_swap_grant_ref op[2] = {
        {.ref_a = REF,   .ref_b = REF_B, .status = NO_STATUS},
        {.ref_a = REF_B, .ref_b = REF,   .status = NO_STATUS},
    };

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_swap_grant_ref, op, 2), 0,
             "GNTTABOP_swap_grant_ref, two requests");
    for (unsigned int i = 0; i < 2; i++)
        CHECK_GNTST(op[i].status, GNTST_okay, "GNTTABOP_swap_grant_ref, request %u of two", i);
    check_swapped(g, REF, a.va, a.mfn, GTF_permit_access);
    check_swapped(g, REF_B, a.va, b.mfn, GTF_permit_access | GTF_readonly);
}

/* The status words move with their entries. (Xen swaps no entry whose mark is Xen's own.) */
static void check_swapped_marks(struct grant_room *g)
{
    struct test *t = g->fr.room.t;

    grant_write_marks(g, REF, GTF_reading);
    grant_write_marks(g, REF_B, GTF_writing);
    swap(t, REF, REF_B, GNTST_okay, "two grants");
    grant_check_marks(g, REF, GTF_writing, "status words exchanged");
    grant_check_marks(g, REF_B, GTF_reading, "status words exchanged");
    swap(t, REF, REF_B, GNTST_okay, "two grants");
    grant_write_marks(g, REF, 0);
    grant_write_marks(g, REF_B, 0);
}

/*
 * References past the table, each with the mapped REF. A Xen that does not check one of the two
 * finds that REF is mapped before it reads the entry behind the table, which might crash it. So a
 * reference far from the table is tried only if the first one behind the table is refused.
 */
static void check_swap_bounds(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    uint32_t end = grant_end_of_table(g);

    if (swap(t, REF, end, GNTST_bad_gntref, "reference a mapped, b the first past the table"))
        swap(t, REF_B, UINT32_MAX, GNTST_bad_gntref, "reference b far past the table");
    if (swap(t, end, REF, GNTST_bad_gntref, "reference a the first past the table, b mapped"))
        swap(t, UINT32_MAX, REF_B, GNTST_bad_gntref, "reference a far past the table");
}

static void check_swap_refused(struct grant_room *g, struct grant_mapping *m)
{
    struct test *t = g->fr.room.t;

    if (!grant_must_map(g, m, "a valid grant"))
        return;
    swap(t, REF, REF_B, GNTST_eagain, "reference a mapped");
    grant_check_marks(g, REF, GRANT_WRITE, "GNTTABOP_swap_grant_ref refused");
    if (g->more) {
        swap(t, REF_B, REF, GNTST_eagain, "reference b mapped");
        check_swap_bounds(g);
    }
    swap(t, REF, REF, GNTST_okay, "the same reference, mapped");
    grant_check_marks(g, REF, GRANT_WRITE, "reference swapped with itself");
    grant_check_marks(g, REF_B, 0, "GNTTABOP_swap_grant_ref refused");
    grant_must_unmap(g, m, "after a refused GNTTABOP_swap_grant_ref");
}

static void check_swap(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot a = room_spot(&g->fr.room), b = room_spot(&g->fr.room);
    struct grant_mapping m = {.addr = a.va, .flags = HOST, .ref = REF};
    uint16_t rw = GTF_permit_access, ro = GTF_permit_access | GTF_readonly;

    grant_give(g, REF, a.mfn, false);
    grant_give(g, REF_B, b.mfn, true);
    swap(t, REF, REF_B, GNTST_okay, "two grants");
    check_swapped(g, REF, a.va, b.mfn, ro);
    check_swapped(g, REF_B, a.va, a.mfn, rw);
    swap(t, REF_B, REF, GNTST_okay, "two grants");
    check_swapped(g, REF, a.va, a.mfn, rw);
    check_swapped(g, REF_B, a.va, b.mfn, ro);
    check_swap_batch(g, a, b);
    grant_write(g, REF_B, 0, 0, to_mfn(0));
    swap(t, REF, REF_B, GNTST_okay, "one of them unused");
    CHECK_EQ(grant_flags(g, REF), 0, "flags of reference %u after a swap with unused reference %u",
             REF, REF_B);
    check_swapped(g, REF_B, b.va, a.mfn, rw);
    swap(t, REF, REF_B, GNTST_okay, "one of them unused");
    if (g->version == 2)
        check_swapped_marks(g);
    if (g->first)
        check_swap_refused(g, &m);
    grant_drop(g, b);
    grant_drop(g, a);
}

TEST_RULE(abi_grant_swap,
          "GNTTABOP_swap_grant_ref exchanges two grants, and refuses a grant that is mapped")
{
    grant_room_each(t, ROOM_PAGES, check_swap);
}
