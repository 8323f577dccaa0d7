/* SPDX-License-Identifier: MIT */
/*
 * Unpopulated PFNs: PFNs without a frame, at which another domain's page can be entered in the P2M.
 * Without this test a PFN that has a frame could be allocated, two pages could get one PFN, or the
 * balloon could populate a PFN that stands for another domain's page. Allocations are compared with
 * a table of every PFN.
 */
#include "mm/unpopulated.h"

#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <stdlib.h>
#include <string.h>

#define NR_LIST  6656
#define CPU_BITS 26 /* 16384 PFNs */
#define NR_PFNS  (1 << (CPU_BITS - 12))
#define MAP_END  6000
#define HOLE     3000
#define HOLE_END 3500

static uint64_t list[NR_LIST];
static struct range entries[64];
static struct pfn_run runs[64];
static struct p2m p2m;
static struct pfn_runs empty;
static struct unpopulated unpopulated;

/* The memory map is RAM with a hole. Does the PFN have no frame? */
static bool is_empty(uint64_t pfn)
{
    return (pfn >= 130 && pfn < 140) || (pfn >= 600 && pfn < HOLE) ||
           (pfn >= HOLE_END && pfn < 3700) || (pfn >= 4097 && pfn < 5800);
}

static void start(enum range_kind beyond)
{
    p2m = (struct p2m){.list = list, .nr = NR_LIST};
    p2m.ranges = (struct ranges){.r = entries, .cap = ARRAY_SIZE(entries), .beyond = beyond};
    check_equal("ranges_append of RAM below the hole",
                ranges_append(&p2m.ranges, 0, HOLE, RANGE_RAM), 0);
    check_equal("ranges_append of the hole",
                ranges_append(&p2m.ranges, HOLE, HOLE_END, RANGE_IDENTITY), 0);
    check_equal("ranges_append of RAM above the hole",
                ranges_append(&p2m.ranges, HOLE_END, MAP_END - 100, RANGE_RAM), 0);
    check_equal("ranges_append of the hole at the end",
                ranges_append(&p2m.ranges, MAP_END - 100, MAP_END, RANGE_IDENTITY), 0);
    pfn_runs_init(&empty, runs, ARRAY_SIZE(runs));
    for (uint64_t pfn = 0; pfn < NR_LIST; pfn++) {
        list[pfn] = is_empty(pfn) || ranges_find(&p2m.ranges, pfn).kind != RANGE_RAM ? INVALID_ENTRY
                                                                                     : 0x5000 + pfn;
        if (is_empty(pfn))
            check_equal("frame_pool_add of a PFN without a frame",
                        pfn_runs_add(&empty, pfn, pfn + 1), 0);
    }
    unpopulated_init(&unpopulated, &p2m, &empty, CPU_BITS);
}

/* State that must be the same after all PFNs are freed. */
struct snapshot {
    struct range r[ARRAY_SIZE(entries)];
    struct pfn_run runs[ARRAY_SIZE(runs)];
    size_t nr, nr_runs;
    uint64_t nr_free;
};

static struct snapshot snapshot(void)
{
    struct snapshot s;

    memset(&s, 0, sizeof(s));
    s.nr = p2m.ranges.nr;
    s.nr_runs = empty.nr_runs;
    s.nr_free = empty.nr_pfns;
    for (size_t i = 0; i < s.nr; i++)
        s.r[i] = entries[i];
    for (size_t i = 0; i < s.nr_runs; i++)
        s.runs[i] = runs[i];
    return s;
}

static void check_same(const char *what, const struct snapshot *was)
{
    struct snapshot now = snapshot();

    check_equal(what, now.nr, was->nr);
    check_equal(what, now.nr_runs, was->nr_runs);
    check_equal(what, now.nr_free, was->nr_free);
    for (size_t i = 0; i < now.nr; i++) {
        check_equal(what, now.r[i].start, was->r[i].start);
        check_equal(what, now.r[i].end, was->r[i].end);
        check_equal(what, now.r[i].kind, was->r[i].kind);
    }
    for (size_t i = 0; i < now.nr_runs; i++) {
        check_equal(what, now.runs[i].start, was->runs[i].start);
        check_equal(what, now.runs[i].end, was->runs[i].end);
    }
}

