/* SPDX-License-Identifier: MIT */
/*
 * Frame numbers of more than 32 bits: machine addresses from 2^44, 2^46 and 2^51 on. Without this
 * test a number that is kept in 32 or 34 bits somewhere would name another frame, on a host that no
 * test machine resembles: another domain's memory in a grant, a wrong page after a restore. A whole
 * guest runs on machines whose frames lie there, or on both sides of such an edge.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include "mm/leaves.h"
#include "mm/unpopulated.h"

#include "kernel/boot/balloon.h"
#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/live_guest.h"

#include <string.h>

/* The frames of the guest are shuffled over 4096 MFNs. */
#define HALF 2048

static const struct place {
    const char *what;
    uint64_t first_mfn;
} places[] = {
    {"MFNs around 2^32", ((uint64_t)1 << 32) - HALF},
    {"MFNs from 2^34",   (uint64_t)1 << 34         },
    {"MFNs around 2^35", ((uint64_t)1 << 35) - HALF},
    {"MFNs around 2^39", ((uint64_t)1 << 39) - HALF},
};

static bool is_wide(uint64_t pfn)
{
    return p2m_get_ram(&live.p2m, to_pfn(pfn)).v > UINT32_MAX;
}

/* The whole life of a domU: boot, balloon, suspends. live_check compares all numbers with Xen's. */
static void test_life(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        live_first_mfn = places[i].first_mfn;
        live_start_suspending(live_restored);
        live_check(places[i].what);
        check_equal(places[i].what, live.grants.version, 2);
        for (unsigned int n = 0; n < 2; n++) {
            balloon_follow(&live, 2400 - 100 * n);
            check_equal(places[i].what, suspend(&live), 0);
            balloon_follow(&live, 2000);
            live_check(places[i].what);
        }
        fake_events.suspend = live_cancelled;
        check_equal(places[i].what, suspend(&live), 1);
        live_check(places[i].what);
        live_stop();
    }
}

/* Grants each free page of the domain, and checks its entry. Returns the number of pages refused.
 */
static uint64_t grant_all(const char *what)
{
    const struct pfn_runs *f = &live.frame_pool.free;
    uint64_t nr_refused = 0;

    for (size_t i = 0; i < f->nr_runs; i++)
        for (uint64_t pfn = f->runs[i].start; pfn < f->runs[i].end; pfn++) {
            bool refused = live.grants.version == 1 && is_wide(pfn);
            uint32_t ref = 77, next = live.grants.free;
            uint64_t used = live.grants.nr_used;

            output_clear();
            check_equal(what, grant_access(&live.grants, FAKE_PEER, to_pfn(pfn), false, &ref),
                        refused ? -ERANGE : 0);
            if (refused) {
                check_says(what, output(), "does not fit the 32 bits of a version 1 entry");
                check_equal(what, ref, 77);
                check_equal(what, live.grants.free, next);
                check_equal(what, live.grants.nr_used, used);
                check_equal(what, next ? fake_grants_entry(next).flags : 0, 0);
                nr_refused++;
                continue;
            }
            check_equal(what, fake_grants_entry(ref).frame, p2m_get_ram(&live.p2m, to_pfn(pfn)).v);
            check_equal(what, fake_peer_map(FAKE_PEER, ref, false), 0);
            check_equal(what, fake_peer_sees(ref), p2m_get_ram(&live.p2m, to_pfn(pfn)).v);
            fake_peer_unmap(ref);
            check_equal(what, grant_end(&live.grants, ref), 0);
        }
    return nr_refused;
}

static void test_grants(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        for (live_grants = 1; live_grants <= 2; live_grants++) {
            uint64_t nr_refused;

            live_first_mfn = places[i].first_mfn;
            live_start();
            check_equal(places[i].what, live.grants.version, live_grants);
            nr_refused = grant_all(places[i].what);
            check_true(places[i].what, live_grants == 2 ? !nr_refused : nr_refused > 0);
            live_stop();
        }
    live_grants = GRANTS_DEFAULT;
}

