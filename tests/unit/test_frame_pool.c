/* SPDX-License-Identifier: MIT */
/*
 * Without this test the pool could hand out a frame that is in use, or lose a free one: the first
 * makes a page table of another owner's data, the second loses memory until the domain ends. Random
 * use of the pool is compared with a bitmap of the PFNs that must be free.
 */
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include "mm/frame_pool.h"

#include <string.h>

#define PFNS 1024

static uint64_t list[PFNS];
static const struct p2m p2m = {.list = list, .nr = PFNS};
static uint64_t m2p_table[PFNS];
static struct m2p m2p;

static struct pfn_run runs[64], other_runs[64];
static struct frame_pool pool, reserve;

static uint64_t mfn_of(uint64_t pfn)
{
    return pfn ^ 0x155;
}

static int reset(void **state)
{
    (void)state;
    for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
        list[pfn] = mfn_of(pfn);
        m2p_table[mfn_of(pfn)] = pfn;
    }
    m2p = (struct m2p){m2p_table, PFNS};
    frame_pool_init(&pool, runs, ARRAY_SIZE(runs), &p2m, &m2p);
    frame_pool_init(&reserve, other_runs, ARRAY_SIZE(other_runs), &p2m, &m2p);
    return 0;
}

/* The pool holds exactly the PFNs that the bitmap @free names. */
static void check_pool(const struct frame_pool *f, const bool *free)
{
    uint64_t nr = 0;

    for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
        check_equal("frame_pool_has", frame_pool_has(f, to_pfn(pfn)), free[pfn]);
        nr += free[pfn];
    }
    check_equal("free frames", f->free.nr_pfns, nr);
}

static void test_take_until_empty(void **state)
{
    bool free[PFNS] = {false};
    mfn_t mfn;

    (void)state;
    check_equal("frame_pool_add", frame_pool_add(&pool, 5, 7), 0);
    check_equal("frame_pool_add", frame_pool_add(&pool, 9, 10), 0);
    for (unsigned int i = 0; i < 3; i++) {
        check_equal("frame_pool_alloc", frame_pool_alloc(&pool, &mfn), 0);
        free[m2p_table[mfn.v]] = true;
    }
    check_true("each of them", free[5] && free[6] && free[9]);
    check_equal("frame_pool_alloc", frame_pool_alloc(&pool, &mfn), -ENOMEM);
    check_equal("frame_pool_free", frame_pool_free(&pool, to_mfn(mfn_of(6))), 0);
    check_equal("frame_pool_free of a free frame", frame_pool_free(&pool, to_mfn(mfn_of(6))),
                -EEXIST);
    check_equal("frame_pool_alloc", frame_pool_alloc(&pool, &mfn), 0);
    check_equal("frame", mfn.v, mfn_of(6));
}

/* A frame without an M2P entry is refused: its "PFN" ~0 would become the run [~0, 0). */
static void test_no_pfn(void **state)
{
    (void)state;
    check_equal("frame_pool_add", frame_pool_add(&pool, 0, 4), 0);
    m2p_table[7] = INVALID_ENTRY;
    check_equal("give a frame without PFN", frame_pool_free(&pool, to_mfn(7)), -EINVAL);
    check_equal("give a frame past the M2P", frame_pool_free(&pool, to_mfn(PFNS)), -EINVAL);
    check_equal("is ~0 free?", frame_pool_has(&pool, to_pfn(INVALID_ENTRY)), false);
    check_equal("free frames", pool.free.nr_pfns, 4);
}

static void test_reserve(void **state)
{
    struct frame_cursor c = {.frame_pool = &reserve};
    uint64_t seen = 0;
    mfn_t mfn;

    (void)state;
    check_equal("frame_pool_add", frame_pool_add(&pool, 0, 4), 0);
    check_equal("frame_pool_add", frame_pool_add(&pool, 10, 14), 0);
    check_equal("frame_pool_add", frame_pool_add(&pool, 20, 24), 0);
    check_equal("too many", frame_pool_reserve(&pool, 13, &reserve), -ENOMEM);
    check_equal("none is moved", pool.free.nr_pfns, 12);
    check_equal("none is moved", reserve.free.nr_pfns, 0);

    check_equal("frame_pool_reserve", frame_pool_reserve(&pool, 6, &reserve), 0);
    check_equal("left", pool.free.nr_pfns, 6);
    check_equal("reserved", reserve.free.nr_pfns, 6);
    while (!frame_pool_next(&c, &mfn))
        seen |= (uint64_t)1 << m2p_table[mfn.v];
    check_equal("the cursor sees each once", seen, 0xf03000);
    check_equal("and takes none", reserve.free.nr_pfns, 6);

    check_equal("frame_pool_release", frame_pool_release(&pool, &reserve), 0);
    check_equal("back", pool.free.nr_pfns, 12);
    check_equal("back", pool.free.nr_runs, 3);
    check_equal("empty", reserve.free.nr_pfns, 0);
    check_equal("empty", reserve.free.nr_runs, 0);

    check_equal("reserve all", frame_pool_reserve(&pool, 12, &reserve), 0);
    frame_pool_spend(&reserve);
    check_equal("spent", reserve.free.nr_pfns + pool.free.nr_pfns, 0);
    check_equal("nothing to reserve", frame_pool_reserve(&pool, 0, &reserve), 0);
}

