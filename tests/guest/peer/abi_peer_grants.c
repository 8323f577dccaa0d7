/* SPDX-License-Identifier: MIT */
/*
 * Grants of another domain: the granter is the peer, whose grant table is set up and filled from
 * outside, as a toolstack does for a new domain. This domain is the grantee.
 *
 * Most tests of grants map a grant of this domain to itself, where granter and grantee are one.
 * Without these tests Xen could take the table, the frames or the rights of the wrong one of both,
 * or lose a reference when the granter dies while a grant of it is mapped.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/grants/grant_steps.h"
#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES 40
#define NR_FRAMES  3

/* Entries of the peer's grant table (version 1). */
enum { REF_RW = 8, REF_RO, REF_THIRD, REF_FOREIGN };

/* A peer, its grant table, mapped writable, and two addresses for grants. */
struct granter {
    struct peer p;
    struct spot table, a, b;
    volatile struct grant_entry_v1 *entry;
};

/* Maps the frame of the grant table, and writes the four entries. */
static bool fill_table(struct granter *g)
{
    struct peer *p = &g->p;

    g->entry = peer_map_grant_table(p, g->table);
    if (!g->entry)
        return false;
    peer_grant(&g->entry[REF_RW], p->self, p->mfn[0], 0);
    peer_grant(&g->entry[REF_RO], p->self, p->mfn[1], GTF_readonly);
    peer_grant(&g->entry[REF_THIRD], p->id, p->mfn[2], 0);
    peer_grant(&g->entry[REF_FOREIGN], p->self, p->window.mfn, 0);
    return true;
}

static void granter_close(struct granter *g)
{
    room_drop(&g->p.room, g->b);
    room_drop(&g->p.room, g->a);
    room_drop(&g->p.room, g->table);
    peer_close(&g->p);
}

static bool granter_open(struct granter *g, struct test *t)
{
    if (!has_grant_table(t) || !peer_open(&g->p, t, NR_FRAMES, ROOM_PAGES))
        return false;
    if (!peer_can_grant(&g->p)) {
        peer_close(&g->p);
        return false;
    }
    g->table = room_spot(&g->p.room);
    g->a = room_spot(&g->p.room), g->b = room_spot(&g->p.room);
    if (fill_table(g))
        return true;
    granter_close(g);
    return false;
}

static int16_t map(const struct granter *g, struct spot s, uint32_t ref, uint32_t flags,
                   grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = s.va,
        .flags = GNTMAP_host_map | flags,
        .ref = ref,
        .dom = g->p.id,
        .status = NO_STATUS,
    };
    struct test *t = g->p.t;

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0,
             "GNTTABOP_map_grant_ref of reference %u of domain %u", ref, g->p.id);
    *handle = op.handle;
    return op.status;
}

static void unmap(const struct granter *g, struct spot s, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = s.va, .handle = handle, .status = NO_STATUS};
    struct test *t = g->p.t;

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0,
             "GNTTABOP_unmap_grant_ref of handle %u", handle);
    CHECK_GNTST(op.status, GNTST_okay, "GNTTABOP_unmap_grant_ref of handle %u, granter domain %u",
                handle, g->p.id);
}

/* Maps reference @ref. False: the test has failed, or Xen cannot record the mapping (skipped). */
static bool map_or_skip(const struct granter *g, struct spot s, uint32_t ref, uint32_t flags,
                        grant_handle_t *handle)
{
    struct test *t = g->p.t;
    int16_t status = map(g, s, ref, flags, handle);

    if (status == GNTST_no_space)
        test_skip(t, "Xen cannot record a grant mapping (GNTST_no_space)");
    else
        CHECK_GNTST(status, GNTST_okay, "GNTTABOP_map_grant_ref of reference %u of domain %u, %s",
                    ref, g->p.id, flags ? "read-only" : "read-write");
    return status == GNTST_okay;
}

static void check_marks(const struct granter *g, unsigned int ref, uint16_t expected,
                        const char *when)
{
    struct test *t = g->p.t;

    CHECK_EQ(g->entry[ref].flags & (GTF_reading | GTF_writing), expected,
             "%s: GTF_reading (0x8) and GTF_writing (0x10) of reference %u of domain %u", when, ref,
             g->p.id);
}

