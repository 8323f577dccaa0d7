/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, this kernel could reuse a page that another domain can still write. The
 * owner of a grant cannot revoke it while it is mapped: only the domain that maps the page can
 * unmap it. Linux had to learn that for each of its frontends (XSA-396: "Linux PV device frontends
 * vulnerable to attacks by backends"). <xen/grant_table.h>, "Introduction to grant tables",
 * describes how to end a grant.
 *
 * One thing cannot be prevented: a domain that maps the page may map it a second time. Xen reads
 * the grant entry for the first mapping only (Xen's common/grant_table.c, map_grant_ref, act->pin).
 */
#include "lib/errno.h"

#include "tests/guest/foreign_room.h"

static void check_end(struct self_grant *g, int expected, const char *when)
{
    struct test *t = g->fr.room.t;

    CHECK_RC(grant_end(&t->d->grants, g->ref), expected, "grant_end of reference %u, %s", g->ref,
             when);
}

TEST(grant_end, "grant_end does not end a mapped grant: it returns -EBUSY (XSA-396)")
{
    struct self_grant g;

    if (!self_grant_open(&g, t, 2))
        return;
    (void)foreign_room_map(&g.fr, g.r, 0, g.ref, false);
    check_end(&g, -EBUSY, "mapped once");
    (void)foreign_room_map(&g.fr, g.r, 1, g.ref, false);
    foreign_room_unmap(&g.fr, g.r, 0, 1);
    check_end(&g, -EBUSY, "mapped twice and unmapped once");
    foreign_room_unmap(&g.fr, g.r, 1, 1);
    /* A first mapping again: for this one Xen reads the entry. */
    if (foreign_room_map(&g.fr, g.r, 0, g.ref, false))
        foreign_room_unmap(&g.fr, g.r, 0, 1);
    self_grant_close(&g);
}

TEST(grant_ended, "grant_map and grant_end refuse a reference whose grant has ended")
{
    struct self_grant g;

    if (!self_grant_open(&g, t, 1))
        return;
    check_end(&g, 0, "not mapped");
    check_end(&g, -EINVAL, "which has ended");
    foreign_room_map_fails(&g.fr, g.r, 0, g.ref, -EIO);
    g.ref = 0;
    self_grant_close(&g);
}

/* Polls the deferred grants; @nr of them stay mapped. @state is that of reference @ref. */
static void check_poll(struct test *t, uint32_t nr, uint32_t ref, const char *state)
{
    CHECK_EQ(grants_poll(&t->d->grants), nr,
             "result of grants_poll (number of ended grants still mapped), with reference %u %s,",
             ref, state);
}

static void check_free(struct test *t, bool free, pfn_t pfn, uint32_t ref, const char *state)
{
    CHECK_EQ(frame_pool_has(&t->d->frame_pool, pfn), free,
             "frame_pool_has (1: free) of PFN 0x%lx, granted by reference %u, %s,", pfn.v, ref,
             state);
}

/* While the grant is deferred: the frame is not free, and the peer's mapping stays usable. */
static void check_deferred(struct foreign_room *fr, struct foreign_range *r, uint32_t ref,
                           pfn_t pfn)
{
    struct test *t = fr->room.t;
    struct grants *g = &t->d->grants;
    int16_t status;

    CHECK_EQ(g->nr_deferred, 1,
             "number of deferred grants (to end when unmapped) after grant_end_page of mapped "
             "reference %u",
             ref);
    check_free(t, false, pfn, ref, "still mapped");
    check_poll(t, 1, ref, "still mapped");
    foreign_room_page(r, 0)[0] = GRANTEE_WORD;
    foreign_room_check_word(fr, r, 0, 0, GRANTEE_WORD);
    if (!grant_map(r, 1, &ref, &status, 1, false)) {
        foreign_room_unmap(fr, r, 0, 1);
        check_poll(t, 1, ref, "mapped twice, unmapped once");
    }
    CHECK_RC(grant_end(g, ref), -EINVAL,
             "second end of reference %u, ended while mapped: grant_end", ref);
    CHECK_RC(grant_end_page(g, ref), -EINVAL,
             "second end of reference %u, ended while mapped: grant_end_page", ref);
}

TEST(grant_deferred,
     "grant_end_page frees a granted page only after its last grant mapping is removed (XSA-396)")
{
    struct foreign_room fr;
    struct foreign_range *r;
    struct spot spot;
    uint32_t ref;
    pfn_t pfn;

    if (!foreign_room_open_to_map(&fr, t, 16))
        return;
    r = foreign_room_range(&fr, FOREIGN_GRANT, fr.self, 2);
    spot = room_spot(&fr.room); /* a frame that this kernel maps nowhere else */
    pfn = m2p_get(&t->d->host.m2p, spot.mfn);
    ref = foreign_room_grant_pfn(&fr, pfn, false);
    if (!ref) {
        room_drop(&fr.room, spot);
        foreign_room_drop(&fr, r);
        foreign_room_close(&fr);
        return;
    }
    if (foreign_room_map(&fr, r, 0, ref, false)) {
        CHECK_RC(grant_end_page(&t->d->grants, ref), 0, "grant_end_page of reference %u", ref);
        check_deferred(&fr, r, ref, pfn);
        foreign_room_unmap(&fr, r, 0, 2);
        foreign_room_map_fails(&fr, r, 0, ref, -EIO);
        foreign_room_check_empty(&fr, r, 0);
        check_poll(t, 0, ref, "unmapped");
    } else {
        CHECK_RC(grant_end_page(&t->d->grants, ref), 0, "grant_end_page of reference %u", ref);
    }
    check_free(t, true, pfn, ref, "unmapped");
    foreign_room_drop(&fr, r);
    foreign_room_close(&fr);
}
