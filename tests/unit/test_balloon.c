/* SPDX-License-Identifier: MIT */
/*
 * Ballooning: XENMEM_decrease_reservation, XENMEM_populate_physmap, and the PFNs without a frame.
 * Without this test a frame could be returned to Xen while something maps it; or a frame or PFN
 * could be lost when Xen releases or populates fewer extents than it was asked for. The kernel
 * would notice only at a save, or after enough cycles of growing and shrinking to leave no memory.
 * Compared: the kernel's counts and sets with the fake Xen's frames, after each step.
 */
#include "xen/balloon.h"

#include "lib/errno.h"

#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>

#define NR_PAGES 3000
#define NR_MAX   3900
#define NR_RUNS  512

static struct guest g;
static struct balloon b;
static struct pfn_run empty_runs[NR_RUNS];
static uint64_t nr_ticks, last_tick, nr_in_use;

static void tick(void *context, uint64_t nr_pages)
{
    check_equal("context of the progress callback", (uintptr_t)context, (uintptr_t)&b);
    nr_ticks++;
    last_tick = nr_pages;
}

static int move(uint64_t target)
{
    return balloon_move(&b, target, tick, &b);
}

/* A frame that is about to be released must not be in the P2M list: Xen's tools could read it. */
static void check_not_in_list(uint64_t mfn)
{
    uint64_t pfn = fake.m2p.table[mfn];

    if (pfn < g.p2m.nr && g.p2m.list[pfn] == mfn)
        fail_msg("MFN %#lx is released while the P2M entry of PFN %#lx names it", mfn, pfn);
}

/*
 * Every PFN of the P2M list is one of four: not RAM; RAM in use; free, with a frame in the frame
 * pool; empty, without a frame. The counts agree with Xen's, and no frame is lost or counted twice.
 */
static void check_records(const char *what)
{
    uint64_t nr_filled = 0, nr_used = 0, nr_free = 0, nr_empty = 0, owned = 0;

    fixmap_unmap_all(&g.fixmap); /* a fixmap slot does not count as a use */
    for (uint64_t pfn = 0; pfn < g.p2m.nr; pfn++) {
        bool is_ram = ranges_find(&g.p2m.ranges, pfn).kind == RANGE_RAM;
        bool is_free = frame_pool_has(&g.frame_pool, to_pfn(pfn)),
             is_empty = pfn_runs_has(&b.empty, to_pfn(pfn));
        uint64_t mfn = g.p2m.list[pfn];
        struct fake_frame *f = mfn == INVALID_ENTRY ? NULL : fake_frame(mfn);

        check_true(what, !(is_free && is_empty));
        check_true(what, is_ram || !f);
        check_true(what, !is_free || f);
        check_true(what, !is_empty || is_ram);
        nr_free += is_free;
        nr_empty += is_empty;
        if (is_ram && !f && !is_empty)
            fail_msg("%s: PFN %#lx has no frame and is not in balloon.empty", what, pfn);
        if (f && is_empty)
            fail_msg("%s: PFN %#lx has a frame and is in balloon.empty", what, pfn);
        if (!f)
            continue;
        nr_filled++;
        check_equal(what, fake.m2p.table[mfn], pfn);
        check_true(what, !f->foreign);
        if (is_free && (f->refs || f->type_count))
            fail_msg("%s: PFN %#lx is in the frame pool and in use", what, pfn);
        nr_used += !is_free;
    }
    for (uint64_t i = 0; i < fake.nr_mfns; i++)
        owned += !fake_frame(fake.first_mfn + i)->foreign;
    check_equal(what, b.nr_pages, nr_filled);
    check_equal(what, owned, nr_filled);
    check_equal(what, nr_free, g.frame_pool.free.nr_pfns);
    check_equal(what, nr_empty, b.empty.nr_pfns);
    check_equal(what, nr_used, nr_in_use);
}

