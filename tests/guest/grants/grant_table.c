/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a guest would work until it grants its 505th page, or it would cut off its
 * own console. Xen gives the grant table frame by frame, up to a limit that the toolstack sets
 * (max_grant_frames). The first eight entries are reserved (<xen/grant_table.h>,
 * GNTTAB_NR_RESERVED_ENTRIES): the toolstack fills two of them, for the rings of console and
 * xenstore, and no frontend may use or end them.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/watchdog.h"

#include "tests/guest/foreign_room.h"

/* The table grows to this many frames only: Xen takes none back, and tests may run many times. */
#define GROWN_FRAMES 2

/* Flags of an entry that Xen sets and clears while the grant is in use. */
#define IN_USE (GTF_reading | GTF_writing)

/* The reserved entries, without the flags in IN_USE. */
struct reserved {
    uint64_t entries[GNTTAB_NR_RESERVED_ENTRIES][2];
};

static void read_reserved(const struct grants *g, struct reserved *r)
{
    const volatile uint64_t *table = (const uint64_t *)(uintptr_t)foreign_va(g->table, 0);
    unsigned int words = g->version; /* of 8 bytes, in an entry */

    memset(r, 0, sizeof(*r));
    for (unsigned int i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++)
        for (unsigned int w = 0; w < words; w++)
            r->entries[i][w] = table[i * words + w] & ~(uint64_t)(w ? 0 : IN_USE);
}

static void check_reserved(struct test *t, const struct reserved *before)
{
    struct reserved now;

    read_reserved(&t->d->grants, &now);
    for (unsigned int i = 0; i < GNTTAB_NR_RESERVED_ENTRIES; i++)
        for (unsigned int w = 0; w < 2; w++)
            CHECK_EQ(now.entries[i][w], before->entries[i][w],
                     "after self-test %s: word %u of reserved grant table entry %u", t->test->name,
                     w, i);
}

static uint32_t entries_of(const struct grants *g, uint32_t nr_frames)
{
    return nr_frames * (uint32_t)(PAGE_SIZE / (g->version == 1 ? sizeof(grant_entry_v1_t)
                                                               : sizeof(grant_entry_v2_t)));
}

/* A page to grant again and again, and a bitmap of the references that are given for it. */
struct table_room {
    struct foreign_room fr;
    struct reserved before;
    uint64_t *page, *given, nr_given_pages;
    uint32_t nr_refs; /* of a table of max_frames */
};

static bool table_room_open(struct table_room *m, struct test *t)
{
    const struct grants *g = &t->d->grants;

    m->nr_refs = entries_of(g, g->table ? g->max_frames : 1);
    m->nr_given_pages = DIV_ROUND_UP(DIV_ROUND_UP(m->nr_refs, 8), PAGE_SIZE);
    if (!foreign_room_open_to_grant(&m->fr, t, 24 + m->nr_given_pages))
        return false;
    read_reserved(g, &m->before);
    m->given = room_alloc(&m->fr.room, m->nr_given_pages);
    m->page = room_alloc(&m->fr.room, 1);
    m->page[0] = GRANTER_WORD;
    return true;
}

/* Ends all grants that were given, and looks at the reserved entries. */
static void table_room_close(struct table_room *m)
{
    struct test *t = m->fr.room.t;

    for (uint32_t ref = 0; ref < m->nr_refs; ref++)
        if (m->given[ref / 64] >> ref % 64 & 1)
            foreign_room_end_grant(&m->fr, ref);
    watchdog_kick();
    check_reserved(t, &m->before);
    room_free(&m->fr.room, m->page, 1);
    room_free(&m->fr.room, m->given, m->nr_given_pages);
    foreign_room_close(&m->fr);
}

/*
 * Grants the page until the table has @nr_frames. Returns 0, or the errno of the grant_access that
 * failed; *@nr is the number of grants.
 */
static int grant_up_to(struct table_room *m, uint32_t nr_frames, uint32_t *nr)
{
    struct test *t = m->fr.room.t;
    struct grants *g = &t->d->grants;
    pfn_t pfn = foreign_room_pfn(&m->fr, m->page);

    for (*nr = 0; g->nr_frames < nr_frames; ++*nr) {
        uint32_t ref;
        int rc = grant_access(g, m->fr.self, pfn, true, &ref);

        if (rc)
            return rc;
        if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= m->nr_refs ||
            (m->given[ref / 64] >> ref % 64 & 1)) {
            test_fail(t,
                      "grant_access returned reference %u (%s), expected an unused one in [%u, %u)",
                      ref, ref < m->nr_refs ? "reserved or in use" : "past the table",
                      GNTTAB_NR_RESERVED_ENTRIES, m->nr_refs);
            return -EINVAL;
        }
        m->given[ref / 64] |= (uint64_t)1 << ref % 64;
        if (!(*nr % 4096))
            watchdog_kick();
    }
    return 0;
}

