/* SPDX-License-Identifier: MIT */
#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#define MAX_MODEL  16384 /* pages */
#define NR_DEVICES 700   /* frames */

struct foreign_guest wg;

static mfn_t devices[64];
static unsigned int next_device;

void wg_start(uint64_t len_bytes)
{
    wg_start_on(FAKE_MFNS_SHUFFLED, len_bytes);
}

void wg_start_on(enum fake_mfns mfns, uint64_t len_bytes)
{
    const struct fake_shape shape = {.nr_pages = 3000, .mfns = mfns};
    static const uint64_t all_ram[] = {1 << 20, 0};
    struct foreign_range *r;

    wg_stop();
    guest_start(&wg.g, &shape, all_ram, 0);
    fake_grants.privileged = true;
    wg_take_devices(devices, ARRAY_SIZE(devices));
    foreign_init(&wg.window, &wg.g.pt, FAKE_FOREIGN_BASE, len_bytes);
    /* the page that an empty window costs */
    check_equal("the first range", foreign_reserve(&wg.window, FOREIGN_GRANT, 1, 1, NULL, &r), 0);
    check_equal("goes", foreign_release(&wg.window, r), 0);
    wg.empty = guest_state(&wg.g);
}

void wg_stop(void)
{
    if (fake.nr_mfns)
        fake_machine_stop();
}

int wg_teardown(void **state)
{
    (void)state;
    wg_stop();
    return 0;
}

struct foreign_range *wg_start_range(enum foreign_kind kind, domid_t domain, uint64_t nr)
{
    wg_start(32 << 20);
    return wg_reserve(kind, domain, nr);
}

void wg_take_devices(mfn_t *mfns, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++)
        mfns[i] = i < NR_DEVICES ? to_mfn(fake_take_frame(FAKE_DEVICES)) : mfns[i - NR_DEVICES];
}

void wg_each_pattern(void (*one)(unsigned int nr, unsigned int bad))
{
    for (unsigned int nr = 1; nr <= 6; nr++)
        for (unsigned int bad = 0; bad < 1u << nr; bad++)
            one(nr, bad);
}

void wg_around_hypercalls(void (*one)(unsigned int nr, unsigned int bad))
{
    static const unsigned int sizes[] = {511, 512, 513, 1024, 1025};
    static const unsigned int at[] = {0, 1, 510, 511, 512, 513, 1022, 1023, 1024};

    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
        for (size_t a = 0; a < ARRAY_SIZE(at) && at[a] < sizes[s]; a++)
            one(sizes[s], at[a]);
}

/* The bytes that a range of @nr pages needs for its head: what foreign.h draws. */
static uint64_t head_pages(uint64_t nr)
{
    uint64_t bytes = sizeof(struct foreign_range) + nr * 8 + (nr < 512 ? nr : 512) * 32;

    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Which pages are taken, by the list. */
static void fill_model(bool *taken)
{
    for (const struct foreign_range *r = wg.window.first; r; r = r->next)
        for (uint64_t va = r->start; va < r->end; va += PAGE_SIZE)
            taken[(va - FAKE_FOREIGN_BASE) / PAGE_SIZE] = true;
}

/* The first gap of @nr pages, or -1. */
static int64_t find_in_model(uint64_t nr)
{
    uint64_t nr_all = (wg.window.end - wg.window.base) / PAGE_SIZE, found = 0;
    static bool taken[MAX_MODEL];

    check_true("the model is large enough", nr_all <= MAX_MODEL);
    for (uint64_t i = 0; i < nr_all; i++)
        taken[i] = false;
    fill_model(taken);
    for (uint64_t i = 0; i < nr_all; i++) {
        found = taken[i] ? 0 : found + 1;
        if (found == nr)
            return (int64_t)(i + 1 - nr);
    }
    return -1;
}

struct foreign_range *wg_reserve(enum foreign_kind kind, domid_t domain, uint64_t nr)
{
    struct foreign_range *r;

    check_equal("reserve", foreign_reserve(&wg.window, kind, domain, nr, NULL, &r), 0);
    check_equal("nothing behind it", r->nr_mapped, 0);
    return r;
}

void wg_try_reserve(uint64_t nr)
{
    int64_t at = find_in_model(head_pages(nr) + nr + 2);
    struct foreign_range *r;
    int rc = foreign_reserve(&wg.window, FOREIGN_MACHINE, DOMID_IO, nr, NULL, &r);

    check_equal("reserve", rc, at < 0 ? -ENOSPC : 0);
    if (!rc)
        check_equal("first fit", (r->start - FAKE_FOREIGN_BASE) / PAGE_SIZE, at);
    wg_check("after a reservation");
}

void wg_release(struct foreign_range *r)
{
    check_equal("release", foreign_release(&wg.window, r), 0);
    wg_check("after a release");
}

struct foreign_range *wg_any(struct rng *rng)
{
    struct foreign_range *r = wg.window.first;
    uint64_t n = wg.window.nr_ranges ? rng_below(rng, wg.window.nr_ranges) : 0;

    while (n--)
        r = r->next;
    return r;
}

void wg_map_each(struct foreign_range *r, uint64_t first, uint64_t nr)
{
    for (uint64_t i = first; i < first + nr; i++) {
        mfn_t mfn = devices[next_device++ % ARRAY_SIZE(devices)];

        if (foreign_is_mapped(r, i))
            continue;
        check_equal("map", foreign_map(&wg.window, r, i, &mfn, 1, PTE_RW), 0);
        check_equal("and there it is", fake_walk(foreign_va(r, i)).mfn, mfn.v);
    }
}

static void check_page(const char *what, const struct foreign_range *r, uint64_t i)
{
    struct fake_mapping m = fake_walk(foreign_va(r, i));

    check_equal(what, m.level, 1);
    check_equal(what, m.present, foreign_is_mapped(r, i));
    if (m.present && r->kind != FOREIGN_GRANT)
        check_equal(what, m.mfn, r->page[i].frame);
}

static void check_range(const char *what, const struct foreign_range *r)
{
    uint64_t nr_mapped = 0, head = r->start + head_pages(r->nr) * PAGE_SIZE;

    check_equal(what, r->pages, head + PAGE_SIZE);
    check_equal(what, r->end, r->pages + (r->nr + 1) * PAGE_SIZE);
    for (uint64_t va = r->start; va < head; va += PAGE_SIZE)
        check_true(what, fake_walk(va).writable && !fake_frame(fake_walk(va).mfn)->foreign);
    check_true(what, !fake_walk(head).present);
    check_true(what, !fake_walk(r->end - PAGE_SIZE).present);
    for (uint64_t i = 0; i < r->nr; i++) {
        check_page(what, r, i);
        nr_mapped += foreign_is_mapped(r, i);
    }
    check_equal(what, r->nr_mapped, nr_mapped);
}

void wg_check(const char *what)
{
    uint64_t nr_ranges = 0, nr_frames = 0, reach = wg.window.base;

    for (const struct foreign_range *r = wg.window.first; r; r = r->next) {
        check_true(what, r->start >= reach && r->end <= wg.window.end);
        check_range(what, r);
        reach = r->end;
        nr_ranges++;
        nr_frames += head_pages(r->nr);
    }
    check_equal(what, wg.window.nr_ranges, nr_ranges);
    check_equal(what, wg.window.nr_frames, nr_frames);
}

void wg_check_empty(const char *what)
{
    struct guest_state now = guest_state(&wg.g);

    check_true(what, !wg.window.first && !wg.window.nr_ranges && !wg.window.nr_frames);
    guest_check_state(what, &now, &wg.empty);
}
