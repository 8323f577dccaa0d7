/* SPDX-License-Identifier: MIT */
/*
 * Thousands of grant operations in one hypercall, which Xen preempts for a timer and continues.
 *
 * Without these tests Xen could skip operations, whose statuses then are what the caller left there
 * (XSA-318: "Bad continuation handling in GNTTABOP_copy"), carry them out twice, or run on past the
 * last one. (abi_mmu_update.c does the same with mmu_update.)
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"
#include "tests/guest/preemption.h"

#define MAX_TRIES   100 /* hypercalls made until Xen is seen to preempt one */
#define MAX_AT_END  5
#define NR_COPIES   2000 /* a multiple of 4                                  */
#define NR_MAPPINGS 1024
#define NR_BEHIND   8 /* operations behind the last one, which Xen must not touch */
#define PER_REF     64
#define REF_A       GRANT_FIRST
#define REF_B       (GRANT_FIRST + 1)
#define HOST        GNTMAP_host_map
#define RO          GNTMAP_readonly

/* Hypercalls of one kind until now. */
struct tries {
    const char *what;
    unsigned int nr, at_end;
    bool preempted;
};

static void note_try(struct tries *tries)
{
    enum upcall seen = preemption_seen();

    tries->nr++;
    tries->at_end += seen == UPCALL_AT_END;
    tries->preempted |= seen == UPCALL_PREEMPTED;
}

/* Has the test seen enough? */
static bool is_done(const struct test *t, const struct tries *tries)
{
    return t->result != TEST_SUCCESS || tries->preempted || tries->at_end == MAX_AT_END ||
           tries->nr == MAX_TRIES;
}

/* A timer that fires at the very end of a hypercall is no fault of Xen, unless it always does. */
static void check_preempted(struct test *t, const struct tries *tries)
{
    CHECK(
        tries->preempted || tries->at_end < MAX_AT_END,
        "a 1 ms timer fired during %u hypercalls of many %s, and Xen preempted 0 of them, expected "
        "at least 1",
        tries->at_end, tries->what);
    if (!tries->preempted && tries->at_end < MAX_AT_END && t->result == TEST_SUCCESS)
        test_skip(t, "a 1 ms timer fired during none of %u hypercalls of many %s", tries->nr,
                  tries->what);
}

static long under_timer(const struct test *t, unsigned int cmd, void *ops, unsigned int nr)
{
    long rc;

    preemption_let_in(t);
    rc = HYPERVISOR_grant_table_op(cmd, ops, nr);
    preemption_keep_out(t);
    return rc;
}

/*
 * Four copies rotate three blocks of page A, with the help of page B: b0 -> spare, b1 -> b0,
 * b2 -> b1, spare -> b2. A group that is skipped or done twice changes the blocks' final places.
 */
#define BLOCK 1024

static void fill_rotation(const struct grant_room *g, struct gnttab_copy *op, unsigned int nr)
{
    static const struct {
        uint32_t from_ref, from, to_ref, to;
    } step[4] = {
        {REF_A, 0,         REF_B, 0        },
        {REF_A, BLOCK,     REF_A, 0        },
        {REF_A, 2 * BLOCK, REF_A, BLOCK    },
        {REF_B, 0,         REF_A, 2 * BLOCK},
    };

    for (unsigned int i = 0; i < nr; i++)
        op[i] = (struct gnttab_copy){
            .source = {.u.ref = step[i % 4].from_ref,
                       .domid = g->fr.self,
                       .offset = (uint16_t)step[i % 4].from},
            .dest = {.u.ref = step[i % 4].to_ref,
                       .domid = g->fr.self,
                       .offset = (uint16_t)step[i % 4].to  },
            .len = BLOCK,
            .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
            .status = NO_STATUS,
        };
}

static void check_copies(struct test *t, const struct gnttab_copy *op, const uint8_t *a,
                         unsigned int start)
{
    unsigned int wrong = 0, first = 0;

    for (unsigned int i = 0; i < NR_COPIES + NR_BEHIND; i++)
        if (op[i].status != (i < NR_COPIES ? GNTST_okay : NO_STATUS) && !wrong++)
            first = i;
    CHECK(!wrong,
          "GNTTABOP_copy of %d copies that Xen may preempt: %u statuses are wrong, the first of "
          "copy %u: %d, expected %d",
          NR_COPIES, wrong, first, op[first].status, first < NR_COPIES ? GNTST_okay : NO_STATUS);
    for (unsigned int b = 0; b < 3; b++)
        CHECK_EQ(a[b * BLOCK], 1 + (start + NR_COPIES / 4 + b) % 3,
                 "block %u after %d rotations of three blocks by GNTTABOP_copy", b, NR_COPIES / 4);
}