static void test_renumber(void **state)
{
    static struct move moves[] = {
        {.from = 100, .to = 600, .nr = 28, .leaves = false},
        {.from = 128, .to = 640, .nr = 64, .leaves = true },
        {.from = 192, .to = 704, .nr = 8,  .leaves = false},
    };
    const struct plan plan = {.moves = moves, .nr_moves = ARRAY_SIZE(moves)};
    bool free[PFNS] = {false};

    (void)state;
    check_equal("frame_pool_add", frame_pool_add(&pool, 90, 110), 0);  /* into the hole      */
    check_equal("frame_pool_add", frame_pool_add(&pool, 120, 130), 0); /* over two moves     */
    check_equal("frame_pool_add", frame_pool_add(&pool, 150, 300), 0); /* and out of it      */
    check_equal("frame_pool_add", frame_pool_add(&pool, 400, 410), 0); /* not touched        */
    check_equal("renumber", frame_pool_renumber(&pool, &plan), 0);
    for (uint64_t pfn = 0; pfn < 512; pfn++)
        if ((pfn >= 90 && pfn < 110) || (pfn >= 120 && pfn < 130) || (pfn >= 150 && pfn < 300) ||
            (pfn >= 400 && pfn < 410))
            free[plan_renumbered(&plan, to_pfn(pfn)).v] = true;
    check_pool(&pool, free);
    check_equal("as many as before", pool.free.nr_pfns, 20 + 10 + 150 + 10);
}

/* One random step on the pool, told to the bitmap as well. */
static void random_step(struct rng *r, bool *free, uint64_t *nr_reserved, bool *reserved)
{
    uint64_t start = rng_below(r, PFNS), end = min_u64(start + rng_below(r, 40), PFNS), nr;
    bool overlaps = false;
    mfn_t mfn;

    switch (rng_below(r, 5)) {
    case 0: /* add */
        for (uint64_t pfn = start; pfn < end; pfn++)
            overlaps = overlaps || free[pfn] || reserved[pfn];
        if (overlaps && *nr_reserved)
            return; /* the pool cannot know of what is reserved */
        check_equal("frame_pool_add", frame_pool_add(&pool, start, end), overlaps ? -EEXIST : 0);
        for (uint64_t pfn = start; !overlaps && pfn < end; pfn++)
            free[pfn] = true;
        return;
    case 1: /* give one */
        if (reserved[start])
            return;
        check_equal("frame_pool_free", frame_pool_free(&pool, to_mfn(mfn_of(start))),
                    free[start] ? -EEXIST : 0);
        free[start] = true;
        return;
    case 2: /* take */
        if (frame_pool_alloc(&pool, &mfn))
            return;
        check_true("what is taken was free", free[m2p_table[mfn.v]]);
        free[m2p_table[mfn.v]] = false;
        return;
    case 3: /* reserve */
        nr = rng_below(r, 100);
        if (*nr_reserved || frame_pool_reserve(&pool, nr, &reserve))
            return;
        for (size_t i = 0; i < reserve.free.nr_runs; i++)
            for (uint64_t pfn = reserve.free.runs[i].start; pfn < reserve.free.runs[i].end; pfn++) {
                check_true("what is reserved was free", free[pfn]);
                free[pfn] = false;
                reserved[pfn] = true;
            }
        check_equal("reserved", reserve.free.nr_pfns, nr);
        *nr_reserved = nr;
        return;
    default: /* release */
        check_equal("frame_pool_release", frame_pool_release(&pool, &reserve), 0);
        for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
            free[pfn] = free[pfn] || reserved[pfn];
            reserved[pfn] = false;
        }
        *nr_reserved = 0;
    }
}

static void test_random_use(void **state)
{
    static struct pfn_run many[PFNS], as_many[PFNS];
    bool free[PFNS] = {false}, reserved[PFNS] = {false};
    uint64_t nr_reserved = 0;
    struct rng r = {2024};

    (void)state;
    frame_pool_init(&pool, many, PFNS, &p2m, &m2p);
    frame_pool_init(&reserve, as_many, PFNS, &p2m, &m2p);
    for (unsigned int i = 0; i < 20000; i++) {
        random_step(&r, free, &nr_reserved, reserved);
        if (i % 16 == 0)
            check_pool(&pool, free);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_take_until_empty, reset),
        cmocka_unit_test_setup(test_no_pfn, reset),
        cmocka_unit_test_setup(test_reserve, reset),
        cmocka_unit_test_setup(test_renumber, reset),
        cmocka_unit_test_setup(test_random_use, reset),
    };

    return cmocka_run_group_tests_name("frame_pool", tests, NULL, NULL);
}
