/* SPDX-License-Identifier: MIT */
/*
 * Reserving and releasing ranges of the foreign window. Without this test two ranges could overlap,
 * the guard page behind a device's page could be missing, or the release of a range could free page
 * tables that the neighbouring range still needs: the next mapping would be written into a table of
 * another level. Reservations are compared with a bitmap of the window's pages.
 */
#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

static void test_layout(void **state)
{
    static const uint64_t sizes[] = {1, 2, 80, 102, 103, 511, 512, 513, 1024, 5000};

    (void)state;
    fg_start(64 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct foreign_range *r = fg_reserve(FOREIGN_MACHINE, DOMID_IO, sizes[i]);
        uint64_t at;

        check_equal("kind of a new range", r->kind, FOREIGN_MACHINE);
        check_equal("domain of a new range", r->domain, DOMID_IO);
        check_equal("pages of a new range", r->nr, sizes[i]);
        check_equal("request slots of a new range", r->nr_requests, min_u64(sizes[i], 512));
        check_true("the request slots lie after page[] and inside the head",
                   (uint8_t *)r->requests == (uint8_t *)&r->page[sizes[i]] &&
                       (uintptr_t)r->requests + r->nr_requests * 32 <= r->pages - PAGE_SIZE);
        memset(r->requests, 0x5b, r->nr_requests * 32);
        fg_check("foreign window after filling the request slots");
        check_true("foreign_find in the guard page before a range finds nothing",
                   !foreign_find(&fg.window, r->pages - 1, &at));
        check_true("foreign_find in the head of a range finds nothing",
                   !foreign_find(&fg.window, r->start, &at));
        check_true("foreign_find of the first byte of a range",
                   foreign_find(&fg.window, r->pages, &at) == r && at == 0);
        check_true("foreign_find of the last byte of a range",
                   foreign_find(&fg.window, r->pages + sizes[i] * PAGE_SIZE - 1, &at) == r);
        check_equal("page index of the last byte of a range", at, sizes[i] - 1);
        check_true("foreign_find after a range finds nothing",
                   !foreign_find(&fg.window, r->pages + sizes[i] * PAGE_SIZE, &at));
    }
    check_true("foreign_find below the window finds nothing",
               !foreign_find(&fg.window, 0, &(uint64_t){0}));
    check_true("foreign_find above the window finds nothing",
               !foreign_find(&fg.window, UINT64_MAX, &(uint64_t){0}));
}

/* Random reservations, mappings and releases; each step is checked by fg_check(). */
static void test_random_sequences(void **state)
{
    struct rng rng = {.state = 0x464f5245};

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (int round = 0; round < 6; round++) {
        fg_start((uint64_t)(6 + 3 * round) << 20);
        for (int step = 0; step < 250; step++) {
            struct foreign_range *r = fg_any(&rng);
            uint64_t what = rng_below(&rng, 8), first, nr;

            if (!r || what < 3) {
                fg_try_reserve(rng_below(&rng, rng_below(&rng, 4) ? 40 : 900) + 1);
                continue;
            }
            if (what < 5 && foreign_unmap(&fg.window, r, 0, r->nr) == 0) {
                fg_release(r);
                continue;
            }
            first = rng_below(&rng, r->nr);
            nr = rng_below(&rng, min_u64(r->nr - first, 8)) + 1;
            if (what == 5)
                check_equal("foreign_unmap of a part of a range",
                            foreign_unmap(&fg.window, r, first, nr), 0);
            else
                fg_map_each(r, first, nr);
            fg_check("foreign window after a random step");
        }
        while (fg.window.first) {
            check_equal("foreign_unmap of a whole range",
                        foreign_unmap(&fg.window, fg.window.first, 0, fg.window.first->nr), 0);
            fg_release(fg.window.first);
        }
        fg_check_empty("foreign window after releasing all ranges");
    }
}

/* Three ranges share a page table: it stays when one is released, even if nothing is mapped yet. */
static void test_neighbours_share_a_table(void **state)
{
    static const uint64_t sizes[][3] = {
        {600,  1,   600},
        {500,  500, 500},
        {1,    1,   1  },
        {1000, 9,   3  }
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        for (unsigned int goes = 0; goes < 3; goes++) {
            struct foreign_range *r[3];

            fg_start(32 << 20);
            for (int k = 0; k < 3; k++)
                r[k] = fg_reserve(FOREIGN_MACHINE, DOMID_IO, sizes[i][k]);
            fg_release(r[goes]);
            for (unsigned int k = 0; k < 3; k++)
                if (k != goes)
                    for (uint64_t at = 0; at < r[k]->nr; at++)
                        fg_map_each(r[k], at, 1);
            fg_check("foreign window after releasing one of three ranges");
            fg_stop();
        }
}

static void test_full(void **state)
{
    struct foreign_range *r = NULL, *kept = NULL;
    unsigned int n = 0;

    (void)state;
    fg_start(1 << 20); /* 256 pages; a range of one takes 4 */
    check_equal("foreign_reserve of 0 pages",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 0, NULL, &r), -ENOSPC);
    check_equal("foreign_reserve of UINT64_MAX pages",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, UINT64_MAX, NULL, &r), -ENOSPC);
    check_equal("foreign_reserve of 252 pages in a window of 256",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 252, NULL, &r), -ENOSPC);
    while (!foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 1, NULL, &r)) {
        n++;
        kept = n == 20 ? r : kept;
    }
    check_equal("ranges of one page in a window of 256 pages", n, 64);
    fg_release(kept);
    check_equal("foreign_reserve of 2 pages into a gap for 1",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 2, NULL, &r), -ENOSPC);
    check_equal("foreign_reserve of 1 page into a gap for 1",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 1, NULL, &r), 0);
    check_equal("start of the range in the gap", r->start, FAKE_FOREIGN_BASE + 19 * 4 * PAGE_SIZE);
    while (fg.window.first)
        fg_release(fg.window.first);
    fg_check_empty("foreign window after releasing all ranges");
    check_equal("foreign_reserve of the whole window",
                foreign_reserve(&fg.window, FOREIGN_GRANT, 5, 249, NULL, &r), 0);
    fg_release(r);
    fg_check_empty("foreign window after releasing the one range");
}