static void try_copies(struct grant_room *g, struct gnttab_copy *op, uint8_t *a)
{
    struct test *t = g->fr.room.t;
    struct tries tries = {.what = "copies"};
    unsigned int start = 0;

    for (unsigned int b = 0; b < 3; b++)
        memset(a + b * BLOCK, (int)(1 + b), BLOCK);
    do {
        fill_rotation(g, op, NR_COPIES + NR_BEHIND);
        CHECK_RC(under_timer(t, GNTTABOP_copy, op, NR_COPIES), 0, "GNTTABOP_copy of %d copies",
                 NR_COPIES);
        note_try(&tries);
        check_copies(t, op, a, start);
        start = (start + NR_COPIES / 4) % 3;
    } while (!is_done(t, &tries));
    check_preempted(t, &tries);
}

#define COPY_PAGES DIV_ROUND_UP((NR_COPIES + NR_BEHIND) * sizeof(struct gnttab_copy), PAGE_SIZE)

static struct grant_room room; /* of either test */

TEST_RULE(abi_grant_copy_preempt,
          "Xen carries out each copy of a large GNTTABOP_copy that Xen preempts, once (XSA-318)")
{
    struct grant_room *g = &room;
    struct spot a, b;
    void *op;

    if (!grant_room_open(g, t, COPY_PAGES + 24))
        return;
    op = room_alloc(&g->fr.room, COPY_PAGES);
    (void)grant_page(g, &a);
    (void)grant_page(g, &b);
    grant_give(g, REF_A, a.mfn, false);
    grant_give(g, REF_B, b.mfn, false);
    preemption_start(t);
    try_copies(g, op, (uint8_t *)a.va);
    preemption_stop(t);
    grant_check_marks(g, REF_A, 0, "after preempted copies");
    grant_check_marks(g, REF_B, 0, "after preempted copies");
    grant_page_drop(g, b);
    grant_page_drop(g, a);
    room_free(&g->fr.room, op, COPY_PAGES);
    grant_room_close(g);
}

/* The requests of a test, and one bit for each handle below NR_HANDLES. */
#define NR_HANDLES 65536

struct requests {
    struct gnttab_map_grant_ref map[NR_MAPPINGS + NR_BEHIND];
    struct gnttab_unmap_grant_ref unmap[NR_MAPPINGS + NR_BEHIND];
    uint8_t handles[NR_HANDLES / 8];
};

#define REQUEST_PAGES DIV_ROUND_UP(sizeof(struct requests), PAGE_SIZE)

static void fill_requests(const struct grant_room *g, struct requests *q, uint64_t va)
{
    memset(q->handles, 0, sizeof(q->handles));
    for (unsigned int i = 0; i < NR_MAPPINGS + NR_BEHIND; i++)
        q->map[i] = (struct gnttab_map_grant_ref){
            .host_addr = va + i % NR_MAPPINGS * PAGE_SIZE,
            .flags = HOST | RO,
            .ref = GRANT_FIRST + i % NR_MAPPINGS / PER_REF,
            .dom = g->fr.self,
            .status = NO_STATUS,
        };
}