/* A range of the foreign window, of which only addresses and page[] are used. */
static struct foreign_range *new_range(uint64_t nr)
{
    struct foreign_range *r = calloc(1, sizeof(*r) + nr * sizeof(r->page[0]));

    memset(r->page, 0xff, nr * sizeof(r->page[0]));
    r->nr = nr;
    r->pages = 0xffffd00000002000 + (rand() % 1000) * PAGE_SIZE;
    return r;
}

static void test_in_ram(void **state)
{
    struct foreign_range *r = new_range(700);
    struct snapshot was;
    uint64_t start_pfn = 0;

    (void)state;
    start(RANGE_MISSING);
    was = snapshot();
    check_equal("unpopulated_alloc of 700 PFNs", unpopulated_alloc(&unpopulated, r, &start_pfn), 0);
    check_equal("first allocated PFN", start_pfn, 1024);
    for (uint64_t pfn = 0; pfn < NR_LIST; pfn++) {
        bool is_unpopulated = pfn >= 1024 && pfn < 2048;

        check_equal("PFN is RANGE_UNPOPULATED",
                    ranges_find(&p2m.ranges, pfn).kind == RANGE_UNPOPULATED, is_unpopulated);
        check_equal("PFN is in the pool of empty PFNs", pfn_runs_has(&empty, to_pfn(pfn)),
                    is_empty(pfn) && !is_unpopulated);
        if (is_unpopulated)
            check_equal("P2M entry of an unpopulated PFN", p2m_get(&p2m, to_pfn(pfn)).v,
                        INVALID_ENTRY);
        check_true("unpopulated_page of a PFN without a mapped page returns NULL",
                   !unpopulated_page(&unpopulated, to_pfn(pfn)));
    }
    check_equal("p2m_set of an unpopulated PFN", p2m_set(&p2m, to_pfn(1030), to_mfn(5)), -EINVAL);
    r->page[0].frame = r->page[699].frame = 1;
    check_true("unpopulated_page of the first PFN",
               unpopulated_page(&unpopulated, to_pfn(1024)) == (void *)r->pages);
    check_true("unpopulated_page of the last PFN",
               unpopulated_page(&unpopulated, to_pfn(1024 + 699)) ==
                   (void *)(r->pages + 699 * PAGE_SIZE));
    check_true("unpopulated_page of a PFN without a mapped page returns NULL",
               !unpopulated_page(&unpopulated, to_pfn(1025)));
    check_true("unpopulated_page before the first PFN returns NULL",
               !unpopulated_page(&unpopulated, to_pfn(1023)));
    check_true("unpopulated_page after the last PFN returns NULL",
               !unpopulated_page(&unpopulated, to_pfn(1024 + 700)));
    check_true("unpopulated_page of PFN UINT64_MAX returns NULL",
               !unpopulated_page(&unpopulated, to_pfn(UINT64_MAX)));
    check_equal("unpopulated_free of a PFN inside an allocation",
                unpopulated_free(&unpopulated, 1025), -EINVAL);
    check_equal("unpopulated_free of PFN 0", unpopulated_free(&unpopulated, 0), -EINVAL);
    check_equal("unpopulated_free of the allocation", unpopulated_free(&unpopulated, 1024), 0);
    check_equal("second unpopulated_free", unpopulated_free(&unpopulated, 1024), -EINVAL);
    check_true("unpopulated_page of a freed PFN returns NULL",
               !unpopulated_page(&unpopulated, to_pfn(1024)));
    check_same("ranges and empty PFNs after unpopulated_free", &was);
    free(r);
}

