/* SPDX-License-Identifier: MIT */
#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#define MAX_MODEL  16384 /* pages */
#define NR_DEVICES 700   /* frames */

struct foreign_guest fg;

static mfn_t devices[64];
static unsigned int next_device;

void fg_start(uint64_t len_bytes)
{
    fg_start_on(FAKE_MFNS_SHUFFLED, len_bytes);
}

void fg_start_on(enum fake_mfns mfns, uint64_t len_bytes)
{
    const struct fake_shape shape = {.nr_pages = 3000, .mfns = mfns};
    static const uint64_t all_ram[] = {1 << 20, 0};
    struct foreign_range *r;

    fg_stop();
    guest_start(&fg.g, &shape, all_ram, 0);
    fake_grants.privileged = true;
    fg_take_devices(devices, ARRAY_SIZE(devices));
    foreign_init(&fg.window, &fg.g.pt, FAKE_FOREIGN_BASE, len_bytes);
    /* an empty window keeps one page table: allocate it now */
    check_equal("reserve the first range of the foreign window",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 1, 1, NULL, &r), 0);
    check_equal("release the first range of the foreign window", foreign_release(&fg.window, r), 0);
    fg.empty = guest_state(&fg.g);
}

void fg_stop(void)
{
    if (fake.nr_mfns)
        fake_machine_stop();
}

int fg_teardown(void **state)
{
    (void)state;
    fg_stop();
    return 0;
}

struct foreign_range *fg_start_range(enum foreign_kind kind, domid_t domain, uint64_t nr)
{
    fg_start(32 << 20);
    return fg_reserve(kind, domain, nr);
}

void fg_take_devices(mfn_t *mfns, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++)
        mfns[i] = i < NR_DEVICES ? to_mfn(fake_take_frame(FAKE_DEVICES)) : mfns[i - NR_DEVICES];
}

void fg_each_pattern(void (*one)(unsigned int nr, unsigned int bad))
{
    for (unsigned int nr = 1; nr <= 6; nr++)
        for (unsigned int bad = 0; bad < 1u << nr; bad++)
            one(nr, bad);
}

void fg_around_hypercalls(void (*one)(unsigned int nr, unsigned int bad))
{
    static const unsigned int sizes[] = {511, 512, 513, 1024, 1025};
    static const unsigned int at[] = {0, 1, 510, 511, 512, 513, 1022, 1023, 1024};

    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
        for (size_t a = 0; a < ARRAY_SIZE(at) && at[a] < sizes[s]; a++)
            one(sizes[s], at[a]);
}

/* The number of pages of the head of a range of @nr pages, as drawn in foreign.h. */
static uint64_t head_pages(uint64_t nr)
{
    uint64_t bytes = sizeof(struct foreign_range) + nr * 8 + (nr < 512 ? nr : 512) * 32;

    return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Records which pages of the window the kernel's ranges take. */
static void fill_model(bool *taken)
{
    for (const struct foreign_range *r = fg.window.first; r; r = r->next)
        for (uint64_t va = r->start; va < r->end; va += PAGE_SIZE)
            taken[(va - FAKE_FOREIGN_BASE) / PAGE_SIZE] = true;
}

/* The first gap of @nr pages, or -1. */
static int64_t find_in_model(uint64_t nr)
{
    uint64_t nr_all = (fg.window.end - fg.window.base) / PAGE_SIZE, found = 0;
    static bool taken[MAX_MODEL];

    check_true("the foreign window fits in the test's model", nr_all <= MAX_MODEL);
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

struct foreign_range *fg_reserve(enum foreign_kind kind, domid_t domain, uint64_t nr)
{
    struct foreign_range *r;

    check_equal("foreign_reserve of a range that fits",
                foreign_reserve(&fg.window, kind, domain, nr, NULL, &r), 0);
    check_equal("mapped pages of a new range", r->nr_mapped, 0);
    return r;
}

void fg_try_reserve(uint64_t nr)
{
    int64_t at = find_in_model(head_pages(nr) + nr + 2);
    struct foreign_range *r;
    int rc = foreign_reserve(&fg.window, FOREIGN_MACHINE, DOMID_IO, nr, NULL, &r);

    check_equal("foreign_reserve against the model", rc, at < 0 ? -ENOSPC : 0);
    if (!rc)
        check_equal("page index of a new range is the first fit",
                    (r->start - FAKE_FOREIGN_BASE) / PAGE_SIZE, at);
    fg_check("foreign window after a reservation");
}

void fg_release(struct foreign_range *r)
{
    check_equal("foreign_release of an unmapped range", foreign_release(&fg.window, r), 0);
    fg_check("foreign window after a release");
}

struct foreign_range *fg_any(struct rng *rng)
{
    struct foreign_range *r = fg.window.first;
    uint64_t n = fg.window.nr_ranges ? rng_below(rng, fg.window.nr_ranges) : 0;

    while (n--)
        r = r->next;
    return r;
}

void fg_map_each(struct foreign_range *r, uint64_t first, uint64_t nr)
{
    for (uint64_t i = first; i < first + nr; i++) {
        mfn_t mfn = devices[next_device++ % ARRAY_SIZE(devices)];

        if (foreign_is_mapped(r, i))
            continue;
        check_equal("foreign_map of one page", foreign_map(&fg.window, r, i, &mfn, 1, PTE_RW), 0);
        check_equal("MFN mapped by foreign_map", fake_walk(foreign_va(r, i)).mfn, mfn.v);
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

void fg_check(const char *what)
{
    uint64_t nr_ranges = 0, nr_frames = 0, reach = fg.window.base;

    for (const struct foreign_range *r = fg.window.first; r; r = r->next) {
        check_true(what, r->start >= reach && r->end <= fg.window.end);
        check_range(what, r);
        reach = r->end;
        nr_ranges++;
        nr_frames += head_pages(r->nr);
    }
    check_equal(what, fg.window.nr_ranges, nr_ranges);
    check_equal(what, fg.window.nr_frames, nr_frames);
}

void fg_check_empty(const char *what)
{
    struct guest_state now = guest_state(&fg.g);

    check_true(what, !fg.window.first && !fg.window.nr_ranges && !fg.window.nr_frames);
    guest_check_state(what, &now, &fg.empty);
}
