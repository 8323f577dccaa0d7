/* SPDX-License-Identifier: MIT */
/*
 * The use marks of a grant: GTF_reading and GTF_writing in the entry (version 1) or in the status
 * word (version 2) of <xen/grant_table.h>. The granter may take a page back when they are clear.
 *
 * Without these tests Xen could clear a mark while a mapping is left. Then the granter reuses a
 * page that the grantee can still write to. (XSA-230: "grant_table: possibly premature clearing of
 * GTF_writing / GTF_reading".) If Xen did not clear a mark, no grant would ever end.
 */
#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 40
#define NR_KINDS   4 /* of mappings, which one test makes of one grant */
#define HOST       GNTMAP_host_map
#define DEVICE     GNTMAP_device_map
#define RO         GNTMAP_readonly

/* Mappings of one grant, one of each kind. A device mapping has no address. */
static const struct {
    const char *what;
    uint32_t flags;
} kinds[NR_KINDS] = {
    {"read-only host mapping",   HOST | RO  },
    {"writable host mapping",    HOST       },
    {"read-only device mapping", DEVICE | RO},
    {"writable device mapping",  DEVICE     },
};

/* The orders in which @NR_KINDS mappings are made, and in which they are removed. */
static const uint8_t orders[][NR_KINDS] = {
    {0, 1, 2, 3},
    {3, 2, 1, 0},
    {1, 0, 3, 2},
    {2, 3, 0, 1},
    {1, 3, 0, 2},
    {0, 2, 1, 3},
};

/* The marks that belong to the kinds in the bit set @mapped. */
static uint16_t marks_of(unsigned int mapped)
{
    bool writable = false;

    for (unsigned int k = 0; k < NR_KINDS; k++)
        writable |= mapped >> k & 1 && !(kinds[k].flags & RO);
    return !mapped ? 0 : writable ? GRANT_WRITE : GRANT_READ;
}

struct marked {
    struct grant_room *g;
    struct spot frame, source, at[NR_KINDS];
    struct grant_mapping m[NR_KINDS];
    unsigned int mapped; /* bit set of kinds */
};

/* A copy in either direction leaves the marks of the mappings. */
static void copy_both_ways(struct marked *a)
{
    struct grant_room *g = a->g;
    struct test *t = g->fr.room.t;

    CHECK_GNTST(grant_copy_from(g, REF, a->source.mfn), GNTST_okay, "GNTTABOP_copy from a grant");
    grant_check_marks(g, REF, marks_of(a->mapped), "after a copy from a grant");
    CHECK_GNTST(grant_copy_to(g, a->source.mfn, REF), GNTST_okay, "GNTTABOP_copy to a grant");
    grant_check_marks(g, REF, marks_of(a->mapped), "after a copy to a grant");
}

static void map_kind(struct marked *a, unsigned int k)
{
    a->m[k] = (struct grant_mapping){.addr = a->at[k].va, .flags = kinds[k].flags, .ref = REF};
    if (grant_must_map(a->g, &a->m[k], kinds[k].what))
        a->mapped |= 1U << k;
    grant_check_marks(a->g, REF, marks_of(a->mapped), "after one more mapping of a grant");
}

static void unmap_kind(struct marked *a, unsigned int k)
{
    if (!(a->mapped >> k & 1))
        return;
    grant_must_unmap(a->g, &a->m[k], kinds[k].what);
    a->mapped &= ~(1U << k);
    grant_check_marks(a->g, REF, marks_of(a->mapped), "after one mapping less of a grant");
}

