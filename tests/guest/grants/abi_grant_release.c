/* SPDX-License-Identifier: MIT */
/*
 * Page references that a mapping or a copy of a grant takes (get_page of Xen's arch/x86/mm.c), seen
 * by XENMEM_decrease_reservation (<xen/memory.h>).
 *
 * Without these tests Xen could keep a reference for a mapping that is gone: then the memory of a
 * domain that gives it back, or ends, is never free again. Or Xen could free a page that a grantee
 * still maps: then it writes to memory of the next owner.
 */
#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "xen/host.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define REF_RO     (GRANT_FIRST + 1)
#define ROOM_PAGES 32
#define HOST       GNTMAP_host_map
#define DEVICE     GNTMAP_device_map
#define RO         GNTMAP_readonly

static void use_mapping(struct grant_room *g, struct spot at, uint32_t flags, uint32_t ref)
{
    struct grant_mapping m = {.addr = at.va, .flags = flags, .ref = ref};

    if (flags & GNTMAP_contains_pte)
        m.addr = grant_pte_maddr(g, at.va);
    if (grant_must_map(g, &m, "a frame that will be released"))
        grant_must_unmap(g, &m, "a frame that will be released");
}

enum use {
    USE_NONE,
    USE_RW,
    USE_RO,
    USE_BY_PTE,
    USE_DEVICE,
    USE_DEVICE_RO,
    USE_BOTH,
    USE_BOTH_RO,
    USE_FROM,
    USE_TO,
    USE_COPIES_MAPPED,
    USE_REFUSED,
    USE_BAD_PLACE,
    USE_TABLE,
    NR_USES
};

static const char *const use_names[NR_USES] = {
    "no use by this test",
    "a writable mapping",
    "a read-only mapping",
    "a mapping by contains_pte",
    "a device mapping",
    "a read-only device mapping",
    "a mapping for host and device",
    "a read-only mapping for host and device",
    "a copy from the frame",
    "a copy to the frame",
    "copies from and to the frame while a grant maps it",
    "a refused writable mapping of a read-only grant",
    "a refused mapping at a PTE address that is no L1 entry",
    "use as the L1 table in which Xen wrote the PTE of a grant",
};

static const uint32_t use_flags[NR_USES] = {
    [USE_RW] = HOST,
    [USE_RO] = HOST | RO,
    [USE_BY_PTE] = HOST | GNTMAP_contains_pte,
    [USE_DEVICE] = DEVICE,
    [USE_DEVICE_RO] = DEVICE | RO,
    [USE_BOTH] = HOST | DEVICE,
    [USE_BOTH_RO] = HOST | DEVICE | RO,
};

/* @frame is an L1 table that is not hooked anywhere; its entry 0 maps a grant of another frame. */
static void use_as_table(struct grant_room *g, struct spot frame, struct spot at)
{
    struct test *t = g->fr.room.t;
    struct grant_mapping m = {
        .addr = mfn_to_maddr(frame.mfn), .flags = HOST | GNTMAP_contains_pte, .ref = REF};
    int rc = pt_pin(frame.mfn, 1);

    check_frame(t, rc, 0, "pin as L1 of a zeroed frame", frame.mfn);
    if (rc)
        return;
    grant_give(g, REF, at.mfn, false);
    if (grant_must_map(g, &m, "PTE address in an L1 table that is not hooked"))
        grant_must_unmap(g, &m, "PTE address in an L1 table that is not hooked");
    check_frame(t, pt_unpin(frame.mfn), 0, "unpin of the L1 table", frame.mfn);
}

static void use_by_copies(struct grant_room *g, struct spot at)
{
    struct test *t = g->fr.room.t;
    struct grant_mapping m = {.addr = at.va, .flags = HOST | RO, .ref = REF};

    if (!grant_must_map(g, &m, "a frame that will be released"))
        return;
    CHECK_GNTST(grant_copy_from(g, REF, at.mfn), GNTST_okay, "GNTTABOP_copy from a mapped grant");
    CHECK_GNTST(grant_copy_to(g, at.mfn, REF), GNTST_okay, "GNTTABOP_copy to a mapped grant");
    grant_must_unmap(g, &m, "a frame that will be released");
}