static void test_above(void **state)
{
    static const enum range_kind beyonds[] = {RANGE_IDENTITY, RANGE_MISSING};
    struct foreign_range *r = new_range(2048), *small = new_range(512);
    uint64_t starts[7];

    (void)state;
    for (size_t b = 0; b < ARRAY_SIZE(beyonds); b++) {
        struct snapshot was;

        start(beyonds[b]);
        unpopulated.empty = NULL;
        was = snapshot();
        for (uint64_t i = 0; i < 7; i++) {
            check_equal("unpopulated_alloc above the list",
                        unpopulated_alloc(&unpopulated, i < 4 ? r : small, &starts[i]), 0);
            check_equal("first PFN of an allocation above the list", starts[i],
                        NR_LIST + min_u64(i, 4) * 2048 + (i > 4 ? i - 4 : 0) * 512);
        }
        check_equal("end of the last allocation", starts[6] + 512, NR_PFNS);
        check_equal("unpopulated_alloc without free PFNs",
                    unpopulated_alloc(&unpopulated, small, &starts[0]), -ENOSPC);
        check_equal("first PFN after a failed unpopulated_alloc", starts[0], NR_LIST);
        check_equal("P2M entry of an unpopulated PFN above the list",
                    p2m_get(&p2m, to_pfn(NR_LIST)).v, INVALID_ENTRY);
        for (int i = 0; i < 7; i++)
            check_equal("unpopulated_free of an allocation above the list",
                        unpopulated_free(&unpopulated, starts[(i * 3 + 1) % 7]), 0);
        check_same("ranges and empty PFNs after freeing all", &was);
        check_equal("P2M entry of a freed PFN above the list", p2m_get(&p2m, to_pfn(NR_LIST)).v,
                    beyonds[b] == RANGE_IDENTITY ? NR_LIST : INVALID_ENTRY);
    }
    free(small);
    /* a P2M list that ends before the memory map does */
    start(RANGE_MISSING);
    unpopulated.empty = NULL;
    p2m.nr = 1024;
    r->nr = 1;
    check_equal("unpopulated_alloc with a short list",
                unpopulated_alloc(&unpopulated, r, &starts[0]), 0);
    check_equal("first PFN after the memory map", starts[0], ROUND_UP(MAP_END, 512));
    check_equal("unpopulated_free with a short list", unpopulated_free(&unpopulated, starts[0]), 0);
    free(r);
}

static struct taken {
    struct foreign_range *range;
    uint64_t start, end;
} taken[MAX_UNPOPULATED];

static bool is_taken(uint64_t pfn)
{
    for (int i = 0; i < MAX_UNPOPULATED; i++)
        if (taken[i].range && pfn >= taken[i].start && pfn < taken[i].end)
            return true;
    return false;
}

/* The first PFN of @nr free PFNs by the model; 0: none. */
static uint64_t find_in_model(uint64_t nr)
{
    uint64_t found = 0;

    for (uint64_t pfn = 0; pfn < MAP_END; pfn++) {
        found = is_empty(pfn) && !is_taken(pfn) && (found || pfn % 512 == 0) ? found + 1 : 0;
        if (found == nr)
            return pfn + 1 - nr;
    }
    found = 0;
    for (uint64_t pfn = NR_LIST; pfn < NR_PFNS; pfn++) {
        found = !is_taken(pfn) ? found + 1 : 0;
        if (found == nr)
            return pfn + 1 - nr;
    }
    return 0;
}

static void take_any(struct taken *t, struct rng *rng)
{
    uint64_t nr = rng_below(rng, rng_below(rng, 3) ? 600 : 3000) + 1, start_pfn = 77;
    uint64_t at = find_in_model(ROUND_UP(nr, 512));
    struct foreign_range *r = new_range(nr);

    check_equal("unpopulated_alloc against the model",
                unpopulated_alloc(&unpopulated, r, &start_pfn), at ? 0 : -ENOSPC);
    check_equal("first PFN against the model", start_pfn, at ? at : 77);
    if (at)
        *t = (struct taken){r, at, at + ROUND_UP(nr, 512)};
    else
        free(r);
}

static void give(struct taken *t)
{
    check_equal("unpopulated_free of an allocation", unpopulated_free(&unpopulated, t->start), 0);
    free(t->range);
    t->range = NULL;
}

static void test_random_sequences(void **state)
{
    struct rng rng = {.state = 0x53414645};

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (int round = 0; round < 20; round++) {
        struct snapshot was;

        start(round % 2 ? RANGE_IDENTITY : RANGE_MISSING);
        was = snapshot();
        for (int i = 0; i < 200; i++) {
            struct taken *t = &taken[rng_below(&rng, MAX_UNPOPULATED)];

            if (t->range)
                give(t);
            else
                take_any(t, &rng);
            for (uint64_t pfn = 0; pfn < NR_PFNS; pfn += 1 + rng_below(&rng, 150)) {
                check_equal("PFN is RANGE_UNPOPULATED, against the model",
                            ranges_find(&p2m.ranges, pfn).kind == RANGE_UNPOPULATED, is_taken(pfn));
                check_equal("PFN is in the pool of empty PFNs, against the model",
                            pfn_runs_has(&empty, to_pfn(pfn)), is_empty(pfn) && !is_taken(pfn));
            }
        }
        for (int i = 0; i < MAX_UNPOPULATED; i++)
            if (taken[i].range)
                give(&taken[i]);
        check_same("ranges and empty PFNs after freeing all", &was);
    }
}

