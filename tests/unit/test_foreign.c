/* SPDX-License-Identifier: MIT */
/*
 * Without this two ranges of the foreign window could overlap, a guard could be missing behind a
 * device's page, or a range could lose the tables under it when its neighbour goes: what is mapped
 * next would be written into a table of another level. Reservations are held against a bitmap.
 */
#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

static void test_layout(void **state)
{
    static const uint64_t sizes[] = {1, 2, 80, 102, 103, 511, 512, 513, 1024, 5000};

    (void)state;
    wg_start(64 << 20);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct foreign_range *r = wg_reserve(FOREIGN_MACHINE, DOMID_IO, sizes[i]);
        uint64_t at;

        check_equal("kind", r->kind, FOREIGN_MACHINE);
        check_equal("domain", r->domain, DOMID_IO);
        check_equal("pages", r->nr, sizes[i]);
        check_equal("room for requests", r->nr_requests, min_u64(sizes[i], 512));
        check_true("and behind the pages",
                   (uint8_t *)r->requests == (uint8_t *)&r->page[sizes[i]] &&
                       (uintptr_t)r->requests + r->nr_requests * 32 <= r->pages - PAGE_SIZE);
        memset(r->requests, 0x5b, r->nr_requests * 32);
        wg_check("as it should be");
        check_true("before it: a guard", !foreign_find(&wg.window, r->pages - 1, &at));
        check_true("before it: its head", !foreign_find(&wg.window, r->start, &at));
        check_true("its first byte", foreign_find(&wg.window, r->pages, &at) == r && at == 0);
        check_true("its last byte",
                   foreign_find(&wg.window, r->pages + sizes[i] * PAGE_SIZE - 1, &at) == r);
        check_equal("on the last page", at, sizes[i] - 1);
        check_true("behind it", !foreign_find(&wg.window, r->pages + sizes[i] * PAGE_SIZE, &at));
    }
    check_true("below", !foreign_find(&wg.window, 0, &(uint64_t){0}));
    check_true("above", !foreign_find(&wg.window, UINT64_MAX, &(uint64_t){0}));
}

/* Whatever is reserved, mapped and released, in any order: see wg_check. */
static void test_random_sequences(void **state)
{
    struct rng rng = {.state = 0x464f5245};

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (int round = 0; round < 6; round++) {
        wg_start((uint64_t)(6 + 3 * round) << 20);
        for (int step = 0; step < 250; step++) {
            struct foreign_range *r = wg_any(&rng);
            uint64_t what = rng_below(&rng, 8), first, nr;

            if (!r || what < 3) {
                wg_try_reserve(rng_below(&rng, rng_below(&rng, 4) ? 40 : 900) + 1);
                continue;
            }
            if (what < 5 && foreign_unmap(&wg.window, r, 0, r->nr) == 0) {
                wg_release(r);
                continue;
            }
            first = rng_below(&rng, r->nr);
            nr = rng_below(&rng, min_u64(r->nr - first, 8)) + 1;
            if (what == 5)
                check_equal("unmap", foreign_unmap(&wg.window, r, first, nr), 0);
            else
                wg_map_each(r, first, nr);
            wg_check("after a step");
        }
        while (wg.window.first) {
            check_equal("unmap", foreign_unmap(&wg.window, wg.window.first, 0, wg.window.first->nr),
                        0);
            wg_release(wg.window.first);
        }
        wg_check_empty("all is given back");
    }
}

/* Two ranges with a table in common: it stays for the one that stays, if empty as yet. */
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

            wg_start(32 << 20);
            for (int k = 0; k < 3; k++)
                r[k] = wg_reserve(FOREIGN_MACHINE, DOMID_IO, sizes[i][k]);
            wg_release(r[goes]);
            for (unsigned int k = 0; k < 3; k++)
                if (k != goes)
                    for (uint64_t at = 0; at < r[k]->nr; at++)
                        wg_map_each(r[k], at, 1);
            wg_check("what is left");
            wg_stop();
        }
}

