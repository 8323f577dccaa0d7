/* SPDX-License-Identifier: MIT */
/*
 * A memory map with a gap of 64 TiB, as of a host whose RAM begins again at 2^46: the P2M list has
 * 2^34 entries, nearly all of them for PFNs of the gap, whose page tables are shared. Without this
 * test a loop over all entries could run for minutes without a word, until Xen's watchdog ends the
 * domain. Each test counts the steps, which may grow with ranges and page tables only.
 */
#include "lib/errno.h"

#include "mm/list_tables.h"
#include "mm/pt_visit.h"
#include "mm/readback.h"

#include "xen/balloon.h"
#include "xen/clock.h"

#include "kernel/selftest/sweep.h"

#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#define GAP_END ((uint64_t)1 << 34)
#define LOW     4500 /* pages of RAM below the gap */
#define PAGES   5000 /* so 500 frames get PFNs above it */

/* The level 1 tables with entries of their own: the low RAM, the gap, the high RAM. */
#define NR_TABLES 3

static struct guest g;
static struct arch_shared_info shared;

static void start(void)
{
    static const struct fake_shape shape = {.nr_pages = PAGES};
    static const uint64_t sizes[] = {LOW, GAP_END - LOW, 9000, 0};
    static const struct publication no_tree;

    guest_start(&g, &shape, sizes, 6000);
    check_equal("guest_revector", guest_revector(&g), 0);
    check_equal("entries of the P2M list", g.p2m.nr, GAP_END + 1536);
    check_equal("publish", publish(&shared, &no_tree, &g.pt, &g.p2m, PUBLISH_LIST), 0);
    fake.nr_hypercalls = 0;
}

/* Steps through the list as a loop that passes over repeated tables. */
static void test_pass(void **state)
{
    static const struct {
        uint64_t pfn, next;
    } rows[] = {
        {0,                       0                      }, /* the first table repeats nothing */
        {LIST_TABLE_PFNS - 1,     LIST_TABLE_PFNS - 1    },
        {LIST_TABLE_PFNS,         LIST_TABLE_PFNS        }, /* the first table of the gap */
        {2 * LIST_TABLE_PFNS - 1, 2 * LIST_TABLE_PFNS - 1},
        {2 * LIST_TABLE_PFNS,     GAP_END                },
        {5 * LIST_TABLE_PFNS + 7, GAP_END                },
        {GAP_END - 1,             GAP_END                },
        {GAP_END,                 GAP_END                }, /* RAM */
        {GAP_END + 1535,          GAP_END + 1535         },
        {GAP_END + 1536,          GAP_END + 1536         }, /* past the list */
    };
    uint64_t nr_tables = 0, nr_frames = 0, end;

    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_equal("list_tables_pass", list_tables_pass(&g.pt, &g.p2m, rows[i].pfn), rows[i].next);
    for (uint64_t at = 0; at < g.p2m.nr; at = list_tables_pass(&g.pt, &g.p2m, end)) {
        nr_tables++;
        end = at + LIST_TABLE_PFNS < g.p2m.nr ? at + LIST_TABLE_PFNS : g.p2m.nr;
        for (uint64_t pfn = at; pfn < end; pfn++)
            nr_frames += !mfn_eq(p2m_get_ram(&g.p2m, to_pfn(pfn)), INVALID_MFN);
    }
    check_equal("tables that are not passed over", nr_tables, NR_TABLES);
    check_equal("frames that the loop finds", nr_frames, PAGES);
    check_true("hypercalls of the loop", fake.nr_hypercalls < 2000);
}

static void count_leaf(void *context, uint64_t leaf, mfn_t mfn)
{
    uint64_t *nr = context;

    (void)mfn;
    check_true("a visited leaf is in the list", leaf < g.p2m.nr / P2M_PER_PAGE);
    ++*nr;
}