/* Starts a guest whose P2M list has room for NR_MAX pages, around two holes. */
static void start(void)
{
    static const uint64_t sizes[] = {700, 100, 2500, 333, 9000, 0};
    static const struct fake_shape shape = {.nr_pages = NR_PAGES};

    guest_start(&g, &shape, sizes, NR_MAX);
    check_equal("guest_revector at start", guest_revector(&g), 0);
    b = (struct balloon){.p2m = &g.p2m, .pool = &g.frame_pool, .fixmap = &g.fixmap};
    check_equal("balloon_start with enough runs", balloon_start(&b, &g.plan, empty_runs, NR_RUNS),
                0);
    fake.on_release = check_not_in_list;
    fake.nr_hypercalls = 0;
    nr_ticks = 0;
    nr_in_use = NR_PAGES - g.frame_pool.free.nr_pfns;
}

static void test_start(void **state)
{
    (void)state;
    start();
    check_equal("balloon.nr_pages at start", b.nr_pages, NR_PAGES);
    check_true("PFNs without a frame at start: enough to grow to NR_MAX",
               b.empty.nr_pfns >= NR_MAX - NR_PAGES);
    check_records("PFNs and frames at the start");
    for (size_t cap = 0; cap < 2; cap++) /* the memory map has two runs of RAM with empty PFNs */
        check_equal("balloon_start with too few runs", balloon_start(&b, &g.plan, empty_runs, cap),
                    -ENOMEM);
}

static void test_out_and_in(void **state)
{
    uint64_t room;

    (void)state;
    start();
    room = b.empty.nr_pfns;
    check_equal("balloon_move to the present size", move(NR_PAGES), 0);
    check_equal("hypercalls of balloon_move to the present size", fake.nr_hypercalls, 0);
    check_equal("balloon_move to 600 pages less", move(NR_PAGES - 600), 0);
    check_equal("balloon.nr_pages after releasing 600 pages", b.nr_pages, NR_PAGES - 600);
    check_equal("empty PFNs after releasing 600 pages", b.empty.nr_pfns, room + 600);
    check_equal("page count in the last progress callback", last_tick, b.nr_pages);
    check_true("at least two progress callbacks for 600 pages", nr_ticks >= 2);
    check_records("PFNs and frames after releasing 600 pages");
    check_equal("balloon_move back to the size at start", move(NR_PAGES), 0);
    check_equal("balloon.nr_pages after populating 600 pages", b.nr_pages, NR_PAGES);
    check_records("PFNs and frames after populating 600 pages");
    check_equal("balloon_move to NR_MAX", move(NR_MAX), 0);
    check_equal("balloon.nr_pages after growing to NR_MAX", b.nr_pages, NR_MAX);
    check_records("PFNs and frames after growing to NR_MAX");
}

/* The smallest and the largest size: the reserve of free frames stays, and frames in use stay. */
static void test_to_the_ends(void **state)
{
    uint64_t full;

    (void)state;
    start();
    full = b.nr_pages + b.empty.nr_pfns;
    check_equal("balloon_move to 0", move(0), 0);
    check_equal("free frames at the smallest size", g.frame_pool.free.nr_pfns, BALLOON_RESERVE);
    check_equal("balloon.nr_pages at the smallest size", b.nr_pages, nr_in_use + BALLOON_RESERVE);
    check_records("PFNs and frames at the smallest size");
    check_equal("balloon_move to 1 at the smallest size", move(1), 0);
    check_equal("balloon.nr_pages after a move below the smallest size", b.nr_pages,
                nr_in_use + BALLOON_RESERVE);
    check_equal("balloon_move to UINT64_MAX", move(UINT64_MAX), 0);
    if (b.empty.nr_pfns)
        check_equal("frames of the machine, all populated at the largest size", fake.nr_mfns - 1,
                    b.nr_pages);
    else
        check_equal("balloon.nr_pages at the largest size, all PFNs populated", b.nr_pages, full);
    check_records("PFNs and frames at the largest size");
}

/* A fixmap slot still maps a free frame, for example a former page table: it must be released too.
 */
static void test_a_frame_that_is_shown(void **state)
{
    struct frame_cursor c = {.frame_pool = &g.frame_pool};
    mfn_t mfn;

    (void)state;
    start();
    while (frame_pool_next(&c, &mfn) == 0)
        check_true("fixmap_map of a free frame",
                   fixmap_map(&g.fixmap, (unsigned int)(c.nr_done % NR_FIXMAP_SLOTS), mfn,
                              PTE_RO) != NULL);
    check_equal("balloon_move to 0 with free frames in the fixmap", move(0), 0);
    check_records("PFNs and frames after releasing frames in the fixmap");
}

