/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a network backend could mistake a packet that was not copied for one that
 * was. Xen copies between granted pages without any mapping (GNTTABOP_copy of
 * <xen/grant_table.h>). Each copy has its own status. A copy that crosses the end of a page is
 * refused (GNTST_bad_copy_arg), and so is one to a read-only grant; a refused copy must not change
 * the target page. (XSA-226 and XSA-230 were errors of Xen in the same code.)
 */
#include "tests/guest/foreign_room.h"

#define FROM_OFFSET 4000
#define TO_OFFSET   8
#define LEN         96 /* from FROM_OFFSET to the end of the page */

/* Two pages of this domain, granted to this domain: the source holds a pattern, the target 0. */
struct copy_room {
    struct foreign_room fr;
    uint8_t *from, *to;
    uint32_t from_ref, to_ref, to_ref_readonly;
    struct gnttab_copy op; /* a valid copy */
};

static uint8_t pattern(unsigned int i)
{
    return (uint8_t)(i * 7 + 1);
}

static bool copy_room_open(struct copy_room *c, struct test *t)
{
    struct foreign_room *fr = &c->fr;

    if (!foreign_room_open_to_map(fr, t, 16))
        return false;
    c->from = room_alloc(&fr->room, 1);
    c->to = room_alloc(&fr->room, 1);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        c->from[i] = pattern(i);
    c->from_ref = foreign_room_grant(fr, c->from, true);
    c->to_ref = foreign_room_grant(fr, c->to, false);
    c->to_ref_readonly = foreign_room_grant(fr, c->to, true);
    c->op = (struct gnttab_copy){
        .source = {.u.ref = c->from_ref, .domid = fr->self, .offset = FROM_OFFSET},
        .dest = {.u.ref = c->to_ref,   .domid = fr->self, .offset = TO_OFFSET  },
        .len = LEN,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
        .status = NO_STATUS,
    };
    return true;
}

/* grant_end fails if a copy leaves its grant in use. */
static void copy_room_close(struct copy_room *c)
{
    foreign_room_end_grant(&c->fr, c->to_ref_readonly);
    foreign_room_end_grant(&c->fr, c->to_ref);
    foreign_room_end_grant(&c->fr, c->from_ref);
    room_free(&c->fr.room, c->to, 1);
    room_free(&c->fr.room, c->from, 1);
    foreign_room_close(&c->fr);
}

TEST(grant_copy,
     "GNTTABOP_copy between two grants changes exactly the given bytes of the target page")
{
    struct copy_room c;

    if (!copy_room_open(&c, t))
        return;
    CHECK_RC(grant_copy(&c.op, 1), 0, "GNTTABOP_copy between two grants");
    CHECK_GNTST(c.op.status, GNTST_okay, "GNTTABOP_copy between two grants");
    for (unsigned int i = 0; i < PAGE_SIZE; i++) {
        unsigned int copied = i - TO_OFFSET;
        uint8_t expected = copied < LEN ? pattern(FROM_OFFSET + copied) : 0;

        if (c.to[i] != expected) {
            CHECK_EQ(c.to[i], expected,
                     "byte %u of the target page after GNTTABOP_copy of %d bytes to offset %d", i,
                     LEN, TO_OFFSET);
            break;
        }
    }
    copy_room_close(&c);
}

static void check_refused(struct copy_room *c, struct gnttab_copy op, int16_t expected,
                          const char *what)
{
    struct test *t = c->fr.room.t;

    CHECK_RC(grant_copy(&op, 1), 0, "GNTTABOP_copy %s", what);
    CHECK_GNTST(op.status, expected, "GNTTABOP_copy %s", what);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (c->to[i]) {
            CHECK_EQ(c->to[i], 0, "byte %u of the target page after GNTTABOP_copy %s", i, what);
            return;
        }
}

TEST(grant_copy_refused, "a refused GNTTABOP_copy does not change the target page")
{
    struct gnttab_copy op;
    struct copy_room c;

    if (!copy_room_open(&c, t))
        return;
    op = c.op, op.len++;
    check_refused(&c, op, GNTST_bad_copy_arg, "that reads past the end of the source page");
    op = c.op, op.dest.offset = (uint16_t)(PAGE_SIZE - LEN + 1);
    check_refused(&c, op, GNTST_bad_copy_arg, "that writes past the end of the target page");
    op = c.op, op.dest.u.ref = c.to_ref_readonly;
    check_refused(&c, op, GNTST_general_error, "whose target is a read-only grant");
    op = c.op, op.source.domid = NO_DOMAIN;
    check_refused(&c, op, GNTST_bad_domain, "whose source is a grant of a nonexistent domain");
    copy_room_close(&c);
}
