/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a foreign page could get a PFN that has another meaning: that of a device
 * (an identity PFN), of RAM that the balloon is about to populate, or of no P2M entry at all, which
 * crashed Linux (XSA-369). Linux takes such PFNs from the gaps of its memory map (its commits
 * 9e2369c06c8a, d1a928eac729); before that, each foreign page took the place of a page of RAM, and
 * Linux could run out of memory (XSA-300).
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "kernel/boot/foreign.h"

#include "tests/guest/foreign_room.h"

#define MAX_KEPT 256 /* PFN ranges and balloon runs that are compared */

/* What unpopulated_alloc and unpopulated_free together must not change. */
struct snapshot {
    struct range ranges[MAX_KEPT];
    struct pfn_run empty[MAX_KEPT]; /* PFNs that the balloon may populate */
    size_t nr_ranges, nr_empty;
    uint64_t nr_pages, nr_free;
};

static struct snapshot before, now;

/* A room with two ranges of the foreign window, and a PFN for each. */
struct pfn_room {
    struct foreign_room fr;
    struct foreign_range *r, *r2;
    uint64_t start, start2;
};

static void take_snapshot(const struct domain *d, struct snapshot *s)
{
    s->nr_ranges = d->p2m.ranges.nr;
    s->nr_empty = d->balloon.empty.nr_runs;
    s->nr_pages = host_current_pages();
    s->nr_free = d->frame_pool.free.nr_pfns;
    memcpy(s->ranges, d->p2m.ranges.r, min_u64(s->nr_ranges, MAX_KEPT) * sizeof(s->ranges[0]));
    memcpy(s->empty, d->balloon.empty.runs, min_u64(s->nr_empty, MAX_KEPT) * sizeof(s->empty[0]));
}

static void check_run_unchanged(struct test *t, const char *what, size_t i, uint64_t was_start,
                                uint64_t was_end, uint64_t start, uint64_t end)
{
    CHECK(start == was_start && end == was_end,
          "after self-test %s: %s %lu is [0x%lx, 0x%lx), expected [0x%lx, 0x%lx) as before",
          t->test->name, what, i, start, end, was_start, was_end);
}

/* Compares the domain as it is now with the snapshot. */
static void check_unchanged(struct test *t)
{
    take_snapshot(t->d, &now);
    CHECK_EQ(now.nr_ranges, before.nr_ranges,
             "after self-test %s: number of PFN ranges of this domain", t->test->name);
    CHECK_EQ(now.nr_empty, before.nr_empty,
             "after self-test %s: number of runs of PFNs that the balloon may populate",
             t->test->name);
    for (size_t i = 0; i < min_u64(before.nr_ranges, MAX_KEPT); i++) {
        const struct range *a = &before.ranges[i], *b = &now.ranges[i];

        check_run_unchanged(t, "PFN range", i, a->start, a->end, b->start, b->end);
        CHECK(b->kind == a->kind,
              "after self-test %s: kind of PFN range %lu is %s, expected %s as before",
              t->test->name, i, range_kind_name(b->kind), range_kind_name(a->kind));
    }
    for (size_t i = 0; i < min_u64(before.nr_empty, MAX_KEPT); i++)
        check_run_unchanged(t, "run of PFNs that the balloon may populate", i,
                            before.empty[i].start, before.empty[i].end, now.empty[i].start,
                            now.empty[i].end);
    CHECK_EQ(now.nr_pages, before.nr_pages,
             "after self-test %s: number of pages of this domain (XENMEM_current_reservation)",
             t->test->name);
    CHECK_EQ(now.nr_free, before.nr_free, "after self-test %s: number of frames in the frame pool",
             t->test->name);
}

/* Is there room for two leaves? Computed from balloon and map, without unpopulated.c. */
static bool has_space(const struct domain *d)
{
    const struct pfn_runs *e = &d->balloon.empty;

    for (size_t i = 0; i < e->nr_runs; i++)
        for (uint64_t pfn = e->runs[i].start; pfn + 2 * P2M_PER_PAGE <= e->runs[i].end; pfn++)
            if (pfn % P2M_PER_PAGE == 0)
                return true;
    return max_u64(ranges_end(&d->p2m.ranges), d->p2m.nr) + 4 * P2M_PER_PAGE <=
           (uint64_t)1 << (d->host.cpu_bits - PAGE_SHIFT);
}