static uint64_t count_wide(void)
{
    uint64_t nr = 0;

    for (uint64_t pfn = 0; pfn < live.p2m.nr; pfn++)
        nr += is_wide(pfn) && !mfn_eq(p2m_get_ram(&live.p2m, to_pfn(pfn)), INVALID_MFN);
    return nr;
}

/* Frames that the balloon got after the version was chosen, as on a host that memory is added to.
 */
static void test_ballooned_in(void **state)
{
    uint64_t nr_wide, nr_refused;

    (void)state;
    live_grants = 1;
    live_first_mfn = ((uint64_t)1 << 32) - HALF;
    live_start();
    nr_wide = count_wide();
    nr_refused = grant_all("version 1 before ballooning wide frames in");
    balloon_follow(&live, 2400);
    check_true("the balloon got wide frames", count_wide() > nr_wide);
    check_equal("refused pages after ballooning wide frames in",
                grant_all("version 1 after ballooning wide frames in"),
                nr_refused + count_wide() - nr_wide);
    live_grants = GRANTS_DEFAULT;
}

/* MFNs that no page-table entry can hold: each function refuses them, and changes nothing. */
static void test_refused(void **state)
{
    static const uint64_t wide[] = {
        (uint64_t)1 << MFN_BITS, /* plus the low bits of a frame of the guest, below */
        (uint64_t)1 << 52,
        (uint64_t)1 << 63,
        INVALID_ENTRY,
    };
    struct foreign_range *r;
    uint64_t before;
    uint32_t ref;

    (void)state;
    live_first_mfn = 0;
    live_start();
    check_equal("foreign_reserve",
                foreign_reserve(&live.foreign, FOREIGN_FRAME, DOMID_SELF, 1, NULL, &r), 0);
    fixmap_unmap_all(&live.fixmap);
    before = fake_mappings_hash(0, 0);
    for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
        pfn_t pfn = to_pfn(live.frame_pool.free.runs[0].start);
        uint64_t own = p2m_get_ram(&live.p2m, pfn).v, nr_free = live.frame_pool.free.nr_pfns;
        mfn_t mfn = to_mfn(wide[i] | own);

        check_true("fixmap_map", !fixmap_map(&live.fixmap, FIXMAP_SCRATCH, mfn, PTE_RO));
        check_equal("pt_map", pt_map(&live.pt, live.heap.next, mfn, PTE_RO), -EINVAL);
        check_true("heap_map", !heap_map(&live.heap, mfn, PTE_RO));
        check_equal("foreign_map", foreign_map(&live.foreign, r, 0, &mfn, 1, PTE_RO), -EINVAL);
        check_equal("m2p_get", m2p_get(&live.host.m2p, mfn).v, INVALID_ENTRY);
        check_equal("frame_pool_free", frame_pool_free(&live.frame_pool, mfn), -EINVAL);
        check_true("pt_pin", pt_pin(mfn, 1) < 0);
        if (!mfn_eq(mfn, INVALID_MFN))
            check_equal("p2m_set", p2m_set(&live.p2m, pfn, mfn), -EINVAL);
        check_equal("P2M entry after a refused p2m_set", p2m_get_ram(&live.p2m, pfn).v, own);
        live.p2m.list[pfn.v] = mfn.v; /* as Xen's tools could write it */
        check_equal("grant_access", grant_access(&live.grants, FAKE_PEER, pfn, false, &ref),
                    -EINVAL);
        check_true("page_show", !page_show(&live.fixmap, &live.unpopulated, pfn));
        live.p2m.list[pfn.v] = own;
        check_equal("free frames after the refusals", live.frame_pool.free.nr_pfns, nr_free);
    }
    fixmap_unmap_all(&live.fixmap);
    check_equal("mappings after the refusals", fake_mappings_hash(0, 0), before);
    check_equal("foreign_release", foreign_release(&live.foreign, r), 0);
    live_check("guest after the refusals");
}