/* No room in the array of empty runs for one more run: nothing moves. */
static void test_no_room_for_a_run(void **state)
{
    struct pfn_run run;

    (void)state;
    start();
    check_equal("balloon_move to NR_PAGES + 50", move(NR_PAGES + 50), 0);
    b.empty.cap_runs = b.empty.nr_runs;
    run = g.frame_pool.free.runs[g.frame_pool.free.nr_runs - 1];
    check_equal("taking the last PFN of the last free run",
                frame_pool_exclude(&g.frame_pool, run.end - 1, run.end), 0);
    check_equal("taking the first PFN of the last free run",
                frame_pool_exclude(&g.frame_pool, run.start, run.start + 1), 0);
    nr_in_use += 2;
    check_equal("balloon_move with a full array of empty runs", move(NR_PAGES - 100), -ENOMEM);
    check_equal("balloon.nr_pages after a move with a full array of empty runs", b.nr_pages,
                NR_PAGES + 50);
    check_records("PFNs and frames after a move with a full array of empty runs");
}

/* Xen releases or populates only some of the extents of a request. */
static void test_partial(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 1100; limit += limit < 4 ? 1 : 251) {
        start();
        fake.limited = true;
        fake.nr_extents_left = limit;
        check_equal("balloon_move out, Xen releases only some extents", move(NR_PAGES - 1100), 0);
        check_equal("balloon.nr_pages after a partial release", b.nr_pages, NR_PAGES - limit);
        check_records("PFNs and frames after a partial release");
        fake.nr_extents_left = UINT64_MAX;
        check_equal("balloon_move of the rest out", move(NR_PAGES - 1100), 0);
        check_equal("balloon.nr_pages after releasing the rest", b.nr_pages, NR_PAGES - 1100);
        fake.nr_extents_left = limit;
        check_equal("balloon_move in, Xen populates only some extents", move(NR_PAGES), 0);
        check_equal("balloon.nr_pages after a partial populate", b.nr_pages,
                    NR_PAGES - 1100 + limit);
        check_records("PFNs and frames after a partial populate");
        fake_machine_stop();
    }
}

/* Random moves, compared with a model of one number; some are cut short, some frames are in use. */
static void test_random_moves(void **state)
{
    struct rng r = {.state = 42};

    (void)state;
    start();
    fake.limited = true;
    for (unsigned int i = 0; i < 150; i++) {
        uint64_t target = NR_PAGES - 1800 + rng_below(&r, 2600), before = b.nr_pages, want;
        uint64_t smallest = nr_in_use + min_u64(g.frame_pool.free.nr_pfns, BALLOON_RESERVE);
        uint64_t largest = min_u64(b.nr_pages + b.empty.nr_pfns, fake.nr_mfns - 1);
        uint64_t step = rng_below(&r, 4) ? UINT64_MAX : rng_below(&r, 700);
        mfn_t taken;

        if (rng_below(&r, 3) == 0 && frame_pool_alloc(&g.frame_pool, &taken) == 0) {
            check_equal("fake_get_type of a frame taken from the frame pool",
                        fake_get_type(taken.v, FAKE_WRITABLE), 0);
            nr_in_use++;
            smallest = nr_in_use + min_u64(g.frame_pool.free.nr_pfns, BALLOON_RESERVE);
        }
        fake.nr_extents_left = step;
        check_equal("balloon_move to a random target", move(target), 0);
        want = target < smallest ? smallest : target > largest ? largest : target;
        if (want < before)
            want = before - want > step ? before - step : want;
        else
            want = want - before > step ? before + step : want;
        check_equal("balloon.nr_pages against the model", b.nr_pages, want);
        check_records("PFNs and frames after a random move");
    }
    check_true("empty or free PFNs are in more than one run",
               b.empty.nr_runs > 1 || g.frame_pool.free.nr_runs > 1);
}

static void out_and_in(void *rc)
{
    *(int *)rc = move(NR_PAGES - 1400);
    if (*(int *)rc == 0)
        *(int *)rc = move(NR_PAGES);
}

