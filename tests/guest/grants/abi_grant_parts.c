/* SPDX-License-Identifier: MIT */
/*
 * Grants that only version 2 of the table has: of a part of a page (GTF_sub_page), and of another
 * domain's grant (GTF_transitive). <xen/grant_table.h>: "@domid is allowed to access bytes
 * [@page_off,@page_off+@length)", and "The current version of Xen does not allow transitive grants
 * to be mapped".
 *
 * Without these tests a grantee could read what is next to the granted part of a page.
 */
#include "lib/string.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define REF_PAGE   (GRANT_FIRST + 1)
#define ROOM_PAGES 40
#define FILL       0xa5 /* bytes of a target page before a copy */
#define COPIED     0x1  /* bytes of a source page               */
#define START      1000 /* of the granted part */
#define LEN        500
#define END        (START + LEN)

/* Copies of the granted part and of bytes next to it. Xen logs a refusal. */
static const struct {
    const char *what;
    uint16_t offset, len;
    int16_t status;
} copies[] = {
    {"the whole part",             START,     LEN,     GNTST_okay         },
    {"the first byte",             START,     1,       GNTST_okay         },
    {"the last byte",              END - 1,   1,       GNTST_okay         },
    {"one byte before the part",   START - 1, 1,       GNTST_general_error},
    {"one byte behind the part",   END,       1,       GNTST_general_error},
    {"the part and a byte before", START - 1, LEN + 1, GNTST_general_error},
    {"the part and a byte behind", START,     LEN + 1, GNTST_general_error},
};

struct part {
    struct grant_room *g;
    struct spot at, other_at;
    uint8_t *page, *other; /* their addresses */
};

static struct gnttab_copy_ptr part_of(const struct part *p, uint16_t offset)
{
    return (struct gnttab_copy_ptr){.u.ref = REF, .domid = p->g->fr.self, .offset = offset};
}

static struct gnttab_copy_ptr other_of(const struct part *p)
{
    return (struct gnttab_copy_ptr){.u.gmfn = p->other_at.mfn.v, .domid = DOMID_SELF};
}

/* Bytes [@start, @start + @len) of @page are copied ones, and no others. */
static void check_bytes(struct part *p, const uint8_t *page, unsigned int start, unsigned int len,
                        const char *what)
{
    struct test *t = p->g->fr.room.t;

    for (unsigned int i = 0; i < PAGE_SIZE; i++) {
        uint8_t expected = i - start < len ? COPIED : FILL;

        if (page[i] != expected) {
            CHECK_EQ(page[i], expected,
                     "byte %u of the target page (0x%x: not written, 0x%x: copied) after "
                     "GNTTABOP_copy, %s,",
                     i, FILL, COPIED, what);
            return;
        }
    }
}

/* From the granted part to @other, or into it from @other. */
static void check_copy(struct part *p, unsigned int i, bool into)
{
    struct test *t = p->g->fr.room.t;
    bool good = copies[i].status == GNTST_okay;
    struct gnttab_copy op = {
        .source = into ? other_of(p) : part_of(p, copies[i].offset),
        .dest = into ? part_of(p, copies[i].offset) : other_of(p),
        .len = copies[i].len,
        .flags = into ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
        .status = NO_STATUS,
    };

    memset(p->page, into ? FILL : COPIED, PAGE_SIZE);
    memset(p->other, into ? COPIED : FILL, PAGE_SIZE);
    CHECK_RC(grant_copy(&op, 1), 0, "GNTTABOP_copy %s a part of a page", into ? "to" : "from");
    CHECK_GNTST(op.status, copies[i].status, "GNTTABOP_copy %s a granted part of a page, %s",
                into ? "to" : "from", copies[i].what);
    check_bytes(p, into ? p->page : p->other, into ? copies[i].offset : 0, good ? copies[i].len : 0,
                copies[i].what);
    grant_check_marks(p->g, REF, 0, "after a copy of a granted part");
}

static bool part_open(struct part *p, struct grant_room *g, struct test *t)
{
    if (!grant_room_open(g, t, ROOM_PAGES))
        return false;
    if (!grant_room_use(g, 2)) {
        test_skip(t, "Xen does not allow this domain version 2 of the grant table");
        grant_room_close(g);
        return false;
    }
    p->g = g;
    p->page = grant_page(g, &p->at), p->other = grant_page(g, &p->other_at);
    g->first = true;
    g->more = !grant_xen_is_debug(g);
    return true;
}

static void part_close(struct part *p)
{
    grant_page_drop(p->g, p->other_at);
    grant_page_drop(p->g, p->at);
    grant_room_close(p->g);
}

static struct grant_room room; /* of either test */

TEST_RULE(abi_grant_sub_page,
          "GNTTABOP_copy of a granted part of a page reaches no byte next to the part")
{
    struct part p;

    if (!part_open(&p, &room, t))
        return;
    grant_write_part(&room, REF, GTF_permit_access, p.at.mfn, START, LEN);
    for (unsigned int i = 0; i < ARRAY_SIZE(copies); i++) {
        if (copies[i].status != GNTST_okay && !room.more)
            continue;
        check_copy(&p, i, false);
        check_copy(&p, i, true);
    }
    part_close(&p);
}

static void refuse_transitive(struct part *p, domid_t domain, const char *what)
{
    struct test *t = p->g->fr.room.t;
    struct gnttab_copy op = {
        .source = part_of(p, 0),
        .dest = other_of(p),
        .len = 8,
        .flags = GNTCOPY_source_gref,
        .status = NO_STATUS,
    };

    grant_write_transitive(p->g, REF, domain, REF_PAGE);
    CHECK_RC(grant_copy(&op, 1), 0, "GNTTABOP_copy from a transitive grant");
    CHECK_GNTST(op.status, GNTST_general_error, "GNTTABOP_copy from a transitive grant of %s",
                what);
    check_bytes(p, p->other, 0, 0, what);
    grant_check_marks(p->g, REF, 0, "after a refused copy from a transitive grant");
    grant_check_marks(p->g, REF_PAGE, 0, "after a refused copy from a transitive grant");
}

TEST_RULE(abi_grant_transitive,
          "GNTTABOP_copy refuses a transitive grant of the granter's own grant, or of no domain's")
{
    struct part p;

    if (!part_open(&p, &room, t))
        return;
    memset(p.other, FILL, PAGE_SIZE);
    grant_give(&room, REF_PAGE, p.at.mfn, false);
    refuse_transitive(&p, room.fr.self, "the granter's own grant");
    if (room.more)
        refuse_transitive(&p, NO_DOMAIN, "a domain that does not exist");
    part_close(&p);
}