static void check_refused(const struct granter *g, uint32_t ref, uint32_t flags, int16_t expected,
                          const char *why)
{
    struct test *t = g->p.t;
    grant_handle_t handle;
    int16_t status = map(g, g->a, ref, flags, &handle);

    if (status == GNTST_no_space) {
        test_skip(t, "Xen cannot record a grant mapping (GNTST_no_space)");
        return;
    }
    CHECK_GNTST(status, expected, "GNTTABOP_map_grant_ref of reference %u of domain %u: %s", ref,
                g->p.id, why);
    if (status == GNTST_okay)
        unmap(g, g->a, handle);
    CHECK_EQ(pt_walk(&t->d->pt, g->a.va).pte, 0,
             "PTE of 0x%lx after a refused GNTTABOP_map_grant_ref of reference %u of domain %u",
             g->a.va, ref, g->p.id);
    check_marks(g, ref, 0, "after a refused GNTTABOP_map_grant_ref");
}

static void map_both(struct granter *g)
{
    grant_handle_t rw, ro;
    struct test *t = g->p.t;

    if (!map_or_skip(g, g->a, REF_RW, 0, &rw))
        return;
    check_marks(g, REF_RW, GTF_reading | GTF_writing, "mapped read-write");
    CHECK_RC(probe_write((void *)g->a.va, PEER_WORD), 0, "write to a grant, mapped at 0x%lx",
             g->a.va);
    if (map_or_skip(g, g->b, REF_RO, GNTMAP_readonly, &ro)) {
        check_marks(g, REF_RO, GTF_reading, "mapped read-only");
        CHECK_RC(probe_write((void *)g->b.va, PEER_WORD), -EFAULT,
                 "write to a grant, mapped read-only at 0x%lx", g->b.va);
        unmap(g, g->b, ro);
        check_marks(g, REF_RO, 0, "after the unmap");
    }
    /* a second, read-only mapping of the same grant: the mark "writing" is that of the first */
    if (map_or_skip(g, g->b, REF_RW, GNTMAP_readonly, &ro)) {
        peer_check_word(&g->p, g->b, PEER_WORD, "grant mapped read-write and read-only");
        unmap(g, g->a, rw);
        check_marks(g, REF_RW, GTF_reading, "the read-write mapping removed, one read-only left");
        unmap(g, g->b, ro);
    } else {
        unmap(g, g->a, rw);
    }
    check_marks(g, REF_RW, 0, "after both unmaps");
    CHECK_EQ(peer_word(&g->p, g->p.mfn[0], 0), PEER_WORD,
             "word 0 of MFN 0x%lx of domain %u after a write by its grant", g->p.mfn[0].v, g->p.id);
}

TEST_RULE(abi_peer_grant_map,
          "a grant of another domain maps its frame, and is marked while mapped")
{
    struct granter g;

    if (!granter_open(&g, t))
        return;
    map_both(&g);
    peer_check_pages(&g.p, NR_FRAMES, false, "after the grants were mapped and unmapped");
    granter_close(&g);
}

TEST_RULE(abi_peer_grant_refused,
          "Xen maps no grant to a third domain, and none of a frame that the granter does not own")
{
    struct granter g;

    if (!granter_open(&g, t))
        return;
    check_refused(&g, REF_THIRD, 0, GNTST_general_error, "the grantee is a third domain");
    check_refused(&g, REF_FOREIGN, 0, GNTST_bad_page, "the frame is not the granter's");
    granter_close(&g);
}

/* Copies 8 bytes between word 0 of the own page at @own and a grant of the peer. */
static int16_t copy(const struct granter *g, mfn_t own, uint32_t ref, bool to_grant)
{
    struct gnttab_copy op = {.len = sizeof(uint64_t),
                             .flags = to_grant ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
                             .status = NO_STATUS};
    struct test *t = g->p.t;

    if (to_grant) {
        op.source.domid = DOMID_SELF, op.source.u.gmfn = own.v;
        op.dest.domid = g->p.id, op.dest.u.ref = ref;
    } else {
        op.source.domid = g->p.id, op.source.u.ref = ref;
        op.dest.domid = DOMID_SELF, op.dest.u.gmfn = own.v;
    }
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_copy, &op, 1), 0,
             "GNTTABOP_copy %s reference %u of domain %u", to_grant ? "to" : "from", ref, g->p.id);
    return op.status;
}

