/* SPDX-License-Identifier: MIT */
/*
 * Without these a guest would work until it grants its 505th page, or would cut off its own console
 * on the way: the table grows by a frame of Xen's at a time, up to a limit that the toolstack sets
 * (max_grant_frames), and the first entries are the toolstack's (<xen/grant_table.h>,
 * GNTTAB_NR_RESERVED_ENTRIES): the console's and xenstore's rings, which no frontend may give away.
 */
#include "lib/errno.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "xen/watchdog.h"

#include "tests/guest/foreign_room.h"

/* Growing once is enough: Xen does not take back what it gave, and this may run many times. */
#define GROWN_FRAMES 2

#define IN_USE       (GTF_reading | GTF_writing) /* Xen's marks, which come and go */

/* The reserved entries, without what their peers' use changes. */
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
    CHECK(!memcmp(before, &now, sizeof(now)), "one of the toolstack's entries has changed");
    for (uint32_t ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++)
        CHECK(grant_end(&t->d->grants, ref) == -EINVAL &&
                  grant_end_page(&t->d->grants, ref) == -EINVAL,
              "reference %u, which the toolstack gave, can be ended", ref);
}

/*
 * Grants @pfn until the table has @nr_frames, or up to @max grants. The references are a list, by
 * bits, at @given. Returns why it stopped: 0 if it was the number of frames.
 */
static int grant_up_to(struct foreign_room *s, pfn_t pfn, uint32_t nr_frames, uint64_t *given,
                       uint32_t nr_bits, uint32_t *nr)
{
    struct test *t = s->room.t;
    struct grants *g = &t->d->grants;

    for (*nr = 0; g->nr_frames < nr_frames; ++*nr) {
        uint32_t ref;
        int rc = grant_access(g, s->self, pfn, true, &ref);

        if (rc)
            return rc;
        if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= nr_bits ||
            (given[ref / 64] >> ref % 64 & 1)) {
            test_fail(t, "reference %u is given: it is reserved, or none, or given twice", ref);
            return -EINVAL;
        }
        given[ref / 64] |= (uint64_t)1 << ref % 64;
        if (!(*nr % 4096))
            watchdog_kick();
    }
    return 0;
}

static void end_all(struct foreign_room *s, const uint64_t *given, uint32_t nr_bits)
{
    for (uint32_t ref = 0; ref < nr_bits; ref++)
        if (given[ref / 64] >> ref % 64 & 1)
            share_end(s, ref);
    watchdog_kick();
}

static uint32_t entries_of(const struct grants *g, uint32_t nr_frames)
{
    return nr_frames * (uint32_t)(PAGE_SIZE / (g->version == 1 ? sizeof(grant_entry_v1_t)
                                                               : sizeof(grant_entry_v2_t)));
}

/* Is the entry that was given last in the newest frame? It is mapped, so that Xen's eye sees it. */
static void check_newest(struct foreign_room *s, const uint64_t *page)
{
    struct test *t = s->room.t;
    struct foreign_range *r;
    uint32_t ref = share_grant(s, page, true);
    int16_t status;

    if (boot_info_is_shim(&t->d->boot)) {
        share_end(s, ref);
        return;
    }
    r = share_range(s, FOREIGN_GRANT, s->self, 1);
    CHECK(ref >= entries_of(&t->d->grants, t->d->grants.nr_frames - 1),
          "reference %u is not of the newest frame", ref);
    CHECK(!grant_map(r, 0, &ref, &status, 1, true), "reference %u cannot be mapped: %s", ref,
          grant_status_name(status));
    CHECK(!foreign_is_mapped(r, 0) || share_page(r, 0)[0] == page[0], "and is another page");
    share_drop(s, r);
    share_end(s, ref);
}

TEST(grant_table, "more grants than a frame has let the table grow, and its reserved entries stay")
{
    struct domain *d = t->d;
    struct grants *g = &d->grants;
    uint32_t frames = g->nr_frames, nr_bits, nr;
    bool full = cmdline_wants_full(&d->options);
    uint64_t *given, *page, nr_pages;
    struct reserved before;
    struct foreign_room s;
    int rc;

    nr_bits = entries_of(g, g->table ? g->max_frames : 1);
    nr_pages = DIV_ROUND_UP(DIV_ROUND_UP(nr_bits, 8), PAGE_SIZE);
    if (!share_open(&s, t, 24 + nr_pages))
        return;
    read_reserved(g, &before);
    given = room_alloc(&s.room, nr_pages);
    page = room_alloc(&s.room, 1);
    page[0] = 0x67726f77;

    if (frames < min_u64(g->max_frames, GROWN_FRAMES)) {
        rc = grant_up_to(&s, share_pfn(&s, page), frames + 1, given, nr_bits, &nr);
        CHECK(!rc, "the table cannot grow past %u grants: %d (%s)", nr, rc, errno_name(rc));
        CHECK(rc || g->nr_frames == frames + 1, "it has %u frames, and had %u", g->nr_frames,
              frames);
        if (!rc)
            check_newest(&s, page);
    }
    if (full) {
        rc = grant_up_to(&s, share_pfn(&s, page), g->max_frames + 1, given, nr_bits, &nr);
        CHECK(rc == -ENOSPC, "the table ends at %u frames: %d (%s), expected -ENOSPC",
              g->max_frames, rc, errno_name(rc));
        CHECK(g->nr_used == nr_bits - GNTTAB_NR_RESERVED_ENTRIES, "%u of %u are granted",
              g->nr_used, nr_bits);
    }
    end_all(&s, given, nr_bits);
    CHECK(!g->nr_used || !full, "%u grants are left", g->nr_used);
    check_reserved(t, &before);

    room_free(&s.room, page, 1);
    room_free(&s.room, given, nr_pages);
    share_close(&s);
}
