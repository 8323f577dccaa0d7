/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_copy (<xen/grant_table.h>): the bounds of a copy, each way to name source and target,
 * and what a batch does when one copy in it fails.
 *
 * Without these tests Xen could copy a byte too many or too few, take the page of another copy in
 * the same batch for its own (Xen keeps the pages of the copy before), or write although it
 * refuses. (grant_copy and grant_copy_refused try one copy, and the ends of a page.)
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "tests/guest/grants/grant_steps.h"

#define ROOM_PAGES 40
#define FILL       0xa5 /* of a target page, before a copy */

/* Pages that copies use; page i is granted by reference GRANT_FIRST + i. */
#define NR_PAGES  4
#define REF_OF(i) (GRANT_FIRST + (i))
/* References that no copy can use: a frame past all memory, for which Xen logs nothing. */
#define REF_BAD (GRANT_FIRST + NR_PAGES)

struct copies {
    struct grant_room *g;
    struct spot spot[NR_PAGES];
    uint8_t *page[NR_PAGES];
};

static void copies_open(struct copies *c, struct grant_room *g)
{
    c->g = g;
    for (unsigned int i = 0; i < NR_PAGES; i++) {
        c->page[i] = grant_page(g, &c->spot[i]);
        grant_give(g, REF_OF(i), c->spot[i].mfn, false);
    }
    grant_give(g, REF_BAD, grant_no_frame(g), false);
}

/* A copy that left its grant in use would show here. */
static void copies_close(struct copies *c)
{
    for (unsigned int i = 0; i < NR_PAGES; i++) {
        grant_check_marks(c->g, REF_OF(i), 0, "after all copies");
        grant_page_drop(c->g, c->spot[i]);
    }
    grant_check_marks(c->g, REF_BAD, 0, "after refused copies");
}

static struct gnttab_copy_ptr place(const struct copies *c, unsigned int page, bool by_ref,
                                    unsigned int offset)
{
    struct gnttab_copy_ptr p = {.domid = by_ref ? c->g->fr.self : DOMID_SELF,
                                .offset = (uint16_t)offset};

    if (by_ref)
        p.u.ref = REF_OF(page);
    else
        p.u.gmfn = c->spot[page].mfn.v;
    return p;
}

static void run_copy(struct copies *c, struct gnttab_copy *op, int16_t expected, const char *what)
{
    struct test *t = c->g->fr.room.t;

    op->status = NO_STATUS;
    CHECK_RC(grant_copy(op, 1), 0, "GNTTABOP_copy, %s", what);
    CHECK_GNTST(op->status, expected,
                "GNTTABOP_copy, %s: %u bytes, from offset %u to offset %u, flags 0x%x", what,
                op->len, op->source.offset, op->dest.offset, op->flags);
}

static void fill(uint8_t *page, unsigned int seed)
{
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        page[i] = (uint8_t)(i * seed + i / 256);
}

/* Offsets and lengths, all within a page. */
static const struct bounds {
    uint16_t from, to, len;
} bounds[] = {
    {0,    0,    0   },
    {0,    0,    1   },
    {0,    0,    4095},
    {0,    0,    4096},
    {1,    1,    4095},
    {1,    0,    4095},
    {0,    1,    4095},
    {4095, 0,    1   },
    {0,    4095, 1   },
    {4095, 4095, 1   },
    {4095, 4095, 0   },
    {2048, 2047, 2048},
    {7,    13,   1023},
    {4088, 8,    8   },
};

/* Page 0 is the source, page 1 the target. @modes: which of the two are named by reference. */
static void check_bounds(struct copies *c, const struct bounds *b, unsigned int modes)
{
    struct test *t = c->g->fr.room.t;
    struct gnttab_copy op = {
        .source = place(c, 0, modes & GNTCOPY_source_gref, b->from),
        .dest = place(c, 1, modes & GNTCOPY_dest_gref, b->to),
        .len = b->len,
        .flags = (uint16_t)modes,
    };

    memset(c->page[1], FILL, PAGE_SIZE);
    run_copy(c, &op, GNTST_okay, "within a page");
    for (unsigned int i = 0; i < PAGE_SIZE; i++) {
        unsigned int copied = i - b->to;
        uint8_t expected = copied < b->len ? c->page[0][b->from + copied] : FILL;

        if (c->page[1][i] != expected) {
            CHECK_EQ(c->page[1][i], expected,
                     "byte %u of the target after GNTTABOP_copy of %u bytes from offset %u to "
                     "offset %u, flags 0x%x",
                     i, b->len, b->from, b->to, modes);
            return;
        }
    }
}

static void check_all_bounds(struct grant_room *g)
{
    struct copies c;

    copies_open(&c, g);
    fill(c.page[0], 7);
    for (unsigned int i = 0; i < ARRAY_SIZE(bounds); i++)
        for (unsigned int modes = 0; modes <= (GNTCOPY_source_gref | GNTCOPY_dest_gref); modes++)
            check_bounds(&c, &bounds[i], modes);
    copies_close(&c);
}

