/* SPDX-License-Identifier: MIT */
/*
 * Failures during revectoring. Without this test a failing hypercall or an empty frame pool could
 * leave a half-built P2M list, while the kernel reports that the builder's list is still in use.
 * Each hypercall fails once, and each frame allocation fails once; afterwards the list, the pool
 * and the mappings must be as before.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <stdio.h>
#include <xen/errno.h>

static struct guest g;

/* clang-format off */
static const struct row {
    const char *what;
    struct fake_shape shape;
    uint64_t sizes[6];
} rows[] = {
    {"list in its slot", {.nr_pages = 3000}, {1500, 700, 90000, 0}},
    {"room beyond a hole", {.nr_pages = 3000}, {4000, 300000, 90000, 0}},
    {"list in the kernel's mapping",
     {.nr_pages = 3000, .list = FAKE_LIST_IN_KERNEL},
     {1500, 700, 90000, 0}},
};
/* clang-format on */

static void start(const struct row *row)
{
    guest_start(&g, &row->shape, row->sizes, 9000);
}

static void call_revector(void *rc)
{
    *(int *)rc = revector(&g.revector, &g.revectored);
}

/* Checks that the builder's list is still in use, and that a second revector() succeeds. */
static void check_undone(const char *what, const struct guest_state *before)
{
    struct guest_state after = guest_state(&g);

    guest_check_state(what, &after, before);
    for (uint64_t pfn = 0; pfn < g.domain.shape.nr_pages; pfn++)
        check_equal(what, g.p2m.list[pfn], fake_builder_mfn(pfn));
    guest_check_frames(what, &g, 0, 0);
    check_equal(what, guest_revector(&g), 0);
    for (uint64_t pfn = 0; pfn < g.domain.shape.nr_pages; pfn++)
        check_equal(what, g.p2m.list[plan_renumbered(&g.plan, to_pfn(pfn)).v],
                    fake_builder_mfn(pfn));
    guest_check_frames(what, &g, 0, 0);
}

static void test_each_hypercall_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        unsigned int nr_undone = 0;
        int rc = -1;

        for (unsigned int n = 1; rc; n++) {
            struct guest_state before;
            const char *panic;
            char what[80];

            snprintf(what, sizeof(what), "%s, hypercall %u fails", rows[i].what, n);
            start(&rows[i]);
            before = guest_state(&g);
            panic = guest_fail_nth(n, -XEN_EINVAL, call_revector, &rc);
            if (panic) {
                /* unmapping a fixmap slot, reading a page table, flushing: failures panic */
                check_says(what, panic, ": cannot ");
                rc = -1;
            } else if (rc) {
                check_undone(what, &before);
                nr_undone++;
            } else {
                check_true(what, fake.nr_hypercalls < n);
            }
        }
        /* three pages of heap, the shared leaf, the page tables, the pin, the level 4 entry */
        check_equal(rows[i].what, nr_undone, 3 + 1 + g.revectored.nr_tables + 2);
    }
}

static void test_each_frame_is_missing(void **state)
{
    static struct pfn_run drained_runs[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int rc = -ENOMEM;

        for (uint64_t left = 0; rc; left++) {
            struct guest_state before;
            struct frame_pool drained;
            char what[80];

            snprintf(what, sizeof(what), "%s, %lu frames left", rows[i].what, left);
            start(&rows[i]);
            frame_pool_init(&drained, drained_runs, ARRAY_SIZE(drained_runs), &g.p2m, &g.m2p);
            check_equal(
                what, frame_pool_reserve(&g.frame_pool, g.frame_pool.free.nr_pfns - left, &drained),
                0);
            before = guest_state(&g);
            output_clear();
            rc = revector(&g.revector, &g.revectored);
            if (!rc)
                break;
            check_equal(what, rc, -ENOMEM);
            check_says(what, output(), "P2M move: ");
            struct guest_state after = guest_state(&g);

            guest_check_state(what, &after, &before);
            check_equal(what, frame_pool_release(&g.frame_pool, &drained), 0);
            before = guest_state(&g);
            check_undone(what, &before);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_hypercall_fails, fake_machine_teardown),
        cmocka_unit_test_teardown(test_each_frame_is_missing, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("revector fails", tests, NULL, NULL);
}