/* PFNs far up: each must give what the same PFNs give from 0 on, plus the difference. */
static const uint64_t bases[] = {
    ((uint64_t)1 << 32) - 1024, (uint64_t)1 << 32, ((uint64_t)1 << 34) - 1024, (uint64_t)1 << 34,
    ((uint64_t)1 << 36) - 1024, (uint64_t)1 << 39, ((uint64_t)1 << 40) - 4096,
};

#define NR_PFNS 2048 /* that the random operations use */

static void test_runs(void **state)
{
    static struct pfn_run low_runs[64], high_runs[64];
    struct rng rng = {1};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        const uint64_t base = bases[i];
        struct pfn_runs low, high;

        pfn_runs_init(&low, low_runs, ARRAY_SIZE(low_runs));
        pfn_runs_init(&high, high_runs, ARRAY_SIZE(high_runs));
        for (unsigned int n = 0; n < 2000; n++) {
            uint64_t start = rng_below(&rng, NR_PFNS), end = start + rng_below(&rng, 50);
            struct pfn_run a = pfn_runs_find(&low, start, end);
            struct pfn_run b = pfn_runs_find(&high, base + start, base + end);

            check_equal("length of pfn_runs_find", b.end - b.start, a.end - a.start);
            check_true("start of pfn_runs_find", a.start == a.end || b.start == base + a.start);
            check_equal("pfn_runs_has", pfn_runs_has(&high, to_pfn(base + start)),
                        pfn_runs_has(&low, to_pfn(start)));
            if (rng_below(&rng, 2))
                check_equal("pfn_runs_add", pfn_runs_add(&high, base + start, base + end),
                            pfn_runs_add(&low, start, end));
            else
                check_equal("pfn_runs_remove", pfn_runs_remove(&high, base + start, base + end),
                            pfn_runs_remove(&low, start, end));
            check_equal("number of runs", high.nr_runs, low.nr_runs);
            check_equal("number of PFNs", high.nr_pfns, low.nr_pfns);
        }
        while (low.nr_runs) {
            struct pfn_run a = pfn_runs_pop(&low, 7), b = pfn_runs_pop(&high, 7);

            check_equal("start of pfn_runs_pop", b.start, base + a.start);
            check_equal("end of pfn_runs_pop", b.end, base + a.end);
        }
        check_equal("runs after the last pfn_runs_pop", high.nr_runs, 0);
    }
}

/* A table of one range [0, start of the kinds below), and kinds set at random from @base on. */
static void test_ranges(void **state)
{
    static struct range low_ranges[1024], high_ranges[1024];
    struct rng rng = {2};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        const uint64_t base = bases[i];
        struct ranges low = {.r = low_ranges, .cap = ARRAY_SIZE(low_ranges)}, high = low;
        struct p2m p2m = {.nr = 0};

        high.r = high_ranges;
        low.beyond = high.beyond = RANGE_IDENTITY;
        check_equal("ranges_append of the PFNs below", ranges_append(&high, 0, base, RANGE_MISSING),
                    0);
        for (unsigned int n = 0; n < 1000; n++) {
            uint64_t start = rng_below(&rng, NR_PFNS), end = start + rng_below(&rng, 100);
            enum range_kind kind = (enum range_kind)rng_below(&rng, NR_RANGE_KINDS);
            struct range a, b;

            check_equal("ranges_set", ranges_set(&high, base + start, base + end, kind),
                        ranges_set(&low, start, end, kind));
            start = rng_below(&rng, NR_PFNS + 200);
            a = ranges_find(&low, start);
            b = ranges_find(&high, base + start);
            check_equal("kind of ranges_find", b.kind, a.kind);
            if (a.start)
                check_equal("start of ranges_find", b.start, base + a.start);
            if (a.end != UINT64_MAX)
                check_equal("end of ranges_find", b.end, base + a.end);
            a = ranges_next_ram(&low, start);
            b = ranges_next_ram(&high, base + start);
            if (a.end != UINT64_MAX)
                check_equal("end of ranges_next_ram", b.end, base + a.end);
            check_equal("ranges_count", ranges_count(&high, RANGE_RAM, base + start),
                        ranges_count(&low, RANGE_RAM, start));
            check_equal("ranges_end", ranges_end(&high), base + ranges_end(&low));
            p2m.ranges = high;
            check_equal("p2m_get of a PFN past the list", p2m_get(&p2m, to_pfn(base + start)).v,
                        ranges_find(&low, start).kind == RANGE_IDENTITY &&
                                !((base + start) >> MFN_BITS)
                            ? base + start
                            : INVALID_ENTRY);
        }
    }
}

