/* SPDX-License-Identifier: MIT */
/*
 * Without this a network backend could not tell a packet that was copied from one that was not:
 * Xen copies between granted pages without any mapping, each copy has a status of its own, and what
 * leaves a page, or may not be written, must leave the target as it was. <xen/grant_table.h>,
 * GNTTABOP_copy; a stride over a page's end is GNTST_bad_copy_arg. (XSA-226 and XSA-230 are what
 * the same code got wrong.)
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "tests/guest/foreign_room.h"

#define FROM_OFFSET 4000
#define TO_OFFSET   8
#define LEN         96 /* up to the end of the page, of FROM_OFFSET */

static struct gnttab_copy copy_op(domid_t self, uint32_t from, uint32_t to)
{
    return (struct gnttab_copy){
        .source = {.u.ref = from, .domid = self, .offset = FROM_OFFSET},
        .dest = {.u.ref = to,   .domid = self, .offset = TO_OFFSET  },
        .len = LEN,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
        .status = 1,
    };
}

/* Of @op, changed so, Xen says @expected, and nothing is written. */
static void check_refused(struct test *t, struct gnttab_copy op, int16_t expected, const char *what,
                          const uint8_t *to)
{
    long rc = grant_copy(&op, 1);

    CHECK(rc == 0 && op.status == expected, "%s: Xen says %ld and %d (%s), expected %d", what, rc,
          op.status, grant_status_name(op.status), expected);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (to[i]) {
            test_fail(t, "%s: byte %u was written", what, i);
            return;
        }
}

TEST(grant_copy, "Xen copies between granted pages just what it is told to, or nothing")
{
    struct foreign_room s;
    struct gnttab_copy op, bad;
    uint32_t from_ref, to_ref, ro_ref;
    uint8_t *from, *to;
    bool same;

    if (!share_open_maps(&s, t, 16))
        return;
    from = room_alloc(&s.room, 1);
    to = room_alloc(&s.room, 1);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        from[i] = (uint8_t)(i * 7 + 1);
    from_ref = share_grant(&s, from, true);
    to_ref = share_grant(&s, to, false);
    ro_ref = share_grant(&s, to, true);
    op = copy_op(s.self, from_ref, to_ref);

    bad = op, bad.len++;
    check_refused(t, bad, GNTST_bad_copy_arg, "a byte more than the page has", to);
    bad = op, bad.dest.offset = (uint16_t)(PAGE_SIZE - LEN + 1);
    check_refused(t, bad, GNTST_bad_copy_arg, "a target past its page's end", to);
    bad = op, bad.dest.u.ref = ro_ref;
    check_refused(t, bad, GNTST_general_error, "a target that is read-only", to);
    bad = op, bad.source.domid = NO_DOMAIN;
    check_refused(t, bad, GNTST_bad_domain, "a domain that is not there", to);

    CHECK(!grant_copy(&op, 1) && op.status == GNTST_okay, "nothing is copied: %s",
          grant_status_name(op.status));
    same = !memcmp(to + TO_OFFSET, from + FROM_OFFSET, LEN);
    CHECK(same, "what was copied is not what was there");
    CHECK(!to[TO_OFFSET - 1] && !to[TO_OFFSET + LEN], "bytes beside it were written");
    share_end(&s, ro_ref); /* no copy leaves a grant in use */
    share_end(&s, to_ref);
    share_end(&s, from_ref);
    room_free(&s.room, to, 1);
    room_free(&s.room, from, 1);
    share_close(&s);
}
