/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_grant_table_op itself (<xen/grant_table.h>): commands, counts, and arrays of
 * operations that Xen cannot read or write to the end.
 *
 * Without these tests Xen could leave an operation half done that it began before it found the end
 * of the memory: a page that is unmapped, but in use for ever, or a status that is not written.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/grants/grant_steps.h"

#define REF        GRANT_FIRST
#define ROOM_PAGES 40
#define NR         3 /* operations up to the end of the page */
#define HOST       GNTMAP_host_map
#define BAD        ((void *)HYPERVISOR_VIRT_START)

static const struct {
    const char *what;
    unsigned int cmd, nr;
    bool bad_pointer;
    int expected;
} calls[] = {
    {"unknown command 13",                     13,                         1,          false, -ENOSYS},
    {"unknown command 0xfff",                  0xfff,                      1,          false, -ENOSYS},
    {"command with a bit of a continuation",   GNTTABOP_copy | 1U << 12,   0,          false, -EINVAL},
    {"map, 0 requests",                        GNTTABOP_map_grant_ref,     0,          false, 0      },
    {"unmap, 0 requests",                      GNTTABOP_unmap_grant_ref,   0,          false, 0      },
    {"unmap_and_replace, 0 requests",          GNTTABOP_unmap_and_replace, 0,          false, 0      },
    {"copy, 0 requests",                       GNTTABOP_copy,              0,          false, 0      },
    {"swap_grant_ref, 0 requests",             GNTTABOP_swap_grant_ref,    0,          false, 0      },
    {"setup_table, 0 requests",                GNTTABOP_setup_table,       0,          false, -EINVAL},
    {"setup_table, 2 requests",                GNTTABOP_setup_table,       2,          false, -EINVAL},
    {"query_size, 2 requests",                 GNTTABOP_query_size,        2,          false, -EINVAL},
    {"get_status_frames, 2 requests",          GNTTABOP_get_status_frames, 2,          false, -EINVAL},
    {"map, 2^31 requests",                     GNTTABOP_map_grant_ref,     1U << 31,   false, -EINVAL},
    {"copy, 2^32 - 1 requests",                GNTTABOP_copy,              UINT32_MAX, false, -EINVAL},
    {"map, array in Xen's area",               GNTTABOP_map_grant_ref,     1,          true,  -EFAULT},
    {"unmap, array in Xen's area",             GNTTABOP_unmap_grant_ref,   1,          true,  -EFAULT},
    {"unmap_and_replace, array in Xen's area", GNTTABOP_unmap_and_replace, 1,          true,  -EFAULT},
    {"copy, array in Xen's area",              GNTTABOP_copy,              1,          true,  -EFAULT},
    {"swap_grant_ref, array in Xen's area",    GNTTABOP_swap_grant_ref,    1,          true,  -EFAULT},
    {"setup_table, argument in Xen's area",    GNTTABOP_setup_table,       1,          true,  -EFAULT},
    {"query_size, argument in Xen's area",     GNTTABOP_query_size,        1,          true,  -EFAULT},
    {"cache_flush, array in Xen's area",       GNTTABOP_cache_flush,       1,          true,  -EFAULT},
    {"get_version, argument in Xen's area",    GNTTABOP_get_version,       1,          true,  -EFAULT},
};

static void check_calls(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    uint8_t *page = room_alloc(&g->fr.room, 1);

    for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
        CHECK_RC(
            HYPERVISOR_grant_table_op(calls[i].cmd, calls[i].bad_pointer ? BAD : page, calls[i].nr),
            calls[i].expected, "HYPERVISOR_grant_table_op, %s", calls[i].what);
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        if (page[i]) {
            CHECK_EQ(page[i], 0,
                     "byte %u of the array after HYPERVISOR_grant_table_op refused all operations",
                     i);
            break;
        }
    room_free(&g->fr.room, page, 1);
}

TEST_RULE(abi_grant_commands,
          "HYPERVISOR_grant_table_op refuses unknown commands, bad counts and addresses of Xen")
{
    grant_room_each(t, ROOM_PAGES, check_calls);
}

/* A page of operations, with an unmapped page behind it. */
struct edge {
    struct grant_room *g;
    uint8_t *page;
    struct spot frame, at[NR];
    grant_handle_t handle[NR];
};

static void edge_open(struct edge *e, struct grant_room *g)
{
    e->g = g;
    e->page = room_alloc(&g->fr.room, 1);
    e->frame = room_spot(&g->fr.room);
    for (unsigned int i = 0; i < NR; i++)
        e->at[i] = room_spot(&g->fr.room);
    grant_give(g, REF, e->frame.mfn, false);
}