static void pfn_room_close(struct pfn_room *m)
{
    foreign_room_drop(&m->fr, m->r2);
    foreign_room_drop(&m->fr, m->r);
    foreign_room_close(&m->fr);
}

static int alloc_pfns(struct test *t, const struct foreign_range *r, uint64_t *start)
{
    int rc = unpopulated_alloc(&t->d->unpopulated, r, start);

    if (rc != -ENOSPC || has_space(t->d))
        CHECK_RC(rc, 0, "unpopulated_alloc of PFNs for %lu foreign pages", r->nr);
    return rc;
}

static void free_pfns(struct test *t, uint64_t start, int expected)
{
    CHECK_RC(unpopulated_free(&t->d->unpopulated, start), expected, "unpopulated_free of PFN 0x%lx",
             start);
}

/*
 * Opens the room, takes the snapshot, and allocates the two PFNs. Returns false if the test failed
 * or was skipped.
 */
static bool pfn_room_open(struct pfn_room *m, struct test *t)
{
    int rc;

    if (!foreign_room_open(&m->fr, t, 24))
        return false;
    m->r = foreign_room_range(&m->fr, FOREIGN_GRANT, m->fr.self, 2);
    m->r2 = foreign_room_range(&m->fr, FOREIGN_GRANT, m->fr.self, 1);
    take_snapshot(t->d, &before);
    rc = alloc_pfns(t, m->r, &m->start);
    if (!rc) {
        if (!alloc_pfns(t, m->r2, &m->start2))
            return true;
        free_pfns(t, m->start, 0);
    }
    check_unchanged(t);
    test_skip(t, "no PFNs are left for foreign pages: the E820 map covers all addresses of this "
                 "CPU, and all RAM PFNs have frames");
    pfn_room_close(m);
    return false;
}

static void free_both(struct pfn_room *m)
{
    free_pfns(m->fr.room.t, m->start, 0);
    free_pfns(m->fr.room.t, m->start2, 0);
}

static void check_shown(struct test *t, pfn_t pfn, uint64_t va)
{
    CHECK_EQ((uintptr_t)page_show(&t->d->fixmap, &t->d->unpopulated, pfn), va,
             "address (0: not mapped) returned by page_show for PFN 0x%lx of unpopulated_alloc",
             pfn.v);
}

/* @pfn is unpopulated, and no page is mapped for it yet. @ours is a frame of this domain, or ~0. */
static void check_pfn(struct test *t, pfn_t pfn, mfn_t ours)
{
    struct domain *d = t->d;
    enum range_kind kind = ranges_find(&d->p2m.ranges, pfn.v).kind;
    int rc = p2m_set(&d->p2m, pfn, ours);

    CHECK(kind == RANGE_UNPOPULATED,
          "kind of PFN 0x%lx of unpopulated_alloc is %s, expected unpopulated (foreign pages only)",
          pfn.v, range_kind_name(kind));
    CHECK_EQ(p2m_get_ram(&d->p2m, pfn).v, INVALID_ENTRY, "%s of PFN 0x%lx of unpopulated_alloc",
             "p2m_get_ram", pfn.v);
    CHECK_EQ(p2m_get(&d->p2m, pfn).v, INVALID_ENTRY, "%s of PFN 0x%lx of unpopulated_alloc",
             "p2m_get", pfn.v);
    CHECK(rc < 0,
          "p2m_set of PFN 0x%lx of unpopulated_alloc (foreign pages only) to MFN 0x%lx: result is "
          "%d, expected an error",
          pfn.v, ours.v, rc);
    CHECK(!pfn_runs_has(&d->balloon.empty, pfn),
          "PFN 0x%lx of unpopulated_alloc is still one that the balloon may populate, expected not",
          pfn.v);
    CHECK(pfn.v < (uint64_t)1 << (d->host.cpu_bits - PAGE_SHIFT),
          "PFN of unpopulated_alloc is 0x%lx, expected less than 0x%lx (CPU has %u address bits)",
          pfn.v, (uint64_t)1 << (d->host.cpu_bits - PAGE_SHIFT), d->host.cpu_bits);
    check_shown(t, pfn, 0);
}