static void test_readback(void **state)
{
    struct readback rb = {.pt = &g.pt, .p2m = &g.p2m, .m2p = &g.m2p, .shared = &shared};
    struct readback_result result;
    uint64_t nr_visited = 0, *l3;

    (void)state;
    start();
    check_equal("readback_list", readback_list(&rb, count_leaf, &nr_visited, &result), 0);
    check_equal("leaves that a tool reads", result.nr_leaves, g.p2m.nr / P2M_PER_PAGE);
    check_equal("PFNs that a tool reads", result.nr_pfns, g.p2m.nr);
    check_equal("leaves that are visited", nr_visited, 2 * 512 + 3);

    /* A wrong entry in the middle of the gap is found all the same. */
    l3 = fake_ram(pte_mfn(fake_ram(fake.root)[pte_index(FAKE_LIST_BASE, 4)]).v);
    l3[10] = pte_make(to_mfn(fake.first_mfn + fake.nr_mfns + 5), PTE_TABLE);
    check_equal("readback_list with a wrong level 3 entry for the gap",
                readback_list(&rb, count_leaf, &nr_visited, &result), -ERANGE);
}

static enum pt_next count_entry(void *context, const struct pt_visited *e)
{
    uint64_t *nr = context;

    (void)e;
    ++*nr;
    return PT_ENTER;
}

static void test_visit(void **state)
{
    uint64_t nr_visited = 0;

    (void)state;
    start();
    check_true("pt_visit ran to the end", !pt_visit(&g.pt, count_entry, &nr_visited));
    check_true("visited entries: a few tables", nr_visited < 16 * PTES_PER_TABLE);
}

static uint64_t pass(void *context, uint64_t pfn)
{
    ++*(uint64_t *)context;
    return list_tables_pass(&g.pt, &g.p2m, pfn);
}

/* A clock that stands still: all indices are visited. Then samples. */
static void test_sweep(void **state)
{
    static struct vcpu_time_info still = {.system_time = 1000};

    (void)state;
    start();
    clock_start(&still);
    for (unsigned int shift = 0; shift <= P2M_PAGE_SHIFT; shift += P2M_PAGE_SHIFT)
        for (unsigned int sampled = 0; sampled < 2; sampled++) {
            uint64_t nr = g.p2m.nr >> shift, n = 0, nr_calls = 0, nr_frames = 0, i;
            struct sweep s;

            sweep_start(&s, &g.p2m.ranges, nr, shift, "# x", "PFNs");
            sweep_pass_over(&s, pass, &nr_calls);
            check_equal("indices that the sweep passes over", s.nr_over,
                        (GAP_END - 2 * LIST_TABLE_PFNS) >> shift);
            if (sampled)
                sweep_sample(&s, 0);
            for (i = sweep_next(&s, 0); i < nr; i = sweep_next(&s, i + 1), n++)
                nr_frames += !mfn_eq(p2m_get_ram(&g.p2m, to_pfn(i << shift)), INVALID_MFN);
            check_equal("index after the sweep", i, nr);
            check_true("calls of the function that passes over tables", nr_calls < 12);
            if (sampled)
                continue;
            check_equal("indices that the sweep visits", n, nr - s.nr_over);
            check_equal("frames that the sweep visits", nr_frames, shift ? 10 : PAGES);
        }
    clock_start(NULL);
}

static void test_balloon(void **state)
{
    static struct pfn_run runs[16];
    struct balloon b = {.p2m = &g.p2m, .pool = &g.frame_pool, .fixmap = &g.fixmap};

    (void)state;
    start();
    check_equal("balloon_start", balloon_start(&b, &g.plan, runs, ARRAY_SIZE(runs)), 0);
    check_equal("runs of empty PFNs", b.empty.nr_runs, 1);
    check_equal("first empty PFN", b.empty.runs[0].start, GAP_END + PAGES - LOW);
    check_equal("empty PFNs", b.empty.nr_pfns, 1536 - (PAGES - LOW));
    check_equal("hypercalls of balloon_start", fake.nr_hypercalls, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_pass, fake_machine_teardown),
        cmocka_unit_test_teardown(test_readback, fake_machine_teardown),
        cmocka_unit_test_teardown(test_visit, fake_machine_teardown),
        cmocka_unit_test_teardown(test_sweep, fake_machine_teardown),
        cmocka_unit_test_teardown(test_balloon, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("a gap of 64 TiB", tests, NULL, NULL);
}