static void edge_close(struct edge *e)
{
    struct room *r = &e->g->fr.room;

    for (unsigned int i = 0; i < NR; i++) {
        grant_check_no_pte(e->g, e->at[i].va, "after all unmaps");
        grant_drop(e->g, e->at[i]);
    }
    grant_check_marks(e->g, REF, 0, "after all unmaps");
    grant_check_untyped(e->g, e->frame.mfn, "after all unmaps");
    grant_drop(e->g, e->frame);
    room_free(r, e->page, 1);
}

/* Where @nr operations of @len_bytes end with the page. */
static void *at_end(const struct edge *e, unsigned int nr, size_t len_bytes)
{
    return e->page + PAGE_SIZE - nr * len_bytes;
}

/* Asks for one mapping more than the page holds. Returns the number of those that Xen made. */
static unsigned int map_to_edge(struct edge *e)
{
    struct test *t = e->g->fr.room.t;
    struct gnttab_map_grant_ref *op = at_end(e, NR, sizeof(*op));
    unsigned int nr = 0;

    for (unsigned int i = 0; i < NR; i++)
        op[i] = (struct gnttab_map_grant_ref){.host_addr = e->at[i].va,
                                              .flags = HOST,
                                              .ref = REF,
                                              .dom = e->g->fr.self,
                                              .status = NO_STATUS};
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, op, NR + 1), -EFAULT,
             "GNTTABOP_map_grant_ref of %d requests, the last one not readable", NR + 1);
    for (; nr < NR && op[nr].status == GNTST_okay; nr++)
        e->handle[nr] = op[nr].handle;
    CHECK_EQ(nr, NR, "number of grants mapped by the readable requests");
    grant_check_marks(e->g, REF, nr ? GRANT_WRITE : 0, "grants mapped by the readable requests");
    return nr;
}

_Static_assert(offsetof(struct gnttab_unmap_and_replace, handle) ==
                       offsetof(struct gnttab_unmap_grant_ref, handle) &&
                   offsetof(struct gnttab_unmap_and_replace, status) ==
                       offsetof(struct gnttab_unmap_grant_ref, status),
               "GNTTABOP_unmap_and_replace with new_addr 0 has the layout of an unmap");

/* Asks by @cmd for one unmap more than the page holds: those before are complete. */
static void unmap_by(struct edge *e, unsigned int nr, unsigned int cmd, const char *name)
{
    struct test *t = e->g->fr.room.t;
    struct gnttab_unmap_grant_ref *op = at_end(e, nr, sizeof(*op));

    for (unsigned int i = 0; i < nr; i++)
        op[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = e->at[i].va, .handle = e->handle[i], .status = NO_STATUS};
    CHECK_RC(HYPERVISOR_grant_table_op(cmd, op, nr + 1), -EFAULT,
             "%s of %u requests, the last one not readable", name, nr + 1);
    for (unsigned int i = 0; i < nr; i++)
        CHECK_GNTST(op[i].status, GNTST_okay, "%s: readable request %u", name, i);
}

static void unmap_to_edge(struct edge *e, unsigned int nr)
{
    unmap_by(e, nr, GNTTABOP_unmap_grant_ref, "GNTTABOP_unmap_grant_ref");
}

static void replace_to_edge(struct edge *e, unsigned int nr)
{
    unmap_by(e, nr, GNTTABOP_unmap_and_replace, "GNTTABOP_unmap_and_replace");
}

/* Xen reads the operations, but cannot write their statuses: the first one is complete. */
static void unmap_readonly(struct edge *e, unsigned int nr)
{
    struct test *t = e->g->fr.room.t;
    struct gnttab_unmap_grant_ref *op = at_end(e, nr, sizeof(*op));
    uintptr_t va = (uintptr_t)e->page;

    for (unsigned int i = 0; i < nr; i++)
        op[i] = (struct gnttab_unmap_grant_ref){.host_addr = e->at[i].va, .handle = e->handle[i]};
    CHECK_RC(pt_protect(&e->g->fr.room.pt, va, va + PAGE_SIZE, PTE_RO), 0,
             "pt_protect of 0x%lx, read-only", va);
    for (unsigned int i = 0; i < nr; i++) {
        CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op[i], 1), -EFAULT,
                 "GNTTABOP_unmap_grant_ref, request %u in a read-only page", i);
        grant_check_no_pte(e->g, e->at[i].va, "unmapped by a request in a read-only page");
    }
    CHECK_RC(pt_protect(&e->g->fr.room.pt, va, va + PAGE_SIZE, PTE_RW), 0,
             "pt_protect of 0x%lx, writable", va);
}