static void test_full(void **state)
{
    struct foreign_range *r = NULL, *kept = NULL;
    unsigned int n = 0;

    (void)state;
    wg_start(1 << 20); /* 256 pages; a range of one takes 4 */
    check_equal("no pages", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 0, NULL, &r), -ENOSPC);
    check_equal("too many", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, UINT64_MAX, NULL, &r),
                -ENOSPC);
    check_equal("all but one", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 252, NULL, &r),
                -ENOSPC);
    while (!foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 1, NULL, &r)) {
        n++;
        kept = n == 20 ? r : kept;
    }
    check_equal("ranges", n, 64);
    wg_release(kept);
    check_equal("too wide for the gap", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 2, NULL, &r),
                -ENOSPC);
    check_equal("not for this", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 1, NULL, &r), 0);
    check_equal("there", r->start, FAKE_FOREIGN_BASE + 19 * 4 * PAGE_SIZE);
    while (wg.window.first)
        wg_release(wg.window.first);
    wg_check_empty("after that");
    check_equal("all of it", foreign_reserve(&wg.window, FOREIGN_GRANT, 5, 249, NULL, &r), 0);
    wg_release(r);
    wg_check_empty("after that, too");
}

/* Each frame that a range takes may be the one that is not there. */
static void test_no_frames(void **state)
{
    struct foreign_range *r;
    uint64_t n = 0;
    int rc;

    (void)state;
    wg_start((uint64_t)4 << 30);
    (void)wg_reserve(FOREIGN_GRANT, 5, 700);
    do {
        struct guest_state before = guest_state(&wg.g), now;

        wg.g.frame_pool.fail_at = wg.g.frame_pool.nr_requests + ++n;
        rc = foreign_reserve(&wg.window, FOREIGN_MACHINE, DOMID_IO, 2100, NULL, &r);
        if (wg.g.frame_pool.nr_requests < wg.g.frame_pool.fail_at)
            break;
        check_equal("without a frame", rc, -ENOMEM);
        now = guest_state(&wg.g);
        guest_check_state("without a frame", &now, &before);
        wg_check("the other range");
    } while (true);
    check_equal("in the end", rc, 0);
    check_equal("frames: 9 of head, 4 tables", n, 9 + 4 + 1);
}

static struct attempt {
    uint64_t nr;
    int rc;
    struct foreign_range *r;
} attempt;

static void reserve_once(void *arg)
{
    struct attempt *a = arg;

    a->rc = foreign_reserve(&wg.window, FOREIGN_MACHINE, DOMID_IO, a->nr, NULL, &a->r);
}

/* And each hypercall: an error with nothing taken, or a panic when nothing can be undone. */
static void test_refused_by_xen(void **state)
{
    unsigned int n = 0, nr_refused = 0;

    (void)state;
    for (attempt.nr = 600;;) {
        struct guest_state before, now;
        const char *panic;

        wg_start(16 << 20);
        before = guest_state(&wg.g);
        panic = guest_fail_nth(++n, -XEN_EPERM, reserve_once, &attempt);
        if (panic) {
            check_says("reading and undoing", panic, ": cannot ");
            continue;
        }
        if (fake.nr_hypercalls < n)
            break;
        nr_refused++;
        check_equal("errno", attempt.rc, -EPERM);
        now = guest_state(&wg.g);
        guest_check_state("refused", &now, &before);
    }
    check_equal("in the end", attempt.rc, 0);
    check_true("some may be refused", nr_refused >= 8);
}

static void release_once(void *arg)
{
    struct attempt *a = arg;

    a->rc = foreign_release(&wg.window, a->r);
}

/* What Xen will not take back is a panic that names it: there is no way on from there. */
static void test_release_refused(void **state)
{
    unsigned int n = 0, nr_heads = 0;

    (void)state;
    do {
        const char *panic;

        wg_start(16 << 20);
        attempt.r = wg_reserve(FOREIGN_MACHINE, DOMID_IO, 5);
        panic = guest_fail_nth(++n, -XEN_EPERM, release_once, &attempt);
        if (panic)
            check_true(panic, strstr(panic, ": cannot "));
        nr_heads += panic && strstr(panic, "cannot unmap and free the head page at 0x230000000000");
    } while (fake.nr_hypercalls >= n);
    check_equal("released", attempt.rc, 0);
    check_equal("its head", nr_heads, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_layout, wg_teardown),
        cmocka_unit_test_teardown(test_random_sequences, wg_teardown),
        cmocka_unit_test(test_neighbours_share_a_table),
        cmocka_unit_test_teardown(test_full, wg_teardown),
        cmocka_unit_test_teardown(test_no_frames, wg_teardown),
        cmocka_unit_test_teardown(test_refused_by_xen, wg_teardown),
        cmocka_unit_test_teardown(test_release_refused, wg_teardown),
    };

    return cmocka_run_group_tests_name("foreign window", tests, NULL, NULL);
}