/* Returns false if Xen has no room to record the mappings. */
static bool check_mapped(struct grant_room *g, struct requests *q, mfn_t mfn)
{
    struct test *t = g->fr.room.t;

    for (unsigned int i = 0; i < NR_MAPPINGS + NR_BEHIND; i++) {
        const struct gnttab_map_grant_ref *op = &q->map[i];
        unsigned int h = op->handle % NR_HANDLES;

        q->unmap[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = op->host_addr, .handle = op->handle, .status = NO_STATUS};
        if (op->status == GNTST_no_space)
            return false;
        CHECK_GNTST(op->status, i < NR_MAPPINGS ? GNTST_okay : NO_STATUS,
                    "GNTTABOP_map_grant_ref of %d grants that Xen may preempt: request %u",
                    NR_MAPPINGS, i);
        if (i >= NR_MAPPINGS)
            continue;
        CHECK(!(q->handles[h / 8] >> h % 8 & 1),
              "GNTTABOP_map_grant_ref of %d grants: request %u got handle 0x%x, that of another "
              "request",
              NR_MAPPINGS, i, op->handle);
        q->handles[h / 8] |= (uint8_t)(1U << h % 8);
        if (i % 32 == 0)
            CHECK(mfn_eq(pte_mfn(grant_pte(g, op->host_addr)), mfn),
                  "GNTTABOP_map_grant_ref of %d grants: PTE of request %u is 0x%lx, expected MFN "
                  "0x%lx",
                  NR_MAPPINGS, i, grant_pte(g, op->host_addr), mfn.v);
    }
    return true;
}

static void check_unmapped(struct grant_room *g, const struct requests *q)
{
    struct test *t = g->fr.room.t;

    for (unsigned int i = 0; i < NR_MAPPINGS + NR_BEHIND; i++) {
        CHECK_GNTST(q->unmap[i].status, i < NR_MAPPINGS ? GNTST_okay : NO_STATUS,
                    "GNTTABOP_unmap_grant_ref of %d mappings that Xen may preempt: request %u",
                    NR_MAPPINGS, i);
        if (i < NR_MAPPINGS && i % PER_REF == 0)
            grant_check_marks(g, q->map[i].ref, 0, "after many unmaps");
        if (i < NR_MAPPINGS && i % 32 == 0)
            grant_check_no_pte(g, q->unmap[i].host_addr, "after many unmaps");
    }
}

/* Unmaps what is mapped, if Xen could not map all. */
static void unmap_some(struct test *t, struct requests *q)
{
    for (unsigned int i = 0; i < NR_MAPPINGS; i++)
        if (q->map[i].status == GNTST_okay)
            CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &q->unmap[i], 1), 0,
                     "GNTTABOP_unmap_grant_ref");
}

static void try_mappings(struct grant_room *g, struct requests *q, uint64_t va, mfn_t mfn)
{
    struct test *t = g->fr.room.t;
    struct tries maps = {.what = "maps"}, unmaps = {.what = "unmaps"};

    do {
        fill_requests(g, q, va);
        CHECK_RC(under_timer(t, GNTTABOP_map_grant_ref, q->map, NR_MAPPINGS), 0,
                 "GNTTABOP_map_grant_ref of %d grants", NR_MAPPINGS);
        note_try(&maps);
        if (!check_mapped(g, q, mfn)) {
            test_skip(t, "Xen cannot record %d grant mappings (GNTST_no_space)", NR_MAPPINGS);
            unmap_some(t, q);
            return;
        }
        CHECK_RC(under_timer(t, GNTTABOP_unmap_grant_ref, q->unmap, NR_MAPPINGS), 0,
                 "GNTTABOP_unmap_grant_ref of %d mappings", NR_MAPPINGS);
        note_try(&unmaps);
        check_unmapped(g, q);
    } while (!is_done(t, &maps) || !is_done(t, &unmaps));
    check_preempted(t, &maps);
    check_preempted(t, &unmaps);
}

TEST_RULE(abi_grant_map_preempt,
          "Xen carries out each of 1024 maps and unmaps in a hypercall that Xen preempts, once")
{
    struct grant_room *g = &room;
    struct foreign_range *r;
    struct requests *q;
    struct spot frame;

    if (!grant_room_open(g, t, REQUEST_PAGES + 32))
        return;
    q = room_alloc(&g->fr.room, REQUEST_PAGES);
    r = foreign_room_range(&g->fr, FOREIGN_GRANT, g->fr.self, NR_MAPPINGS);
    frame = room_spot(&g->fr.room);
    for (uint32_t i = 0; i < NR_MAPPINGS / PER_REF; i++)
        grant_give(g, GRANT_FIRST + i, frame.mfn, true);
    preemption_start(t);
    try_mappings(g, q, foreign_va(r, 0), frame.mfn);
    preemption_stop(t);
    grant_check_untyped(g, frame.mfn, "after preempted unmaps");
    grant_drop(g, frame);
    foreign_room_drop(&g->fr, r);
    room_free(&g->fr.room, q, REQUEST_PAGES);
    grant_room_close(g);
}