/* The tools of a live migration look at a page again only if Xen's M2P update marks it dirty. */
static void test_new_pages_are_dirty(void **state)
{
    uint64_t before;

    (void)state;
    start();
    check_equal("balloon_move out", move(NR_PAGES - 1400), 0);
    before = fake.nr_m2p_updates;
    check_equal("balloon_move in", move(NR_PAGES), 0);
    check_equal("M2P updates for the pages that came back", fake.nr_m2p_updates - before, 1400);
}

/* Each hypercall fails once: the counts are right, or the call ends in a panic with the reason. */
static void test_every_hypercall_failing(void **state)
{
    unsigned int n, nr_panics = 0, nr_errors = 0;

    (void)state;
    for (n = 1;; n++) {
        const struct pfn_run *top;
        const char *panic;
        int rc = 0;

        start();
        top = &g.frame_pool.free
                   .runs[g.frame_pool.free.nr_runs - 1]; /* the run that is released first */
        for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot += 3) {
            mfn_t mfn = p2m_get_ram(&g.p2m, to_pfn(top->end - 1 - slot * 20));

            check_true("fixmap_map of a frame that is released first",
                       fixmap_map(&g.fixmap, slot, mfn, PTE_RO) != NULL);
        }
        panic = guest_fail_nth(n, -XEN_ENOMEM, out_and_in, &rc);
        if (panic) {
            check_says("panic for a fixmap slot that cannot be emptied", panic,
                       "Bail out! fixmap: cannot unmap slot ");
            nr_panics++;
        } else {
            if (rc) { /* no M2P update: the page may be missing after a live migration */
                check_equal("balloon_move whose M2P update fails", rc, -ENOMEM);
                nr_errors++;
            }
            check_records("PFNs and frames after a failed hypercall");
            check_equal("balloon_move back after a failed hypercall", move(NR_PAGES), 0);
            check_equal("balloon.nr_pages after the move back", b.nr_pages, NR_PAGES);
        }
        if (fake.nr_hypercalls < n)
            break;
        fake_machine_stop();
    }
    check_true("number of hypercalls that were made to fail is above 6", n > 6);
    check_true("some failing hypercalls end in a panic", nr_panics > 0);
    check_true("a failing M2P update is reported", nr_errors > 0);
}

/* A PFN without a frame gets one, as in a live migration. */
static void fill(uint64_t pfn)
{
    uint64_t at = pfn;

    check_true("the PFN to fill is in balloon.empty", pfn_runs_has(&b.empty, to_pfn(pfn)));
    for (uint64_t i = 0; i < fake.nr_mfns - 1; i++) {
        struct fake_frame *f = fake_frame(fake.first_mfn + (i * 31 + at) % (fake.nr_mfns - 1));

        if (!f->foreign)
            continue;
        f->foreign = false;
        at = fake.first_mfn + (i * 31 + pfn) % (fake.nr_mfns - 1);
        fake_set_m2p(at, pfn);
        g.p2m.list[pfn] = at;
        return;
    }
    fail_msg("the machine has no frame for PFN %#lx", pfn);
}

static void test_reconcile(void **state)
{
    uint64_t nr_found, start_pfn, end_pfn;

    (void)state;
    start();
    check_equal("balloon_move to 900 pages less", move(NR_PAGES - 900), 0);
    check_equal("balloon_reconcile without refilled PFNs", balloon_reconcile(&b, &nr_found), 0);
    check_equal("refilled PFNs found, none exist", nr_found, 0);

    for (int takes = 0; takes < 2; takes++) {
        struct pfn_run *run = &b.empty.runs[b.empty.nr_runs - 1];
        uint64_t pages = b.nr_pages;

        start_pfn = run->start;
        end_pfn = run->end;
        check_true("an empty run of more than 100 PFNs", end_pfn - start_pfn > 100);
        fill(start_pfn);
        fill(start_pfn + 5);
        fill(start_pfn + 6);
        fill(start_pfn + 50);
        fill(end_pfn - 1);
        fake.limited = true;
        fake.nr_extents_left = takes ? UINT64_MAX : 0;
        check_equal("balloon_reconcile with 5 refilled PFNs", balloon_reconcile(&b, &nr_found), 0);
        check_equal("refilled PFNs found of 5", nr_found, 5);
        check_equal("balloon.nr_pages after balloon_reconcile", b.nr_pages,
                    takes ? pages : pages + 5);
        check_records("PFNs and frames after balloon_reconcile");
        check_equal("second balloon_reconcile", balloon_reconcile(&b, &nr_found), 0);
        check_equal("refilled PFNs found by the second balloon_reconcile", nr_found, 0);
    }
}