TEST_RULE(abi_grant_copy_bounds,
          "GNTTABOP_copy changes the given bytes and no other, by reference and by frame number")
{
    grant_room_each(t, ROOM_PAGES, check_all_bounds);
}

/* From page 0 to page 1, which must stay as it is. */
static void refuse(struct copies *c, struct gnttab_copy op, int16_t expected, const char *what)
{
    struct test *t = c->g->fr.room.t;

    run_copy(c, &op, expected, what);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (c->page[1][i] != FILL) {
            CHECK_EQ(c->page[1][i], FILL, "byte %u of the target after GNTTABOP_copy, %s", i, what);
            memset(c->page[1], FILL, PAGE_SIZE);
            return;
        }
    grant_check_marks(c->g, REF_OF(0), 0, what);
    grant_check_marks(c->g, REF_OF(1), 0, what);
}

/* Refusals of which Xen logs nothing. */
static void refuse_silently(struct copies *c, struct gnttab_copy good)
{
    domid_t self = c->g->fr.self;
    struct gnttab_copy op = good;

    op.flags = GNTCOPY_dest_gref, op.source = place(c, 0, false, 0), op.source.domid = self;
    refuse(c, op, GNTST_permission_denied, "source by frame number, of a domain not DOMID_SELF");
    op = good, op.flags = GNTCOPY_source_gref, op.dest = place(c, 1, false, 0);
    op.dest.domid = self;
    refuse(c, op, GNTST_permission_denied, "target by frame number, of a domain not DOMID_SELF");
    op = good, op.source.domid = NO_DOMAIN;
    refuse(c, op, GNTST_bad_domain, "source in a domain that does not exist");
    op = good, op.dest.domid = NO_DOMAIN;
    refuse(c, op, GNTST_bad_domain, "target in a domain that does not exist");
    op = good, op.source.u.ref = REF_BAD;
    refuse(c, op, GNTST_bad_page, "source is a grant of a frame past all memory");
    op = good, op.dest.u.ref = REF_BAD;
    refuse(c, op, GNTST_bad_page, "target is a grant of a frame past all memory");
}

static void refuse_logged(struct copies *c, struct gnttab_copy good)
{
    struct gnttab_copy op = good;

    op.source.offset = PAGE_SIZE;
    refuse(c, op, GNTST_bad_copy_arg, "source offset 4096");
    op = good, op.dest.offset = PAGE_SIZE - 7;
    refuse(c, op, GNTST_bad_copy_arg, "last byte past the end of the target");
    op = good, op.source.offset = PAGE_SIZE - 7;
    refuse(c, op, GNTST_bad_copy_arg, "last byte past the end of the source");
    op = good, op.dest.offset = UINT16_MAX, op.len = UINT16_MAX;
    refuse(c, op, GNTST_bad_copy_arg, "target offset and length 65535");
    op = good, op.source.u.ref = UINT32_MAX;
    refuse(c, op, GNTST_bad_gntref, "source is a reference past the table");
    op = good, op.dest.u.ref = GRANT_END - 1;
    refuse(c, op, GNTST_general_error, "target is an unused reference");
    op = good, op.flags = GNTCOPY_dest_gref, op.source = place(c, 0, false, 0);
    op.source.u.gmfn = c->g->fr.room.t->d->host.max_mfn + 1;
    refuse(c, op, GNTST_bad_page, "source is a frame past all memory");
    op = good, op.flags = GNTCOPY_source_gref, op.dest = place(c, 1, false, 0);
    op.dest.u.gmfn = c->g->fr.room.t->d->host.max_mfn + 1;
    refuse(c, op, GNTST_bad_page, "target is a frame past all memory");
    grant_give(c->g, REF_OF(1), c->spot[1].mfn, true);
    refuse(c, good, GNTST_general_error, "target is a read-only grant");
    grant_give(c->g, REF_OF(1), c->spot[1].mfn, false);
}

static void check_refusals(struct grant_room *g)
{
    struct gnttab_copy good = {
        .len = 8,
        .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
    };
    struct copies c;

    copies_open(&c, g);
    fill(c.page[0], 7);
    memset(c.page[1], FILL, PAGE_SIZE);
    good.source = place(&c, 0, true, 0), good.dest = place(&c, 1, true, 0);
    refuse_silently(&c, good);
    if (g->more)
        refuse_logged(&c, good);
    copies_close(&c);
}

TEST_RULE(abi_grant_copy_refused,
          "GNTTABOP_copy refuses each bad argument with its own status, and then copies nothing")
{
    grant_room_each(t, ROOM_PAGES, check_refusals);
}

/*
 * A batch of random copies among the pages, with bad ones between: Xen keeps the pages of a copy
 * for the next one, and drops them after a bad one. The model carries out the good copies in order.
 */
