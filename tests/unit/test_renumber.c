/* SPDX-License-Identifier: MIT */
/*
 * Batches of M2P updates (MMU_MACHPHYS_UPDATE). Without this test Xen could be asked for one update
 * per hypercall, at four times the cost; the updates at the end of a batch could be skipped; or an
 * error in the middle of a batch could go unnoticed.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <xen/errno.h>

static struct guest g;

/* Starts a domain with @nr frames in a hole, up to the call of renumber(). */
static void start(uint64_t nr)
{
    static const struct fake_shape shape = {.nr_pages = 5000};
    const uint64_t sizes[] = {2000, nr, 9000, 0};

    guest_start(&g, &shape, sizes, 0);
    check_equal("revector at start", revector(&g.revector, &g.revectored), 0);
    fake.nr_hypercalls = 0;
}

static void test_batches(void **state)
{
    static const uint64_t sizes[] = {1, 511, 512, 513, 1023, 1024, 1025, 2000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        start(sizes[i]);
        check_equal("guest_renumber", guest_renumber(&g), 0);
        check_equal("frames renumbered, as counted by the callback", g.nr_renumbered, sizes[i]);
        check_equal("M2P updates that Xen received", fake.nr_m2p_updates, sizes[i]);
        check_equal("hypercalls of renumber", fake.nr_hypercalls, DIV_ROUND_UP(sizes[i], 512));
        check_equal("M2P updates that the batch counted", g.batch.nr_updates, sizes[i]);
        check_equal("hypercalls that the batch counted", g.batch.nr_hypercalls,
                    DIV_ROUND_UP(sizes[i], 512));
        for (uint64_t pfn = 0; pfn < 5000; pfn++)
            check_equal("M2P entry of the builder's frame",
                        m2p_get(&g.m2p, to_mfn(fake_builder_mfn(pfn))).v,
                        plan_renumbered(&g.plan, to_pfn(pfn)).v);
        fake_machine_stop();
    }
}

/* A PFN without a frame, as the builder of a domU may leave, gets no M2P update. */
static void test_pfns_without_a_frame(void **state)
{
    (void)state;
    start(600);
    g.p2m.list[g.plan.moves[0].to] = INVALID_ENTRY;
    check_equal("guest_renumber with a PFN without a frame", guest_renumber(&g), 0);
    check_equal("M2P updates with a PFN without a frame", fake.nr_m2p_updates, 599);
}

/*
 * A batch that fails half way: each M2P entry is the old one or the new one, in the order of the
 * moves, and the frame pool still has the old PFNs.
 */
static void test_half_a_batch(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 3; n++) {
        uint64_t free_before, done = (n - 1) * MMU_BATCH + 70, seen = 0;

        start(1100);
        free_before = g.frame_pool.free.runs[0].start;
        fake.fail_at = n;
        fake.fail_with = -XEN_EINVAL;
        fake.fail_after = 70;
        check_equal("guest_renumber with a batch that fails half way", guest_renumber(&g), -EINVAL);
        check_equal("M2P updates before the failure", fake.nr_m2p_updates, done);
        for (uint64_t pfn = 0; pfn < 5000; pfn++) {
            uint64_t new = plan_renumbered(&g.plan, to_pfn(pfn)).v;
            bool moved = new != pfn;

            check_equal("M2P entry of the builder's frame after the failure",
                        m2p_get(&g.m2p, to_mfn(fake_builder_mfn(pfn))).v,
                        moved && seen < done ? new : pfn);
            seen += moved;
        }
        check_equal("first free PFN after the failure", g.frame_pool.free.runs[0].start,
                    free_before);
        fake.fail_at = fake.fail_after = 0;
        fake_machine_stop();
    }
}

static void test_errors_are_heard(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 3; n++) {
        start(1100);
        fake.fail_at = n;
        fake.fail_with = -XEN_EPERM;
        check_equal("guest_renumber with a failing hypercall", guest_renumber(&g), -EPERM);
        fake_machine_stop();
    }
}

static void test_a_frame_that_is_not_ours(void **state)
{
    static struct mmu_batch b;

    (void)state;
    start(1);
    check_equal("mmu_batch_m2p of Xen's frame",
                mmu_batch_m2p(&b, maddr_to_mfn(g.domain.shared_info), to_pfn(5)), 0);
    check_equal("mmu_batch_flush of Xen's frame", mmu_batch_flush(&b), -XEN_EINVAL);
    check_equal("second mmu_batch_flush", mmu_batch_flush(&b), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_batches, fake_machine_teardown),
        cmocka_unit_test_teardown(test_pfns_without_a_frame, fake_machine_teardown),
        cmocka_unit_test_teardown(test_half_a_batch, fake_machine_teardown),
        cmocka_unit_test_teardown(test_errors_are_heard, fake_machine_teardown),
        cmocka_unit_test_teardown(test_a_frame_that_is_not_ours, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("renumber", tests, NULL, NULL);
}
