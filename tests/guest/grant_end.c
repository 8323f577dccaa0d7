/* SPDX-License-Identifier: MIT */
/*
 * Without these a page could come back into use while somebody else still writes it: a grant that
 * is mapped cannot be taken back by its owner, only by who maps it. Linux had to learn that for
 * each of its frontends (XSA-396: "Linux PV device frontends vulnerable to attacks by backends").
 * <xen/grant_table.h>, "Introduction to grant tables", has the order in which an entry is ended.
 *
 * What cannot be had: that a peer which maps the page does not map it a second time. Xen looks at
 * the entry for the first mapping only (Xen's common/grant_table.c, map_grant_ref, act->pin).
 */
#include "lib/errno.h"

#include "tests/guest/foreign_room.h"

#define LENT 0x6c656e74

TEST(grant_end, "a grant that is mapped cannot be ended, and holds until it can")
{
    struct foreign_room s;
    struct foreign_range *r;
    int16_t status;
    uint64_t *page;
    uint32_t ref;

    if (!share_open_maps(&s, t, 16))
        return;
    page = room_alloc(&s.room, 1);
    r = share_range(&s, FOREIGN_GRANT, s.self, 2);
    ref = share_grant(&s, page, false);
    CHECK(!grant_map(r, 0, &ref, &status, 1, false), "it cannot be mapped");
    CHECK(grant_end(&t->d->grants, ref) == -EBUSY, "a grant ends while it is mapped");
    CHECK(!grant_map(r, 1, &ref, &status, 1, false), "and does not hold any longer: %s",
          grant_status_name(status));
    CHECK(!grant_unmap(r, 0, 1), "the first mapping cannot be unmapped");
    CHECK(grant_end(&t->d->grants, ref) == -EBUSY, "it ends while it is mapped still");
    CHECK(!grant_unmap(r, 1, 1), "the second mapping cannot be unmapped");
    CHECK(!grant_map(r, 0, &ref, &status, 1, false), "it does not hold when nobody maps it: %s",
          grant_status_name(status));
    CHECK(!grant_unmap(r, 0, 1), "that mapping cannot be unmapped");
    share_end(&s, ref);
    CHECK(grant_end(&t->d->grants, ref) == -EINVAL, "it can be ended twice");
    CHECK(grant_map(r, 0, &ref, &status, 1, false) == -EIO, "it can be mapped after its end");
    share_drop(&s, r);
    room_free(&s.room, page, 1);
    share_close(&s);
}

/*
 * While it waits: the page is the peer's still, nobody's who asks for memory, and no more a grant.
 * Whoever maps it may map it once more, for Xen looks at the entry for the first mapping only.
 */
static void check_deferred(struct foreign_room *s, struct foreign_range *r, uint32_t ref, pfn_t pfn)
{
    struct test *t = s->room.t;
    int16_t status;

    CHECK(t->d->grants.nr_deferred == 1, "%u grants are deferred", t->d->grants.nr_deferred);
    CHECK(!frame_pool_has(&t->d->frame_pool, pfn), "the page is free while it is mapped elsewhere");
    CHECK(grants_poll(&t->d->grants) == 1, "the grant has ended while it is mapped");
    share_page(r, 0)[0] = LENT;
    CHECK(share_page(r, 0)[0] == LENT, "the mapping is gone");
    if (!grant_map(r, 1, &ref, &status, 1, false)) {
        CHECK(!grant_unmap(r, 0, 1), "the first mapping cannot be unmapped");
        CHECK(grants_poll(&t->d->grants) == 1, "the grant has ended while it is mapped still");
    }
    CHECK(grant_end(&t->d->grants, ref) == -EINVAL && grant_end_page(&t->d->grants, ref) == -EINVAL,
          "what is ended already can be ended again");
}

TEST(grant_deferred,
     "a page whose grant is ended while mapped is free when it is unmapped, not before")
{
    struct foreign_room s;
    struct foreign_range *r;
    int16_t status;
    struct spot spot;
    uint32_t ref;
    pfn_t pfn;

    if (!share_open_maps(&s, t, 16))
        return;
    r = share_range(&s, FOREIGN_GRANT, s.self, 2);
    spot = room_spot(&s.room); /* a frame that we map nowhere */
    pfn = m2p_get(&t->d->host.m2p, spot.mfn);
    CHECK(!grant_access(&t->d->grants, s.self, pfn, false, &ref), "it cannot be granted");
    if (!grant_map(r, 0, &ref, &status, 1, false)) {
        CHECK(!grant_end_page(&t->d->grants, ref), "its end cannot be deferred");
        check_deferred(&s, r, ref, pfn);
        CHECK(!grant_unmap(r, 0, 2), "it cannot be unmapped");
        CHECK(grant_map(r, 0, &ref, &status, 1, false) == -EIO, "a new use can begin");
        share_check_empty(&s, r, 0);
        CHECK(!grants_poll(&t->d->grants), "the grant has not ended");
    } else {
        test_fail(t, "it cannot be mapped: %s", grant_status_name(status));
        CHECK(!grant_end_page(&t->d->grants, ref), "it cannot be ended");
    }
    CHECK(frame_pool_has(&t->d->frame_pool, pfn), "PFN 0x%lx is not free after its grant's end",
          pfn.v);
    share_drop(&s, r);
    share_close(&s);
}