#define NR_COPIES 102 /* in a page */
#define SEED      UINT64_C(0x6772616e74636f70)

struct model {
    struct gnttab_copy op[NR_COPIES];
    int16_t expected[NR_COPIES];
};

/* Within one page source and target do not overlap: they are in different halves. */
static void draw_copy(const struct copies *c, struct gnttab_copy *op, int16_t *expected,
                      uint64_t *seed)
{
    uint64_t r = draw(seed);
    unsigned int from = r % NR_PAGES, to = r >> 8 & (NR_PAGES - 1), modes = r >> 16 & 3;
    unsigned int half = PAGE_SIZE / 2, len = (r >> 24 & 1023) + 1;

    *op = (struct gnttab_copy){
        .source = place(c, from, modes & GNTCOPY_source_gref, r >> 34 & 1023),
        .dest = place(c, to, modes & GNTCOPY_dest_gref, half + (r >> 44 & 1023)),
        .len = (uint16_t)len,
        .flags = (uint16_t)modes,
        .status = NO_STATUS,
    };
    *expected = GNTST_okay;
    if (r >> 54 & 3)
        return;
    *expected = GNTST_bad_page;
    if (r >> 56 & 1) {
        op->source = place(c, 0, true, 0), op->source.u.ref = REF_BAD;
        op->flags |= GNTCOPY_source_gref;
    } else if (r >> 57 & 1) {
        op->dest = place(c, 0, true, 0), op->dest.u.ref = REF_BAD;
        op->flags |= GNTCOPY_dest_gref;
    } else { /* the references and frames are good ones, but of no domain */
        op->flags |= GNTCOPY_source_gref | GNTCOPY_dest_gref;
        op->source = place(c, from, true, 0), op->dest = place(c, to, true, half);
        *(r >> 58 & 1 ? &op->source.domid : &op->dest.domid) = NO_DOMAIN;
        *expected = GNTST_bad_domain;
    }
}

static unsigned int page_of(const struct copies *c, const struct gnttab_copy_ptr *p, bool by_ref)
{
    for (unsigned int i = 0; i < NR_PAGES; i++)
        if (by_ref ? p->u.ref == REF_OF(i) : p->u.gmfn == c->spot[i].mfn.v)
            return i;
    return 0;
}

static void apply(const struct copies *c, uint8_t *image, const struct gnttab_copy *op)
{
    unsigned int from = page_of(c, &op->source, op->flags & GNTCOPY_source_gref);
    unsigned int to = page_of(c, &op->dest, op->flags & GNTCOPY_dest_gref);

    memmove(image + to * PAGE_SIZE + op->dest.offset, image + from * PAGE_SIZE + op->source.offset,
            op->len);
}

static void check_pages(struct copies *c, const uint8_t *image)
{
    struct test *t = c->g->fr.room.t;

    for (unsigned int i = 0; i < NR_PAGES * PAGE_SIZE; i++)
        if (c->page[i / PAGE_SIZE][i % PAGE_SIZE] != image[i]) {
            CHECK_EQ(
                c->page[i / PAGE_SIZE][i % PAGE_SIZE], image[i],
                "byte %lu of page %lu after a batch of random copies, seed 0x%lx, table version "
                "%u,",
                i % PAGE_SIZE, i / PAGE_SIZE, SEED, c->g->version);
            return;
        }
}

static void check_random(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct model *m = room_alloc(&g->fr.room, 2);
    uint8_t *image = room_alloc(&g->fr.room, NR_PAGES);
    uint64_t seed = SEED;
    struct copies c;

    copies_open(&c, g);
    for (unsigned int i = 0; i < NR_PAGES; i++)
        fill(c.page[i], 2 * i + 7);
    for (unsigned int round = 0; round < 4; round++) {
        for (unsigned int i = 0; i < NR_PAGES; i++)
            memcpy(image + i * PAGE_SIZE, c.page[i], PAGE_SIZE);
        for (unsigned int i = 0; i < NR_COPIES; i++) {
            draw_copy(&c, &m->op[i], &m->expected[i], &seed);
            if (m->expected[i] == GNTST_okay)
                apply(&c, image, &m->op[i]);
        }
        CHECK_RC(grant_copy(m->op, NR_COPIES), 0, "GNTTABOP_copy of %d random copies", NR_COPIES);
        for (unsigned int i = 0; i < NR_COPIES; i++)
            CHECK_GNTST(m->op[i].status, m->expected[i],
                        "GNTTABOP_copy of random copies, seed 0x%lx: copy %u", SEED, i);
        check_pages(&c, image);
    }
    copies_close(&c);
    room_free(&g->fr.room, image, NR_PAGES);
    room_free(&g->fr.room, m, 2);
}

TEST_RULE(
    abi_grant_copy_batch,
    "in a batch of random copies, good and bad, GNTTABOP_copy carries out the good ones in order")
{
    grant_room_each(t, ROOM_PAGES, check_random);
}