/* The first two PFNs and the last one of a run. */
static void check_run(struct test *t, uint64_t start, mfn_t ours)
{
    CHECK_EQ(start % P2M_PER_PAGE, 0, "PFN 0x%lx, returned by unpopulated_alloc, modulo 512",
             start);
    check_pfn(t, to_pfn(start), ours);
    check_pfn(t, to_pfn(start + 1), ours);
    check_pfn(t, to_pfn(start + P2M_PER_PAGE - 1), ours);
}

TEST(unpopulated,
     "a PFN of unpopulated_alloc never gets a frame of this domain, by p2m_set or the balloon")
{
    struct pfn_room m;
    mfn_t ours;

    if (!pfn_room_open(&m, t))
        return;
    ours = pt_mfn(&m.fr.room.pt, (uintptr_t)image_start);
    check_run(t, m.start, ours);
    check_run(t, m.start2, ours);
    CHECK(m.start != m.start2,
          "unpopulated_alloc returned PFN 0x%lx for each of two foreign ranges, expected different "
          "PFNs",
          m.start);
    free_both(&m);
    pfn_room_close(&m);
}

TEST(unpopulated_show,
     "page_show, which returns the address of a PFN, finds the grant mapped at an unpopulated PFN")
{
    const struct domain *d = t->d;
    struct pfn_room m;
    uint64_t *page;
    uint32_t ref;
    pfn_t pfn;

    if (!pfn_room_open(&m, t))
        return;
    if (!foreign_room_maps_grants(&m.fr)) {
        free_both(&m);
        pfn_room_close(&m);
        return;
    }
    pfn = to_pfn(m.start + 1);
    page = room_alloc(&m.fr.room, 1);
    page[100] = GRANTER_WORD;
    ref = foreign_room_grant(&m.fr, page, false);
    if (foreign_room_map(&m.fr, m.r, 1, ref, false)) {
        check_shown(t, to_pfn(m.start), 0);
        check_shown(t, pfn, foreign_va(m.r, 1));
        foreign_room_check_word(&m.fr, m.r, 1, 100, GRANTER_WORD);
        page[101] = ~(uint64_t)GRANTER_WORD;
        foreign_room_check_word(&m.fr, m.r, 1, 101, ~(uint64_t)GRANTER_WORD);
        CHECK_EQ(p2m_get(&d->p2m, pfn).v, INVALID_ENTRY, "%s of PFN 0x%lx of unpopulated_alloc",
                 "p2m_get", pfn.v);
    }
    foreign_room_unmap(&m.fr, m.r, 1, 1);
    check_shown(t, pfn, 0);
    foreign_room_end_grant(&m.fr, ref);
    room_free(&m.fr.room, page, 1);
    free_both(&m);
    pfn_room_close(&m);
}

TEST(unpopulated_free,
     "unpopulated_free restores PFN ranges and balloon as they were before unpopulated_alloc")
{
    struct pfn_room m;

    if (!pfn_room_open(&m, t))
        return;
    free_pfns(t, m.start + 1, -EINVAL); /* not the first PFN of a run */
    free_pfns(t, m.start, 0);
    free_pfns(t, m.start, -EINVAL);
    check_pfn(t, to_pfn(m.start2), INVALID_MFN);
    free_pfns(t, m.start2, 0);
    check_unchanged(t);
    pfn_room_close(&m);
}

TEST(unpopulated_nospc,
     "unpopulated_alloc of more PFNs than are free returns -ENOSPC and allocates none")
{
    struct foreign_range all = {.nr = t->d->unpopulated.limit};
    uint64_t start;

    take_snapshot(t->d, &before);
    CHECK_RC(unpopulated_alloc(&t->d->unpopulated, &all, &start), -ENOSPC,
             "unpopulated_alloc of PFNs for %lu foreign pages", all.nr);
    check_unchanged(t);
}