/* The copies before the one that Xen cannot read are done, and leave nothing in use. */
static void copy_to_edge(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct gnttab_copy *op;
    struct edge e;

    edge_open(&e, g);
    op = at_end(&e, NR, sizeof(*op));
    for (unsigned int i = 0; i < NR; i++)
        op[i] = (struct gnttab_copy){
            .source = {.u.ref = REF,            .domid = g->fr.self},
            .dest = {.u.gmfn = e.at[i].mfn.v, .domid = DOMID_SELF},
            .len = 8,
            .flags = GNTCOPY_source_gref,
            .status = NO_STATUS,
        };
    CHECK_RC(grant_copy(op, NR + 1), -EFAULT,
             "GNTTABOP_copy of %d requests, the last one not readable", NR + 1);
    for (unsigned int i = 0; i < NR; i++)
        CHECK_GNTST(op[i].status, GNTST_okay, "GNTTABOP_copy: readable request %u", i);
    edge_close(&e);
}

static void check_edge(struct grant_room *g)
{
    static void (*const unmap[])(struct edge * e, unsigned int nr) = {unmap_to_edge, unmap_readonly,
                                                                      replace_to_edge};
    struct edge e;

    for (unsigned int i = 0; i < ARRAY_SIZE(unmap); i++) {
        edge_open(&e, g);
        unmap[i](&e, map_to_edge(&e));
        edge_close(&e);
    }
    copy_to_edge(g);
}

TEST_RULE(abi_grant_edge, "grant operations up to the first one that Xen cannot read are complete")
{
    grant_room_each(t, ROOM_PAGES, check_edge);
}

/* Good requests behind a bad one: of a bad frame or of address 0, of which Xen logs nothing. */
#define NR_MIXED 96 /* three batches of unmaps, between which Xen flushes the TLB */

static void check_mixed(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    struct foreign_range *r = foreign_room_range(&g->fr, FOREIGN_GRANT, g->fr.self, NR_MIXED);
    struct gnttab_map_grant_ref *map = room_alloc(&g->fr.room, 1);
    struct gnttab_unmap_grant_ref *unmap = room_alloc(&g->fr.room, 1);
    struct spot frame = room_spot(&g->fr.room);
    unsigned int nr = 0;

    grant_give(g, REF, frame.mfn, false);
    grant_give(g, REF + 1, grant_no_frame(g), false);
    for (unsigned int i = 0; i < NR_MIXED; i++)
        map[i] = (struct gnttab_map_grant_ref){.host_addr = foreign_va(r, i),
                                               .flags = HOST,
                                               .ref = REF + (i % 3 == 1),
                                               .dom = g->fr.self,
                                               .status = NO_STATUS};
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, map, NR_MIXED), 0,
             "GNTTABOP_map_grant_ref of %d grants, a third of them of a bad frame", NR_MIXED);
    for (unsigned int i = 0; i < NR_MIXED; i++) {
        CHECK_GNTST(map[i].status, i % 3 == 1 ? GNTST_bad_page : GNTST_okay,
                    "GNTTABOP_map_grant_ref of good grants and bad ones: request %u", i);
        if (map[i].status == GNTST_okay)
            unmap[nr++] = (struct gnttab_unmap_grant_ref){
                .host_addr = map[i].host_addr, .handle = map[i].handle, .status = NO_STATUS};
    }
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, unmap, nr), 0,
             "GNTTABOP_unmap_grant_ref of %u mappings", nr);
    for (unsigned int i = 0; i < nr; i++) {
        CHECK_GNTST(unmap[i].status, GNTST_okay, "GNTTABOP_unmap_grant_ref: request %u", i);
        grant_check_no_pte(g, unmap[i].host_addr, "unmapped in a batch");
    }
    grant_check_marks(g, REF, 0, "all unmapped in a batch");
    grant_check_marks(g, REF + 1, 0, "bad frame refused in a batch");
    grant_check_untyped(g, frame.mfn, "all unmapped in a batch");
    grant_drop(g, frame);
    room_free(&g->fr.room, unmap, 1);
    room_free(&g->fr.room, map, 1);
    foreign_room_drop(&g->fr, r);
}

TEST_RULE(abi_grant_mixed, "a bad request in a batch changes the result of no other request")
{
    grant_room_each(t, ROOM_PAGES, check_mixed);
}
