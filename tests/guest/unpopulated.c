/* SPDX-License-Identifier: MIT */
/*
 * Without these a foreign page could be given a PFN that means something else already: a device's,
 * by identity; RAM that the balloon is about to fill; or an entry past the list's end, which was a
 * crash in Linux (XSA-369). Linux takes such PFNs from what its memory map leaves over (its commits
 * 9e2369c06c8a, d1a928eac729); before that each took a page of RAM (XSA-300).
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "kernel/boot/foreign.h"

#include "tests/guest/foreign_room.h"

#define LENT     0x6c656e74
#define MAX_KEPT 256 /* ranges and runs that are compared before and after */

/* What taking and giving back must leave as it was. */
struct books {
    struct range ranges[MAX_KEPT];
    struct pfn_run empty[MAX_KEPT];
    size_t nr_ranges, nr_empty;
    uint64_t nr_pages, nr_free;
};

static void read_books(const struct domain *d, struct books *b)
{
    b->nr_ranges = d->p2m.ranges.nr;
    b->nr_empty = d->balloon.empty.nr_runs;
    b->nr_pages = host_current_pages();
    b->nr_free = d->frame_pool.free.nr_pfns;
    memcpy(b->ranges, d->p2m.ranges.r, min_u64(b->nr_ranges, MAX_KEPT) * sizeof(b->ranges[0]));
    memcpy(b->empty, d->balloon.empty.runs, min_u64(b->nr_empty, MAX_KEPT) * sizeof(b->empty[0]));
}

static void check_books(struct test *t, const struct books *before, struct books *now)
{
    read_books(t->d, now);
    CHECK(now->nr_ranges == before->nr_ranges, "the map had %lu ranges, and has %lu",
          before->nr_ranges, now->nr_ranges);
    CHECK(now->nr_empty == before->nr_empty, "the balloon had %lu runs without a frame, now %lu",
          before->nr_empty, now->nr_empty);
    for (size_t i = 0; i < min_u64(before->nr_ranges, MAX_KEPT); i++)
        CHECK(before->ranges[i].start == now->ranges[i].start &&
                  before->ranges[i].end == now->ranges[i].end &&
                  before->ranges[i].kind == now->ranges[i].kind,
              "range %lu was [0x%lx, 0x%lx), and is [0x%lx, 0x%lx)", i, before->ranges[i].start,
              before->ranges[i].end, now->ranges[i].start, now->ranges[i].end);
    for (size_t i = 0; i < min_u64(before->nr_empty, MAX_KEPT); i++)
        CHECK(before->empty[i].start == now->empty[i].start &&
                  before->empty[i].end == now->empty[i].end,
              "run %lu without a frame was [0x%lx, 0x%lx), and is [0x%lx, 0x%lx)", i,
              before->empty[i].start, before->empty[i].end, now->empty[i].start, now->empty[i].end);
    CHECK(now->nr_pages == before->nr_pages, "the domain had 0x%lx pages, and has 0x%lx",
          before->nr_pages, now->nr_pages);
    CHECK(now->nr_free == before->nr_free, "0x%lx frames were free, 0x%lx are", before->nr_free,
          now->nr_free);
}

/* Is it what a unpopulated PFN must be, and was not in use? Nothing is mapped behind it yet. */
static void check_pfn(struct test *t, pfn_t pfn, mfn_t ours)
{
    struct domain *d = t->d;
    enum range_kind kind = ranges_find(&d->p2m.ranges, pfn.v).kind;

    CHECK(kind == RANGE_UNPOPULATED, "PFN 0x%lx is %s, expected safe", pfn.v,
          range_kind_name(kind));
    CHECK(mfn_eq(p2m_get_ram(&d->p2m, pfn), INVALID_MFN), "PFN 0x%lx has a frame of ours", pfn.v);
    CHECK(mfn_eq(p2m_get(&d->p2m, pfn), INVALID_MFN), "PFN 0x%lx has frame 0x%lx", pfn.v,
          p2m_get(&d->p2m, pfn).v);
    CHECK(p2m_set(&d->p2m, pfn, ours) < 0, "PFN 0x%lx can be given a frame", pfn.v);
    CHECK(!pfn_runs_has(&d->balloon.empty, pfn), "the balloon may fill PFN 0x%lx", pfn.v);
    CHECK(pfn.v < (uint64_t)1 << (d->host.cpu_bits - PAGE_SHIFT),
          "PFN 0x%lx is past the machine's %u bits", pfn.v, d->host.cpu_bits);
    CHECK(!page_show(&d->fixmap, &d->unpopulated, pfn), "something is behind PFN 0x%lx", pfn.v);
}