TEST_RULE(abi_peer_grant_copy,
          "GNTTABOP_copy to and from a grant of another domain keeps its rights")
{
    struct granter g;
    uint64_t *page;
    mfn_t own;

    if (!granter_open(&g, t))
        return;
    page = room_alloc(&g.p.room, 1);
    own = pt_mfn(&g.p.room.pt, (uintptr_t)page);
    page[0] = PEER_WORD;
    CHECK_GNTST(copy(&g, own, REF_RW, true), GNTST_okay,
                "GNTTABOP_copy to reference %u of domain %u", REF_RW, g.p.id);
    CHECK_EQ(peer_word(&g.p, g.p.mfn[0], 0), PEER_WORD,
             "word 0 of MFN 0x%lx of domain %u after GNTTABOP_copy to its grant", g.p.mfn[0].v,
             g.p.id);
    peer_set_word(&g.p, g.p.mfn[1], 0, PEER_WORD + 1);
    CHECK_GNTST(copy(&g, own, REF_RO, false), GNTST_okay,
                "GNTTABOP_copy from reference %u of domain %u", REF_RO, g.p.id);
    CHECK_EQ(page[0], PEER_WORD + 1,
             "word 0 of a page of this domain after GNTTABOP_copy from domain %u", g.p.id);
    for (unsigned int ref = REF_RW; ref <= REF_RO; ref++)
        check_marks(&g, ref, 0, "after GNTTABOP_copy");
    room_free(&g.p.room, page, 1);
    granter_close(&g);
}

/* Destroys the granter while REF_RW is mapped at @g->a and REF_RO at @g->b. */
static void die_while_mapped(struct granter *g, grant_handle_t rw, grant_handle_t ro)
{
    peer_unmap(&g->p, g->table);
    peer_destroy(&g->p);
    peer_check_pages(&g->p, 2, true, "destroyed while two grants are mapped");
    peer_check_word(&g->p, g->a, PEER_WORD, "destroyed while two grants are mapped");
    unmap(g, g->b, ro);
    peer_check_pages(&g->p, 1, true, "destroyed, one of two grants unmapped");
    unmap(g, g->a, rw);
    peer_check_gone(&g->p, "destroyed, both grants unmapped");
}

TEST_RULE(abi_peer_grant_death,
          "a mapped grant outlives its granter, which is dying until the unmap")
{
    struct granter g;
    grant_handle_t rw, ro;

    if (!granter_open(&g, t))
        return;
    peer_set_word(&g.p, g.p.mfn[0], 0, PEER_WORD);
    if (map_or_skip(&g, g.a, REF_RW, 0, &rw)) {
        if (map_or_skip(&g, g.b, REF_RO, GNTMAP_readonly, &ro))
            die_while_mapped(&g, rw, ro);
        else
            unmap(&g, g.a, rw);
    }
    granter_close(&g);
}

TEST_RULE(abi_peer_grant_size,
          "GNTTABOP_query_size reports the grant table of another domain and its limit")
{
    struct gnttab_query_size size;
    struct gnttab_get_version version;
    struct granter g;

    if (!granter_open(&g, t))
        return;
    size = grant_query_size(t, g.p.id, GNTST_okay);
    CHECK_EQ(size.nr_frames, PEER_GRANT_FRAMES, "nr_frames by GNTTABOP_query_size of domain %u",
             g.p.id);
    CHECK_EQ(size.max_nr_frames, PEER_GRANT_FRAMES,
             "max_nr_frames by GNTTABOP_query_size of domain %u", g.p.id);
    version = (struct gnttab_get_version){.dom = g.p.id};
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), 0,
             "GNTTABOP_get_version of domain %u", g.p.id);
    CHECK_EQ(version.version, 1, "version by GNTTABOP_get_version of domain %u", g.p.id);
    granter_close(&g);
}
