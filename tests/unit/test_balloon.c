/* SPDX-License-Identifier: MIT */
/*
 * Without this a frame could be given back to Xen while something maps it, or be lost between the
 * two sets when Xen takes or gives less than it was asked for; and the guest would find out when it
 * is saved, or when it has grown and shrunk often enough to have nothing left.
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
    check_equal("context", (uintptr_t)context, (uintptr_t)&b);
    nr_ticks++;
    last_tick = nr_pages;
}

static int move(uint64_t target)
{
    return balloon_move(&b, target, tick, &b);
}

/* No tool may find a frame in the list that is about to go. */
static void check_not_in_list(uint64_t mfn)
{
    uint64_t pfn = fake.m2p.table[mfn];

    if (pfn < g.p2m.nr && g.p2m.list[pfn] == mfn)
        fail_msg("frame %#lx goes while PFN %#lx has it", mfn, pfn);
}

/*
 * Every PFN that the list has room for is one of four: not RAM; RAM in use; free, with a frame that
 * nobody uses; empty, without one. Xen agrees, and nothing is lost or counted twice.
 */
static void check_books(const char *what)
{
    uint64_t nr_filled = 0, nr_used = 0, nr_free = 0, nr_empty = 0, owned = 0;

    fixmap_unmap_all(&g.fixmap); /* being shown is no use */
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
            fail_msg("%s: PFN %#lx has no frame and is not empty", what, pfn);
        if (f && is_empty)
            fail_msg("%s: PFN %#lx has a frame and is empty", what, pfn);
        if (!f)
            continue;
        nr_filled++;
        check_equal(what, fake.m2p.table[mfn], pfn);
        check_true(what, !f->foreign);
        if (is_free && (f->refs || f->type_count))
            fail_msg("%s: PFN %#lx is free and in use", what, pfn);
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

/* The guest has grown to a list with room for NR_MAX pages, around two holes. */
static void start(void)
{
    static const uint64_t sizes[] = {700, 100, 2500, 333, 9000, 0};
    static const struct fake_shape shape = {.nr_pages = NR_PAGES};

    guest_start(&g, &shape, sizes, NR_MAX);
    check_equal("revector", guest_revector(&g), 0);
    b = (struct balloon){.p2m = &g.p2m, .pool = &g.frame_pool, .fixmap = &g.fixmap};
    check_equal("start", balloon_start(&b, &g.plan, empty_runs, NR_RUNS), 0);
    fake.on_release = check_not_in_list;
    fake.nr_hypercalls = 0;
    nr_ticks = 0;
    nr_in_use = NR_PAGES - g.frame_pool.free.nr_pfns;
}

static void test_start(void **state)
{
    (void)state;
    start();
    check_equal("pages", b.nr_pages, NR_PAGES);
    check_true("room to grow", b.empty.nr_pfns >= NR_MAX - NR_PAGES);
    check_books("at the start");
    for (size_t cap = 0; cap < 2; cap++) /* the map has two runs of RAM that are empty in part */
        check_equal("too few runs", balloon_start(&b, &g.plan, empty_runs, cap), -ENOMEM);
}

static void test_out_and_in(void **state)
{
    uint64_t room;

    (void)state;
    start();
    room = b.empty.nr_pfns;
    check_equal("nowhere", move(NR_PAGES), 0);
    check_equal("costs nothing", fake.nr_hypercalls, 0);
    check_equal("out", move(NR_PAGES - 600), 0);
    check_equal("pages", b.nr_pages, NR_PAGES - 600);
    check_equal("empty", b.empty.nr_pfns, room + 600);
    check_equal("said", last_tick, b.nr_pages);
    check_true("in batches", nr_ticks >= 2);
    check_books("out");
    check_equal("in", move(NR_PAGES), 0);
    check_equal("pages", b.nr_pages, NR_PAGES);
    check_books("in again");
    check_equal("further", move(NR_MAX), 0);
    check_equal("pages", b.nr_pages, NR_MAX);
    check_books("as far as planned");
}

/* As far as it goes: a reserve stays, and what is in use stays. */
static void test_to_the_ends(void **state)
{
    uint64_t full;

    (void)state;
    start();
    full = b.nr_pages + b.empty.nr_pfns;
    check_equal("as small as can be", move(0), 0);
    check_equal("the reserve is there", g.frame_pool.free.nr_pfns, BALLOON_RESERVE);
    check_equal("and what is in use", b.nr_pages, nr_in_use + BALLOON_RESERVE);
    check_books("small");
    check_equal("smaller", move(1), 0);
    check_equal("no", b.nr_pages, nr_in_use + BALLOON_RESERVE);
    check_equal("as large as can be", move(UINT64_MAX), 0);
    if (b.empty.nr_pfns)
        check_equal("Xen has no more", fake.nr_mfns - 1, b.nr_pages);
    else
        check_equal("the list has no more room", b.nr_pages, full);
    check_books("large");
}

/* A free frame that a fixmap slot still maps is given to Xen, too. */
static void test_a_frame_that_is_shown(void **state)
{
    struct frame_cursor c = {.frame_pool = &g.frame_pool};
    mfn_t mfn;

    (void)state;
    start();
    while (frame_pool_next(&c, &mfn) == 0)
        check_true("shown", fixmap_map(&g.fixmap, (unsigned int)(c.nr_done % NR_FIXMAP_SLOTS), mfn,
                                       PTE_RO) != NULL);
    check_equal("out", move(0), 0);
    check_books("fixmap");
}

/* No room to note down another empty run: nothing moves. */
static void test_book_is_full(void **state)
{
    struct pfn_run run;

    (void)state;
    start();
    check_equal("PFNs among empty ones", move(NR_PAGES + 50), 0);
    b.empty.cap_runs = b.empty.nr_runs;
    run = g.frame_pool.free.runs[g.frame_pool.free.nr_runs - 1];
    check_equal("now they touch none", frame_pool_exclude(&g.frame_pool, run.end - 1, run.end), 0);
    check_equal("on either side", frame_pool_exclude(&g.frame_pool, run.start, run.start + 1), 0);
    nr_in_use += 2;
    check_equal("out", move(NR_PAGES - 100), -ENOMEM);
    check_equal("pages", b.nr_pages, NR_PAGES + 50);
    check_books("nothing has moved");
}

/* Xen takes or gives so many, and then no more. */
static void test_partial(void **state)
{
    (void)state;
    for (uint64_t limit = 0; limit < 1100; limit += limit < 4 ? 1 : 251) {
        start();
        fake.limited = true;
        fake.nr_extents_left = limit;
        check_equal("out", move(NR_PAGES - 1100), 0);
        check_equal("so many", b.nr_pages, NR_PAGES - limit);
        check_books("out in part");
        fake.nr_extents_left = UINT64_MAX;
        check_equal("the rest", move(NR_PAGES - 1100), 0);
        check_equal("pages", b.nr_pages, NR_PAGES - 1100);
        fake.nr_extents_left = limit;
        check_equal("in", move(NR_PAGES), 0);
        check_equal("so many", b.nr_pages, NR_PAGES - 1100 + limit);
        check_books("in in part");
        fake_machine_stop();
    }
}

/* A model of it: one number. Any order of moves, some of them cut short, some frames in use. */
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
            check_equal("in use", fake_get_type(taken.v, FAKE_WRITABLE), 0);
            nr_in_use++;
            smallest = nr_in_use + min_u64(g.frame_pool.free.nr_pfns, BALLOON_RESERVE);
        }
        fake.nr_extents_left = step;
        check_equal("move", move(target), 0);
        want = target < smallest ? smallest : target > largest ? largest : target;
        if (want < before)
            want = before - want > step ? before - step : want;
        else
            want = want - before > step ? before + step : want;
        check_equal("where the model is", b.nr_pages, want);
        check_books("a random move");
    }
    check_true("in pieces", b.empty.nr_runs > 1 || g.frame_pool.free.nr_runs > 1);
}