/* Both runs, page by page at their edges. */
static void check_run(struct test *t, uint64_t start, mfn_t ours)
{
    CHECK(start % P2M_PER_PAGE == 0, "PFN 0x%lx begins no leaf", start);
    check_pfn(t, to_pfn(start), ours);
    check_pfn(t, to_pfn(start + 1), ours);
    check_pfn(t, to_pfn(start + P2M_PER_PAGE - 1), ours);
}

/* The peer, which is us, writes; what its PFN shows is that. */
static void check_show(struct foreign_room *s, struct foreign_range *r, uint64_t start)
{
    struct test *t = s->room.t;
    uint64_t *page = room_alloc(&s->room, 1);
    const uint64_t *shown;
    uint32_t ref;
    int16_t status;

    page[100] = LENT;
    ref = share_grant(s, page, false);
    CHECK(!grant_map(r, 1, &ref, &status, 1, false), "it cannot be mapped: %s",
          grant_status_name(status));
    CHECK(!page_show(&t->d->fixmap, &t->d->unpopulated, to_pfn(start)),
          "page 0 is shown, and is not mapped");
    shown = page_show(&t->d->fixmap, &t->d->unpopulated, to_pfn(start + 1));
    CHECK(shown && shown[100] == LENT, "PFN 0x%lx is not the page that was granted", start + 1);
    page[101] = ~(uint64_t)LENT;
    CHECK(shown && shown[101] == ~(uint64_t)LENT, "what the peer writes now is not seen");
    CHECK(mfn_eq(p2m_get(&t->d->p2m, to_pfn(start + 1)), INVALID_MFN),
          "the P2M names a frame that is not ours");
    CHECK(!grant_unmap(r, 1, 1), "it cannot be unmapped");
    CHECK(!page_show(&t->d->fixmap, &t->d->unpopulated, to_pfn(start + 1)),
          "it is shown after its end");
    share_end(s, ref);
    room_free(&s->room, page, 1);
}

/* Is there anything to take? By the books, without unpopulated.c's arithmetic. */
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

TEST(
    unpopulated,
    "a unpopulated PFN is taken from what has no frame, shows its page, and leaves nothing changed")
{
    static struct books before, now;
    struct foreign_range all = {.nr = t->d->unpopulated.limit};
    struct foreign_range *r, *r2;
    uint64_t start, start2 = 0;
    struct domain *d = t->d;
    struct foreign_room s;
    int rc;

    if (!share_open(&s, t, 24))
        return;
    r = share_range(&s, FOREIGN_GRANT, s.self, 2);
    r2 = share_range(&s, FOREIGN_GRANT, s.self, 1);
    read_books(d, &before);
    CHECK_RC(unpopulated_alloc(&d->unpopulated, &all, &start), -ENOSPC,
             "as many PFNs as there are numbers");
    check_books(t, &before, &now);

    rc = unpopulated_alloc(&d->unpopulated, r, &start);
    if (rc == -ENOSPC && !has_space(d)) {
        test_skip(t, "the map names all that the CPU can address, and no RAM is without a frame");
    } else if (rc || unpopulated_alloc(&d->unpopulated, r2, &start2)) {
        test_fail(t, "no unpopulated PFNs: %d (%s)", rc, errno_name(rc));
    } else {
        check_run(t, start, pt_mfn(&s.room.pt, (uintptr_t)image_start));
        check_run(t, start2, pt_mfn(&s.room.pt, (uintptr_t)image_start));
        CHECK(start != start2, "PFN 0x%lx is taken twice", start);
        if (!boot_info_is_shim(&d->boot))
            check_show(&s, r, start);
        CHECK_RC(unpopulated_free(&d->unpopulated, start + 1), -EINVAL, "a PFN that begins no run");
        CHECK_RC(unpopulated_free(&d->unpopulated, start), 0, "the first run");
        CHECK_RC(unpopulated_free(&d->unpopulated, start), -EINVAL, "the first run again");
        check_pfn(t, to_pfn(start2), INVALID_MFN);
        CHECK_RC(unpopulated_free(&d->unpopulated, start2), 0, "the second run");
    }
    check_books(t, &before, &now);
    share_drop(&s, r2);
    share_drop(&s, r);
    share_close(&s);
}