static void check_orders(struct grant_room *g)
{
    struct room *r = &g->fr.room;
    struct marked a = {.g = g, .frame = room_spot(r), .source = room_spot(r)};

    for (unsigned int k = 0; k < NR_KINDS; k++)
        a.at[k] = room_spot(r);
    grant_give(g, REF, a.frame.mfn, false);
    for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++)
        for (unsigned int j = 0; j < ARRAY_SIZE(orders); j++) {
            for (unsigned int k = 0; k < NR_KINDS; k++) {
                map_kind(&a, orders[i][k]);
                if (i == j)
                    copy_both_ways(&a);
            }
            for (unsigned int k = 0; k < NR_KINDS; k++)
                unmap_kind(&a, orders[j][k]);
        }
    grant_check_untyped(g, a.frame.mfn, "after the unmap of all mappings, in several orders");
    for (unsigned int k = 0; k < NR_KINDS; k++)
        grant_drop(g, a.at[k]);
    grant_drop(g, a.source);
    grant_drop(g, a.frame);
}

TEST_RULE(abi_grant_marks, "Xen clears GTF_writing with the last writable mapping of a grant, and "
                           "GTF_reading with the last one (XSA-230)")
{
    grant_room_each(t, ROOM_PAGES, check_orders);
}

/*
 * Xen counts up to 128 mappings of a kind, and then refuses (in act->pin of common/grant_table.c,
 * a counter has 8 bits). A counter that overflowed would clear the marks too early.
 */
#define MAX_MAPPINGS 128

/*
 * Maps the grant as often as Xen can count, in the first version once more. Returns the number of
 * mappings, which are the first requests at @map then.
 */
static unsigned int map_many(struct grant_room *g, struct gnttab_map_grant_ref *map, uint64_t va)
{
    struct test *t = g->fr.room.t;
    unsigned int nr = 0, tried = MAX_MAPPINGS + g->first;

    for (unsigned int i = 0; i < tried; i++)
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = va + i * PAGE_SIZE,
            .flags = HOST | RO,
            .ref = REF,
            .dom = g->fr.self,
            .status = NO_STATUS,
        };
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, map, tried), 0,
             "GNTTABOP_map_grant_ref of %u mappings of one grant", tried);
    for (unsigned int i = 0; i < tried; i++) {
        CHECK_GNTST(map[i].status, i < MAX_MAPPINGS ? GNTST_okay : GNTST_general_error,
                    "GNTTABOP_map_grant_ref: mapping %u (from 0) of one grant", i);
        if (map[i].status == GNTST_okay)
            map[nr++] = map[i];
    }
    return nr;
}

static void check_handles(struct test *t, const struct gnttab_map_grant_ref *map, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        for (unsigned int j = 0; j < i; j++)
            CHECK(map[i].handle != map[j].handle,
                  "mappings %u and %u of a grant have the same handle 0x%x, expected two handles",
                  j, i, map[i].handle);
}

static void check_count(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    uint64_t nr_pages =
        DIV_ROUND_UP((MAX_MAPPINGS + 1) * sizeof(struct gnttab_map_grant_ref), PAGE_SIZE);
    struct gnttab_map_grant_ref *map = room_alloc(&g->fr.room, nr_pages);
    struct foreign_range *r =
        foreign_room_range(&g->fr, FOREIGN_GRANT, g->fr.self, MAX_MAPPINGS + 1);
    struct spot frame = room_spot(&g->fr.room);
    unsigned int nr;

    grant_give(g, REF, frame.mfn, false);
    nr = map_many(g, map, foreign_va(r, 0));
    check_handles(t, map, nr);
    for (unsigned int i = 0; i < nr; i++) {
        CHECK_GNTST(grant_unmap_at(g, map[i].host_addr, 0, map[i].handle), GNTST_okay,
                    "GNTTABOP_unmap_grant_ref of mapping %u of %u of one grant", i, nr);
        grant_check_marks(g, REF, i + 1 < nr ? GRANT_READ : 0, "some mappings of a grant removed");
    }
    grant_drop(g, frame);
    foreign_room_drop(&g->fr, r);
    room_free(&g->fr.room, map, nr_pages);
}

TEST_RULE(abi_grant_count,
          "Xen counts 128 mappings of a grant, and refuses one that it cannot count")
{
    grant_room_each(t, ROOM_PAGES, check_count);
}
