/* SPDX-License-Identifier: MIT */
/*
 * Transitive grants (GTF_transitive, version 2 of the table in <xen/grant_table.h>): a grant of
 * this domain that names a grant of the peer. Xen copies through both, and keeps a record of the
 * second domain while it copies.
 *
 * Without these tests Xen could copy from another page than the peer's. Or the record could outlive
 * the copy: then a later copy from another grant with the same reference would end the use of the
 * peer's grant, which is still mapped. (A copy that found no record at all would crash Xen.)
 */
#include "tests/guest/grants/grant_steps.h"
#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES 40
#define REF        GRANT_FIRST /* in both tables */

struct transitive {
    struct peer p;
    struct grant_room g;                /* of this domain's table, in the room of the peer       */
    struct spot table, status, at, own; /* the peer's grant table, and pages to map a grant at   */
    volatile grant_entry_v1_t *theirs;  /* entry REF of the peer: grants frame 0 of the peer     */
    uint64_t *page;                     /* a page of this domain: source or target of the copies */
    mfn_t page_mfn;
};

static void transitive_open(struct transitive *tr, struct test *t)
{
    struct room *r = &tr->p.room;

    tr->table = room_spot(r), tr->status = room_spot(r);
    tr->at = room_spot(r), tr->own = room_spot(r);
    tr->page = room_alloc(r, 1);
    tr->page_mfn = pt_mfn(&r->pt, (uintptr_t)tr->page);
    tr->g = (struct grant_room){
        .fr = {.room = {.t = t}, .self = tr->p.self}
    };
}

static void transitive_close(struct transitive *tr)
{
    struct room *r = &tr->p.room;

    room_free(r, tr->page, 1);
    room_drop(r, tr->own), room_drop(r, tr->at);
    room_drop(r, tr->status), room_drop(r, tr->table);
    peer_close(&tr->p);
}

/* Fills the peer's entry, and calls @check with version 2 of this domain's table. */
static void use_version_2(struct transitive *tr, void (*check)(struct transitive *tr))
{
    struct test *t = tr->p.t;
    volatile grant_entry_v1_t *table = peer_map_grant_table(&tr->p, tr->table);

    if (!table || !grant_room_begin(&tr->g, tr->status))
        return;
    tr->theirs = &table[REF];
    peer_grant(tr->theirs, tr->p.self, tr->p.mfn[0], 0);
    if (!tr->g.can_version_2)
        test_skip(t, "Xen does not allow this domain version 2 of the grant table");
    else if (grant_room_use(&tr->g, 2))
        check(tr);
    grant_room_end(&tr->g);
}

static void in_version_2(struct test *t, void (*check)(struct transitive *tr))
{
    static struct transitive tr;

    if (!has_grant_table(t) || !peer_open(&tr.p, t, 1, ROOM_PAGES))
        return;
    transitive_open(&tr, t);
    if (peer_can_grant(&tr.p))
        use_version_2(&tr, check);
    transitive_close(&tr);
}

static void check_theirs(const struct transitive *tr, uint16_t expected, const char *when)
{
    struct test *t = tr->p.t;

    CHECK_EQ(tr->theirs->flags & GRANT_WRITE, expected,
             "%s: GTF_reading (0x8) and GTF_writing (0x10) of reference %u of domain %u", when, REF,
             tr->p.id);
}

/* False, and the test is skipped, if Xen has transitive grants switched off. */
static bool copy_from_transitive(struct transitive *tr)
{
    struct test *t = tr->p.t;
    int16_t status;

    grant_write_transitive(&tr->g, REF, tr->p.id, REF);
    peer_set_word(&tr->p, tr->p.mfn[0], 0, PEER_WORD);
    tr->page[0] = 0;
    status = grant_copy_from(&tr->g, REF, tr->page_mfn);
    if (status == GNTST_general_error) {
        test_skip(t, "Xen refuses a transitive grant, as with its option gnttab=no-transitive");
        return false;
    }
    CHECK_GNTST(status, GNTST_okay, "GNTTABOP_copy from a transitive grant");
    CHECK_EQ(tr->page[0], PEER_WORD, "word copied from a grant of domain %u by a transitive grant",
             tr->p.id);
    return status == GNTST_okay;
}

static void check_copies(struct transitive *tr)
{
    struct test *t = tr->p.t;

    if (!copy_from_transitive(tr))
        return;
    check_theirs(tr, 0, "after a copy from a transitive grant");
    tr->page[0] = PEER_WORD + 1;
    CHECK_GNTST(grant_copy_to(&tr->g, tr->page_mfn, REF), GNTST_okay,
                "GNTTABOP_copy to a transitive grant");
    CHECK_EQ(peer_word(&tr->p, tr->p.mfn[0], 0), PEER_WORD + 1,
             "word 0 of the frame of domain %u after GNTTABOP_copy to a transitive grant",
             tr->p.id);
    check_theirs(tr, 0, "after a copy to a transitive grant");
}

TEST_RULE(abi_peer_transitive,
          "GNTTABOP_copy with a transitive grant reads and writes the page of the other domain")
{
    in_version_2(t, check_copies);
}

/* Maps reference REF of @granter, read-only. False: the test has failed, or is skipped. */
static bool map(struct transitive *tr, domid_t granter, struct grant_mapping *m)
{
    struct test *t = tr->p.t;
    int16_t status = grant_map_from(&tr->g, m, granter);

    if (status == GNTST_no_space)
        test_skip(t, "Xen cannot record a grant mapping (GNTST_no_space)");
    else
        CHECK_GNTST(status, GNTST_okay, "GNTTABOP_map_grant_ref of reference %u of domain %u", REF,
                    granter);
    return status == GNTST_okay;
}

static struct grant_mapping mapping_at(struct spot s)
{
    return (struct grant_mapping){
        .addr = s.va, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = REF};
}

/* The peer's grant is mapped. Reference REF names it by a transitive grant, then an own page. */
static void reuse(struct transitive *tr)
{
    struct grant_mapping own = mapping_at(tr->own);
    struct test *t = tr->p.t;

    check_theirs(tr, GRANT_READ, "mapped read-only");
    if (!copy_from_transitive(tr))
        return;
    check_theirs(tr, GRANT_READ, "mapped read-only, after a copy from a transitive grant");
    grant_give(&tr->g, REF, tr->own.mfn, false);
    if (!map(tr, tr->p.self, &own))
        return;
    CHECK_GNTST(grant_copy_from(&tr->g, REF, tr->page_mfn), GNTST_okay,
                "GNTTABOP_copy from a grant that is mapped");
    CHECK_EQ(tr->page[0], 0, "word copied from a grant of a zeroed page that is mapped");
    check_theirs(tr, GRANT_READ,
                 "mapped read-only, after a copy from a mapped grant of an own page");
    grant_must_unmap(&tr->g, &own, "a grant of this domain");
}

static void check_reuse(struct transitive *tr)
{
    struct grant_mapping theirs = mapping_at(tr->at);

    if (!map(tr, tr->p.id, &theirs))
        return;
    reuse(tr);
    grant_must_unmap(&tr->g, &theirs, "a grant of another domain");
    check_theirs(tr, 0, "after the unmap");
}

TEST_RULE(abi_peer_transitive_reuse,
          "a copy from a mapped grant ends no use of a grant that its reference named before")
{
    in_version_2(t, check_reuse);
}