static void out_and_in(void *rc)
{
    *(int *)rc = move(NR_PAGES - 1400);
    if (*(int *)rc == 0)
        *(int *)rc = move(NR_PAGES);
}

/* Each hypercall fails once: the books are right, or it is a panic that says why. */
static void test_every_hypercall_failing(void **state)
{
    unsigned int n, nr_panics = 0;

    (void)state;
    for (n = 1;; n++) {
        const struct pfn_run *top;
        const char *panic;
        int rc = 0;

        start();
        top = &g.frame_pool.free.runs[g.frame_pool.free.nr_runs - 1]; /* what goes first */
        for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot += 3) {
            mfn_t mfn = p2m_get_ram(&g.p2m, to_pfn(top->end - 1 - slot * 20));

            check_true("is shown", fixmap_map(&g.fixmap, slot, mfn, PTE_RO) != NULL);
        }
        panic = guest_fail_nth(n, -XEN_ENOMEM, out_and_in, &rc);
        if (panic) {
            check_says("the reason", panic, "Bail out! fixmap: cannot unmap slot ");
            nr_panics++;
        } else {
            check_equal("not an error: less was moved", rc, 0);
            check_books("one failed");
            check_equal("and it goes on", move(NR_PAGES), 0);
            check_equal("all of the way", b.nr_pages, NR_PAGES);
        }
        if (fake.nr_hypercalls < n)
            break;
        fake_machine_stop();
    }
    check_true("some", n > 6);
    check_true("fixmap", nr_panics > 0);
}