/* A RAM hole at the start, whose frames move to PFNs from @base on. */
static void test_plan(void **state)
{
    static struct range r[8];
    static struct move moves[PLAN_MAX_MOVES(8)];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        struct ranges map = {.r = r, .cap = ARRAY_SIZE(r), .beyond = RANGE_IDENTITY};
        struct plan plan = {.moves = moves, .cap_moves = ARRAY_SIZE(moves)};
        uint64_t base = bases[i], end = base + 2048;
        struct leaf_run run;

        check_equal("ranges_append", ranges_append(&map, 0, 600, RANGE_RAM), 0);
        check_equal("ranges_append", ranges_append(&map, 600, base, RANGE_IDENTITY), 0);
        check_equal("ranges_append", ranges_append(&map, base, base + 4000, RANGE_RAM), 0);
        check_equal("plan_make", plan_make(&plan, &map, 2048, 2600), 0);
        check_equal("frames that move", plan.nr_moved, 1448);
        check_equal("end of the list", plan.list_end, end);
        check_equal("new PFN of frame 600", plan_renumbered(&plan, to_pfn(600)).v, base + 88);
        check_equal("new PFN of frame 2047", plan_renumbered(&plan, to_pfn(2047)).v, base + 1535);
        check_equal("PFN of frame 599", plan_renumbered(&plan, to_pfn(599)).v, 599);
        check_equal("leaves of the gap", leaves_count(&plan, LEAF_NONE), base / P2M_PER_PAGE - 2);
        check_true("the gap has no leaf", leaves_none(&plan, 2, base / P2M_PER_PAGE));
        check_true("RAM has a leaf", !leaves_none(&plan, 2, base / P2M_PER_PAGE + 1));
        run = leaves_at(&plan, base / P2M_PER_PAGE + 1);
        check_equal("kind of the second leaf from the base on", run.kind, LEAF_OLD);
        check_equal("the builder's leaf of it", run.from, 2);
    }
}

/* PFNs past the map, up to the limit of the CPU. */
static void test_unpopulated(void **state)
{
    static const struct foreign_range range = {.nr = 600};
    static struct range r[8 + UNPOPULATED_MAX_RANGES];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        struct p2m p2m = {
            .ranges = {.r = r, .cap = ARRAY_SIZE(r), .beyond = RANGE_IDENTITY}
        };
        struct unpopulated u;
        uint64_t start[3];

        check_equal("ranges_append", ranges_append(&p2m.ranges, 0, bases[i], RANGE_RAM), 0);
        unpopulated_init(&u, &p2m, NULL, 52);
        for (unsigned int n = 0; n < 3; n++) {
            check_equal("unpopulated_alloc", unpopulated_alloc(&u, &range, &start[n]), 0);
            check_equal("PFN of unpopulated_alloc", start[n], bases[i] + 1024 * n);
            check_equal("p2m_get", p2m_get(&p2m, to_pfn(start[n])).v, INVALID_ENTRY);
        }
        check_equal("ranges_end", ranges_end(&p2m.ranges), bases[i] + 3072);
        for (unsigned int n = 0; n < 3; n++)
            check_equal("unpopulated_free", unpopulated_free(&u, start[n]), 0);
        check_equal("ranges_end after all are freed", ranges_end(&p2m.ranges), bases[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_grants),
        cmocka_unit_test_teardown(test_ballooned_in, live_teardown),
        cmocka_unit_test_teardown(test_refused, live_teardown),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_unpopulated),
    };

    return cmocka_run_group_tests_name("wide frame numbers", tests, NULL, NULL);
}