/* Each frame that foreign_reserve allocates fails once. */
static void test_no_frames(void **state)
{
    struct foreign_range *r;
    uint64_t n = 0;
    int rc;

    (void)state;
    fg_start((uint64_t)4 << 30);
    (void)fg_reserve(FOREIGN_GRANT, 5, 700);
    do {
        struct guest_state before = guest_state(&fg.g), now;

        fg.g.frame_pool.fail_at = fg.g.frame_pool.nr_requests + ++n;
        rc = foreign_reserve(&fg.window, FOREIGN_MACHINE, DOMID_IO, 2100, NULL, &r);
        if (fg.g.frame_pool.nr_requests < fg.g.frame_pool.fail_at)
            break;
        check_equal("foreign_reserve without a frame", rc, -ENOMEM);
        now = guest_state(&fg.g);
        guest_check_state("guest state after foreign_reserve without a frame", &now, &before);
        fg_check("foreign window after foreign_reserve without a frame");
    } while (true);
    check_equal("foreign_reserve with all frames", rc, 0);
    check_equal("frames of a range of 2100 pages: 9 for its head, 4 page tables", n, 9 + 4 + 1);
}

static struct attempt {
    uint64_t nr;
    int rc;
    struct foreign_range *r;
} attempt;

static void reserve_once(void *arg)
{
    struct attempt *a = arg;

    a->rc = foreign_reserve(&fg.window, FOREIGN_MACHINE, DOMID_IO, a->nr, NULL, &a->r);
}

/* Each hypercall of foreign_reserve fails once: an error with nothing changed, or a panic. */
static void test_refused_by_xen(void **state)
{
    unsigned int n = 0, nr_refused = 0;

    (void)state;
    for (attempt.nr = 600;;) {
        struct guest_state before, now;
        const char *panic;

        fg_start(16 << 20);
        before = guest_state(&fg.g);
        panic = guest_fail_nth(++n, -XEN_EPERM, reserve_once, &attempt);
        if (panic) {
            check_says("panic of foreign_reserve", panic, ": cannot ");
            continue;
        }
        if (fake.nr_hypercalls < n)
            break;
        nr_refused++;
        check_equal("foreign_reserve with a refused hypercall", attempt.rc, -EPERM);
        now = guest_state(&fg.g);
        guest_check_state("guest state after a refused foreign_reserve", &now, &before);
    }
    check_equal("foreign_reserve without a failing hypercall", attempt.rc, 0);
    check_true("at least 8 refused hypercalls are returned as errors", nr_refused >= 8);
}

static void release_once(void *arg)
{
    struct attempt *a = arg;

    a->rc = foreign_release(&fg.window, a->r);
}

/* A hypercall of foreign_release that Xen refuses ends in a panic that names the page. */
static void test_release_refused(void **state)
{
    unsigned int n = 0, nr_heads = 0;

    (void)state;
    do {
        const char *panic;

        fg_start(16 << 20);
        attempt.r = fg_reserve(FOREIGN_MACHINE, DOMID_IO, 5);
        panic = guest_fail_nth(++n, -XEN_EPERM, release_once, &attempt);
        if (panic)
            check_true(panic, strstr(panic, ": cannot "));
        nr_heads += panic && strstr(panic, "cannot unmap the descriptor page at 0x230000000000");
    } while (fake.nr_hypercalls >= n);
    check_equal("foreign_release without a failing hypercall", attempt.rc, 0);
    check_equal("panics that name the page of the range's head", nr_heads, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_layout, fg_teardown),
        cmocka_unit_test_teardown(test_random_sequences, fg_teardown),
        cmocka_unit_test(test_neighbours_share_a_table),
        cmocka_unit_test_teardown(test_full, fg_teardown),
        cmocka_unit_test_teardown(test_no_frames, fg_teardown),
        cmocka_unit_test_teardown(test_refused_by_xen, fg_teardown),
        cmocka_unit_test_teardown(test_release_refused, fg_teardown),
    };

    return cmocka_run_group_tests_name("foreign window", tests, NULL, NULL);
}