/* A PFN that is empty gets a frame, as from a live migration. */
static void fill(uint64_t pfn)
{
    uint64_t at = pfn;

    check_true("was empty", pfn_runs_has(&b.empty, to_pfn(pfn)));
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
    check_equal("out", move(NR_PAGES - 900), 0);
    check_equal("nothing found", balloon_reconcile(&b, &nr_found), 0);
    check_equal("found", nr_found, 0);

    for (int takes = 0; takes < 2; takes++) {
        struct pfn_run *run = &b.empty.runs[b.empty.nr_runs - 1];
        uint64_t pages = b.nr_pages;

        start_pfn = run->start;
        end_pfn = run->end;
        check_true("a long run", end_pfn - start_pfn > 100);
        fill(start_pfn);
        fill(start_pfn + 5);
        fill(start_pfn + 6);
        fill(start_pfn + 50);
        fill(end_pfn - 1);
        fake.limited = true;
        fake.nr_extents_left = takes ? UINT64_MAX : 0;
        check_equal("reconcile", balloon_reconcile(&b, &nr_found), 0);
        check_equal("found", nr_found, 5);
        check_equal("given back, or kept", b.nr_pages, takes ? pages : pages + 5);
        check_books("reconciled");
        check_equal("not again", balloon_reconcile(&b, &nr_found), 0);
        check_equal("found", nr_found, 0);
    }
}

static void reconcile(void *nr_found)
{
    check_equal("reconcile", balloon_reconcile(&b, nr_found), 0);
}

static void test_reconcile_failing(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 3; n++) {
        uint64_t nr_found;

        start();
        check_equal("out", move(NR_PAGES - 900), 0);
        fill(b.empty.runs[0].start + 3);
        fill(b.empty.runs[0].start + 7);
        check_true("no panic", !guest_fail_nth(n, -XEN_EPERM, reconcile, &nr_found));
        check_equal("found", nr_found, 2);
        check_equal("hypercalls", fake.nr_hypercalls, 2);
        check_equal("one kept", b.nr_pages, NR_PAGES - 900 + (n <= 2));
        check_books("one failed");
        fake_machine_stop();
    }
}

/* Two PFNs in runs of their own came with frames, and Xen takes neither back. */
static void test_reconcile_every_run(void **state)
{
    uint64_t nr_found, p, q;

    (void)state;
    start();
    check_equal("no others", pfn_runs_remove(&b.empty, 0, UINT64_MAX), 0);
    p = g.frame_pool.free.runs[g.frame_pool.free.nr_runs - 1].end - 1;
    q = p - 2;
    check_equal("p", frame_pool_exclude(&g.frame_pool, p, p + 1), 0);
    check_equal("q", frame_pool_exclude(&g.frame_pool, q, q + 1), 0);
    check_equal("p", pfn_runs_add(&b.empty, p, p + 1), 0);
    check_equal("q", pfn_runs_add(&b.empty, q, q + 1), 0);
    b.nr_pages -= 2; /* the list still has their frames, as after a live migration */
    fake.limited = true;
    fake.nr_extents_left = 0;
    check_equal("reconcile", balloon_reconcile(&b, &nr_found), 0);
    check_equal("found", nr_found, 2);
}

/* No room in the books for the frames that would come: then none comes. */
static void test_pool_is_full(void **state)
{
    mfn_t taken;

    (void)state;
    start();
    check_equal("out", move(NR_PAGES - 10), 0);
    check_equal("so that none touches", frame_pool_alloc(&g.frame_pool, &taken), 0);
    check_equal("in use", fake_get_type(taken.v, FAKE_WRITABLE), 0);
    nr_in_use++;
    g.frame_pool.free.cap_runs = g.frame_pool.free.nr_runs;
    check_equal("in", move(NR_PAGES), -ENOMEM);
    check_books("pool full");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_start, fake_machine_teardown),
        cmocka_unit_test_teardown(test_out_and_in, fake_machine_teardown),
        cmocka_unit_test_teardown(test_to_the_ends, fake_machine_teardown),
        cmocka_unit_test_teardown(test_a_frame_that_is_shown, fake_machine_teardown),
        cmocka_unit_test_teardown(test_book_is_full, fake_machine_teardown),
        cmocka_unit_test(test_partial),
        cmocka_unit_test_teardown(test_random_moves, fake_machine_teardown),
        cmocka_unit_test_teardown(test_every_hypercall_failing, fake_machine_teardown),
        cmocka_unit_test_teardown(test_reconcile, fake_machine_teardown),
        cmocka_unit_test(test_reconcile_failing),
        cmocka_unit_test(test_reconcile_every_run),
        cmocka_unit_test(test_pool_is_full),
    };

    return cmocka_run_group_tests_name("balloon", tests, NULL, NULL);
}