/* The next grant has its entry in the newest frame. Mapping the grant has Xen read that entry. */
static void check_newest_frame(struct foreign_room *fr, const uint64_t *page)
{
    struct test *t = fr->room.t;
    const struct grants *g = &t->d->grants;
    struct foreign_range *r;
    uint32_t ref = foreign_room_grant(fr, page, true);

    if (boot_info_is_shim(&t->d->boot) || !foreign_room_has_maptrack(fr)) {
        foreign_room_end_grant(fr, ref);
        return;
    }
    r = foreign_room_range(fr, FOREIGN_GRANT, fr->self, 1);
    CHECK(ref >= entries_of(g, g->nr_frames - 1),
          "first grant_access after the grant table grew to %u frames: reference is %u, expected "
          "%u (first of the new frame) or more",
          g->nr_frames, ref, entries_of(g, g->nr_frames - 1));
    if (foreign_room_map(fr, r, 0, ref, true))
        foreign_room_check_word(fr, r, 0, 0, page[0]);
    foreign_room_drop(fr, r);
    foreign_room_end_grant(fr, ref);
}

TEST(grant_table, "grant_access adds one frame to a grant table whose entries are all in use")
{
    struct grants *g = &t->d->grants;
    uint32_t frames = g->nr_frames, nr;
    struct table_room m;
    int rc;

    if (!table_room_open(&m, t))
        return;
    if (frames < min_u64(g->max_frames, GROWN_FRAMES)) {
        rc = grant_up_to(&m, frames + 1, &nr);
        CHECK_RC(
            rc, 0,
            "grant_access after %u grants by this self-test, grant table of %u frames (limit %u)",
            nr, g->nr_frames, g->max_frames);
        if (!rc) {
            CHECK_EQ(g->nr_frames, frames + 1,
                     "number of frames of the grant table after %u grants", nr);
            check_newest_frame(&m.fr, m.page);
        }
    }
    table_room_close(&m);
}

/*
 * Xen adds all frames that the table may have. Each growth is a line in Xen's log, and this kernel
 * would cause one for each frame; so Xen has the frames before the kernel requests them one by one.
 */
static void grow_in_xen(struct test *t, struct grants *g)
{
    struct gnttab_setup_table setup = {
        .dom = DOMID_SELF, .nr_frames = g->max_frames, .status = NO_STATUS};

    set_xen_guest_handle(setup.frame_list, (uint64_t *)g->mfns);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0,
             "GNTTABOP_setup_table of %u frames", g->max_frames);
    CHECK_GNTST(setup.status, GNTST_okay, "GNTTABOP_setup_table of %u frames", g->max_frames);
}

TEST(grant_table_full,
     "grant_access returns -ENOSPC when all entries of max_grant_frames frames are in use")
{
    struct grants *g = &t->d->grants;
    struct table_room m;
    uint32_t nr;
    int rc;

    if (!cmdline_wants_full(&t->d->options)) {
        test_skip(t, "filling the grant table takes long: only done with test=all,full");
        return;
    }
    if (!table_room_open(&m, t))
        return;
    grow_in_xen(t, g);
    rc = grant_up_to(&m, g->max_frames + 1, &nr);
    CHECK_RC(rc, -ENOSPC,
             "grant_access after %u grants by this self-test, grant table of %u frames (limit %u)",
             nr, g->nr_frames, g->max_frames);
    CHECK_EQ(g->nr_used, m.nr_refs - GNTTAB_NR_RESERVED_ENTRIES,
             "number of grants in force when the grant table is full");
    table_room_close(&m);
    CHECK_EQ(g->nr_used, 0, "number of grants in force after grant_end of all");
}

TEST(grant_table_reserved, "grant_end refuses grant references 0 to 7 (GNTTAB_NR_RESERVED_ENTRIES)")
{
    struct grants *g = &t->d->grants;

    if (!has_grant_table(t))
        return;
    for (uint32_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
        CHECK_RC(grant_end(g, ref), -EINVAL, "grant_end of reserved reference %u", ref);
        CHECK_RC(grant_end_page(g, ref), -EINVAL, "grant_end_page of reserved reference %u", ref);
    }
}