/* Full tables: unpopulated_alloc fails, and nothing changes. */
static void test_full(void **state)
{
    struct foreign_range *r = new_range(1);
    struct snapshot was;
    uint64_t at;

    (void)state;
    start(RANGE_MISSING);
    for (uint64_t nr = 0; nr < MAX_UNPOPULATED; nr++)
        check_equal("unpopulated_alloc of one PFN", unpopulated_alloc(&unpopulated, r, &at), 0);
    was = snapshot();
    check_equal("unpopulated_alloc past MAX_UNPOPULATED", unpopulated_alloc(&unpopulated, r, &at),
                -ENOMEM);
    check_same("ranges and empty PFNs after a failed allocation", &was);

    start(RANGE_MISSING);
    empty.cap_runs = empty.nr_runs;
    was = snapshot();
    check_equal("unpopulated_alloc with a full pool of empty PFNs",
                unpopulated_alloc(&unpopulated, r, &at), -ENOMEM);
    check_same("ranges and empty PFNs with a full pool", &was);
    empty.cap_runs = ARRAY_SIZE(runs);
    for (size_t room = 0; room < 2; room++) {
        p2m.ranges.cap = p2m.ranges.nr + room;
        check_equal("unpopulated_alloc with a full table of ranges",
                    unpopulated_alloc(&unpopulated, r, &at), -ENOMEM);
        check_same("ranges and empty PFNs with a full table of ranges", &was);
    }
    p2m.ranges.cap = ARRAY_SIZE(entries);
    check_equal("unpopulated_alloc with room for ranges", unpopulated_alloc(&unpopulated, r, &at),
                0);
    p2m.ranges.cap = p2m.ranges.nr;
    was = snapshot();
    for (uint64_t pfn = 0; pfn < NR_LIST; pfn++)
        if (is_empty(pfn) && pfn != at)
            check_equal("frame_pool_exclude of all other empty PFNs",
                        pfn_runs_remove(&empty, pfn, pfn + 1), 0);
    check_equal("frame_pool_add of PFN 1", pfn_runs_add(&empty, 1, 2), 0);
    empty.cap_runs = 1;
    p2m.ranges.cap = ARRAY_SIZE(entries);
    check_equal("unpopulated_free with a full pool", unpopulated_free(&unpopulated, at), -ENOMEM);
    check_equal("kind of the PFN after a failed unpopulated_free",
                ranges_find(&p2m.ranges, at).kind, RANGE_UNPOPULATED);
    empty.cap_runs = 2;
    check_equal("unpopulated_free with room in the pool", unpopulated_free(&unpopulated, at), 0);
    check_equal("kind of the freed PFN", ranges_find(&p2m.ranges, at).kind, RANGE_RAM);
    free(r);
}

/* The P2M needs room for as many ranges as unpopulated.h says. */
static void test_room(void **state)
{
    struct foreign_range *r = new_range(1);
    uint64_t at[MAX_UNPOPULATED];
    struct snapshot was;

    (void)state;
    start(RANGE_IDENTITY);
    unpopulated.empty = NULL;
    p2m.ranges.cap = p2m.ranges.nr + UNPOPULATED_MAX_RANGES;
    was = snapshot();
    for (int i = 0; i < MAX_UNPOPULATED; i++)
        check_equal("unpopulated_alloc with UNPOPULATED_MAX_RANGES",
                    unpopulated_alloc(&unpopulated, r, &at[i]), 0);
    for (int i = 0; i < MAX_UNPOPULATED; i += 2)
        check_equal("unpopulated_free of every other PFN", unpopulated_free(&unpopulated, at[i]),
                    0);
    for (int i = 1; i < MAX_UNPOPULATED; i += 2)
        check_equal("unpopulated_free of the PFNs between", unpopulated_free(&unpopulated, at[i]),
                    0);
    check_same("ranges and empty PFNs after freeing all", &was);
    free(r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_ram),
        cmocka_unit_test(test_above),
        cmocka_unit_test(test_random_sequences),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests_name("unpopulated PFNs", tests, NULL, NULL);
}