static void make_use(struct grant_room *g, struct spot frame, struct spot at, enum use use)
{
    struct test *t = g->fr.room.t;
    struct grant_mapping m = {.addr = mfn_to_maddr(at.mfn), .ref = REF};

    grant_give(g, REF, frame.mfn, false);
    grant_give(g, REF_RO, frame.mfn, true);
    m.flags = HOST | DEVICE | GNTMAP_contains_pte;
    if (use_flags[use])
        use_mapping(g, at, use_flags[use], REF);
    else if (use == USE_FROM)
        CHECK_GNTST(grant_copy_from(g, REF_RO, at.mfn), GNTST_okay, "GNTTABOP_copy from a grant");
    else if (use == USE_TO)
        CHECK_GNTST(grant_copy_to(g, at.mfn, REF), GNTST_okay, "GNTTABOP_copy to a grant");
    else if (use == USE_COPIES_MAPPED)
        use_by_copies(g, at);
    else if (use == USE_BAD_PLACE)
        grant_must_refuse(g, &m, GNTST_general_error, "PTE address in a page that is no table");
    else if (use == USE_TABLE)
        use_as_table(g, frame, at);
    if (use == USE_REFUSED && g->more)
        CHECK_GNTST(grant_copy_to(g, at.mfn, REF_RO), GNTST_general_error,
                    "GNTTABOP_copy to a read-only grant");
    grant_write(g, REF, 0, 0, to_mfn(0));
    grant_write(g, REF_RO, 0, 0, to_mfn(0));
}

/* Releases the frame of PFN @pfn to Xen. */
static void release(struct grant_room *g, uint64_t pfn, mfn_t mfn, const char *when)
{
    struct test *t = g->fr.room.t;
    uint64_t extent = mfn.v;

    CHECK_RC(p2m_set(&t->d->p2m, to_pfn(pfn), INVALID_MFN), 0, "p2m_set of PFN 0x%lx to ~0", pfn);
    CHECK_EQ(host_release(&extent, 1), 1,
             "extents done by XENMEM_decrease_reservation of MFN 0x%lx %s,", mfn.v, when);
}

/* Has Xen freed the frame @mfn, which was that of PFN @pfn, so that @pages pages are left? */
static void check_freed(struct grant_room *g, uint64_t pfn, mfn_t mfn, uint64_t pages,
                        const char *what)
{
    struct test *t = g->fr.room.t;

    CHECK_EQ(host_current_pages(), pages,
             "number of pages of this domain after it released MFN 0x%lx, after %s (table version "
             "%u),",
             mfn.v, what, g->version);
    CHECK(m2p_get(&t->d->host.m2p, mfn).v != pfn,
          "M2P entry of MFN 0x%lx, released after %s, is PFN 0x%lx, expected another value: Xen "
          "keeps a reference to the frame",
          mfn.v, what, pfn);
}

/* Releases the frame of @s to Xen, which must free it, and gets another one for the same PFN. */
static bool exchange_frame(struct grant_room *g, struct spot *s, const char *what)
{
    struct test *t = g->fr.room.t;
    uint64_t pfn = m2p_get(&t->d->host.m2p, s->mfn).v, pages = host_current_pages();

    release(g, pfn, s->mfn, "that no mapping has");
    check_freed(g, pfn, s->mfn, pages - 1, what);
    return grant_refill(t, pfn, &s->mfn);
}

static void check_release(struct grant_room *g)
{
    struct spot frame = room_spot(&g->fr.room), at = room_spot(&g->fr.room);
    bool ok = true;

    for (unsigned int use = 0; ok && use < NR_USES; use++) {
        make_use(g, frame, at, use);
        ok = exchange_frame(g, &frame, use_names[use]);
    }
    if (ok)
        grant_drop(g, frame);
    grant_drop(g, at);
}

TEST_RULE(abi_grant_release,
          "Xen keeps no page reference for a mapping or a copy of a grant that has ended")
{
    grant_room_each(t, ROOM_PAGES, check_release);
}

/* The frame is released while a grant of it is mapped: it is the grantee's until the unmap. */
static void check_mapped(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct spot frame = room_spot(&g->fr.room), at = room_spot(&g->fr.room);
    struct grant_mapping m = {.addr = at.va, .flags = HOST, .ref = REF};
    uint64_t pfn = m2p_get(&t->d->host.m2p, frame.mfn).v, pages = host_current_pages();

    grant_give(g, REF, frame.mfn, false);
    if (grant_must_map(g, &m, "a frame that will be released while it is mapped")) {
        release(g, pfn, frame.mfn, "that a grant maps");
        CHECK_EQ(host_current_pages(), pages,
                 "number of pages of this domain while a grant maps a frame that it released");
        CHECK_RC(probe_write((void *)at.va, GRANTEE_WORD), 0,
                 "write to a mapped grant of a frame that the granter released");
        grant_must_unmap(g, &m, "a frame that was released while it was mapped");
        check_freed(g, pfn, frame.mfn, pages - 1, "the unmap of its grant");
        if (grant_refill(t, pfn, &frame.mfn))
            grant_drop(g, frame);
    }
    grant_drop(g, at);
}

TEST_RULE(
    abi_grant_release_mapped,
    "Xen frees a frame that was released while a grant maps it with the last unmap, not before")
{
    grant_room_each(t, ROOM_PAGES, check_mapped);
}
