/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_acquire_resource of <xen/memory.h>: the frames of another domain's grant table.
 *
 * Without these tests Xen could name other frames than those that were asked for, or a size that
 * the resource does not have. A toolstack would then map, and write, a wrong part of a guest's
 * table. "If the tools domain is PV then, upon return, frame_list will be populated with the MFNs
 * of the resource."
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/foreign_room.h"
#include "tests/guest/memory/extents.h"
#include "tests/guest/peer/peer_domain.h"

#define ROOM_PAGES  32
#define NR_FRAMES   1
#define NR_GRANTING 40 /* more than Xen names in one step, 32 */

static uint64_t mfns[NR_GRANTING + 1];

/* @nr may be 0: then the result is the size of the resource, in *@size. */
static long acquire(const struct peer *p, uint64_t frame, uint32_t nr, uint32_t *size)
{
    struct xen_mem_acquire_resource r = {
        .domid = p->id,
        .type = XENMEM_resource_grant_table,
        .id = XENMEM_resource_grant_table_id_shared,
        .frame = frame,
        .nr_frames = nr,
    };
    long rc;

    for (unsigned int i = 0; i < ARRAY_SIZE(mfns); i++)
        mfns[i] = UNWRITTEN;
    if (nr)
        set_xen_guest_handle(r.frame_list, mfns);
    rc = HYPERVISOR_memory_op(XENMEM_acquire_resource, &r);
    if (size)
        *size = r.nr_frames;
    return rc;
}

/* Xen 4.14 knows no size and names at most 32 frames in one call. */
static bool is_old(struct test *t)
{
    return t->d->host.major == 4 && t->d->host.minor < 15;
}

static void check_size(const struct peer *p, uint32_t expected)
{
    struct test *t = p->t;
    uint32_t size;

    CHECK_RC(acquire(p, 0, 0, &size), 0,
             "XENMEM_acquire_resource without a list, for the size of the grant table of domain %u",
             p->id);
    CHECK_EQ(size, expected, "size of the grant table of domain %u by XENMEM_acquire_resource",
             p->id);
}

/* The frame of the grant table, mapped at @s. */
static void check_frame_0(const struct peer *p, struct spot s)
{
    struct test *t = p->t;

    CHECK_RC(acquire(p, 0, 1, NULL), 0,
             "XENMEM_acquire_resource of frame 0 of the grant table of domain %u", p->id);
    CHECK_EQ(mfns[0], pt_mfn(&t->d->pt, s.va).v,
             "MFN of frame 0 of the grant table of domain %u by XENMEM_acquire_resource", p->id);
    CHECK_EQ(mfns[1], UNWRITTEN,
             "XENMEM_acquire_resource of one frame: entry behind the last one of the list");
}

/* Frames past the limit. The low half of most of these numbers is that of a frame which exists. */
static void check_refused(const struct peer *p)
{
    static const uint64_t frames[] = {PEER_GRANT_FRAMES, (uint64_t)1 << 32,
                                      (uint64_t)1 << 63, (uint64_t)UINT32_MAX << 32,
                                      UINT32_MAX,        UINT64_MAX};
    struct test *t = p->t;

    for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
        long rc = acquire(p, frames[i], 1, NULL);

        CHECK(rc < 0,
              "XENMEM_acquire_resource of frame 0x%lx of the grant table of domain %u, whose limit "
              "is %u frame: result is %ld, expected a negative errno",
              frames[i], p->id, PEER_GRANT_FRAMES, rc);
        CHECK_EQ(mfns[0], UNWRITTEN,
                 "XENMEM_acquire_resource of frame 0x%lx of a grant table: list entry 0",
                 frames[i]);
    }
}

/* The peer's grant table has version 1, and so no status frames. */
static void check_no_status(const struct peer *p)
{
    struct xen_mem_acquire_resource r = {
        .domid = p->id,
        .type = XENMEM_resource_grant_table,
        .id = XENMEM_resource_grant_table_id_status,
        .nr_frames = 1,
    };
    struct test *t = p->t;

    set_xen_guest_handle(r.frame_list, mfns);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_acquire_resource, &r), -EINVAL,
             "XENMEM_acquire_resource of a status frame of domain %u, whose grant table has "
             "version 1",
             p->id);
}

TEST_RULE(abi_peer_resource,
          "XENMEM_acquire_resource names the frame of a grant table, and refuses frames past it")
{
    struct spot s;
    struct peer p;

    if (!has_grant_table(t) || !peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    s = room_spot(&p.room);
    if (peer_map_grant_table(&p, s)) {
        check_frame_0(&p, s);
        if (!is_old(t))
            check_size(&p, PEER_GRANT_FRAMES);
        check_refused(&p);
        check_no_status(&p);
        peer_unmap(&p, s);
    }
    room_drop(&p.room, s);
    peer_close(&p);
}

/* Each frame of a large list is the one that Xen names alone. */
static void check_list(const struct peer *p)
{
    uint64_t list[NR_GRANTING];
    struct test *t = p->t;

    CHECK_RC(acquire(p, 0, NR_GRANTING, NULL), 0,
             "XENMEM_acquire_resource of %d frames of the grant table of domain %u", NR_GRANTING,
             p->id);
    CHECK_EQ(mfns[NR_GRANTING], UNWRITTEN,
             "XENMEM_acquire_resource of %d frames: entry behind the last one of the list",
             NR_GRANTING);
    for (unsigned int i = 0; i < NR_GRANTING; i++)
        list[i] = mfns[i];
    for (unsigned int i = 0; i < NR_GRANTING; i++) {
        CHECK_RC(acquire(p, i, 1, NULL), 0,
                 "XENMEM_acquire_resource of frame %u of the grant table of domain %u", i, p->id);
        CHECK_EQ(list[i], mfns[0],
                 "MFN of frame %u of a grant table by XENMEM_acquire_resource of %d frames", i,
                 NR_GRANTING);
        CHECK(!i || list[i] != list[i - 1],
              "frames %u and %u of a grant table by XENMEM_acquire_resource are both MFN 0x%lx, "
              "expected two MFNs",
              i - 1, i, list[i]);
    }
}

TEST_RULE(abi_peer_resource_list,
          "XENMEM_acquire_resource of 40 frames of a grant table names each of them once, in order")
{
    struct peer p;

    if (is_old(t)) {
        test_skip(
            t,
            "XENMEM_acquire_resource of Xen before 4.15 names at most 32 frames, the test needs %d",
            NR_GRANTING);
        return;
    }
    if (!has_grant_table(t) || !peer_open_granting(&p, t, NR_FRAMES, ROOM_PAGES, NR_GRANTING))
        return;
    check_size(&p, NR_GRANTING);
    check_list(&p);
    peer_close(&p);
}