static void reconcile(void *nr_found)
{
    check_equal("balloon_reconcile with a failing hypercall", balloon_reconcile(&b, nr_found), 0);
}

static void test_reconcile_failing(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 3; n++) {
        uint64_t nr_found;

        start();
        check_equal("balloon_move to 900 pages less", move(NR_PAGES - 900), 0);
        fill(b.empty.runs[0].start + 3);
        fill(b.empty.runs[0].start + 7);
        check_true("balloon_reconcile with a failing hypercall does not panic",
                   !guest_fail_nth(n, -XEN_EPERM, reconcile, &nr_found));
        check_equal("refilled PFNs found of 2", nr_found, 2);
        check_equal("hypercalls of balloon_reconcile", fake.nr_hypercalls, 2);
        check_equal("balloon.nr_pages after a release that Xen refused", b.nr_pages,
                    NR_PAGES - 900 + (n <= 2));
        check_records("PFNs and frames after a release that Xen refused");
        fake_machine_stop();
    }
}

/* Two refilled PFNs are runs of their own, and Xen takes neither frame back. */
static void test_reconcile_every_run(void **state)
{
    uint64_t nr_found, p, q;

    (void)state;
    start();
    check_equal("emptying balloon.empty", pfn_runs_remove(&b.empty, 0, UINT64_MAX), 0);
    p = g.frame_pool.free.runs[g.frame_pool.free.nr_runs - 1].end - 1;
    q = p - 2;
    check_equal("taking PFN p from the frame pool", frame_pool_exclude(&g.frame_pool, p, p + 1), 0);
    check_equal("taking PFN q from the frame pool", frame_pool_exclude(&g.frame_pool, q, q + 1), 0);
    check_equal("adding PFN p to balloon.empty", pfn_runs_add(&b.empty, p, p + 1), 0);
    check_equal("adding PFN q to balloon.empty", pfn_runs_add(&b.empty, q, q + 1), 0);
    b.nr_pages -= 2; /* the P2M entries of p and q name frames, as after a live migration */
    fake.limited = true;
    fake.nr_extents_left = 0;
    check_equal("balloon_reconcile of p and q, Xen releases no extent",
                balloon_reconcile(&b, &nr_found), 0);
    check_equal("refilled PFNs found of p and q", nr_found, 2);
}

/* No room in the array of free runs for the frames that would be populated: none is populated. */
static void test_pool_is_full(void **state)
{
    mfn_t taken;

    (void)state;
    start();
    check_equal("balloon_move to 10 pages less", move(NR_PAGES - 10), 0);
    check_equal("taking a frame between the free runs", frame_pool_alloc(&g.frame_pool, &taken), 0);
    check_equal("fake_get_type of the taken frame", fake_get_type(taken.v, FAKE_WRITABLE), 0);
    nr_in_use++;
    g.frame_pool.free.cap_runs = g.frame_pool.free.nr_runs;
    check_equal("balloon_move in with a full array of free runs", move(NR_PAGES), -ENOMEM);
    check_records("PFNs and frames after a move with a full array of free runs");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_start, fake_machine_teardown),
        cmocka_unit_test_teardown(test_out_and_in, fake_machine_teardown),
        cmocka_unit_test_teardown(test_to_the_ends, fake_machine_teardown),
        cmocka_unit_test_teardown(test_a_frame_that_is_shown, fake_machine_teardown),
        cmocka_unit_test_teardown(test_no_room_for_a_run, fake_machine_teardown),
        cmocka_unit_test(test_partial),
        cmocka_unit_test_teardown(test_random_moves, fake_machine_teardown),
        cmocka_unit_test_teardown(test_new_pages_are_dirty, fake_machine_teardown),
        cmocka_unit_test_teardown(test_every_hypercall_failing, fake_machine_teardown),
        cmocka_unit_test_teardown(test_reconcile, fake_machine_teardown),
        cmocka_unit_test(test_reconcile_failing),
        cmocka_unit_test(test_reconcile_every_run),
        cmocka_unit_test(test_pool_is_full),
    };

    return cmocka_run_group_tests_name("balloon", tests, NULL, NULL);
}
