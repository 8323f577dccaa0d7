/* SPDX-License-Identifier: MIT */
/*
 * The heap of virtual addresses. Without this test a kernel that allocates and frees for days could
 * lose one frame for each empty page table, or free a page table that a neighbouring block uses.
 */
#include "lib/errno.h"

#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#define MIB2     level_bytes(2)
#define MIB2_NR  (MIB2 / PAGE_SIZE)
#define NR_STEPS 400

static struct guest g;

static void start(void)
{
    static const struct fake_shape shape = {.nr_pages = 6000};
    static const uint64_t all_ram[] = {1 << 20, 0};

    guest_start(&g, &shape, all_ram, 0);
}

static void *alloc(uint64_t nr)
{
    void *page = heap_alloc(&g.heap, nr * PAGE_SIZE);

    check_true("heap_alloc returns memory", page);
    return page;
}

static void free_pages(void *page, uint64_t nr)
{
    heap_free(&g.heap, page, nr * PAGE_SIZE);
}

/* Is there a level 1 table for @va? */
static bool has_l1(const void *va)
{
    return fake_walk((uintptr_t)va).level == 1;
}

static void test_heap(void **state)
{
    uint8_t *a, *b, *c, *shared;
    uint64_t nr_free;

    (void)state;
    start();
    nr_free = g.frame_pool.free.nr_pfns;
    a = heap_alloc(&g.heap, 3 * PAGE_SIZE - 5);
    b = heap_alloc(&g.heap, 1);
    for (uint64_t i = 0; i < 3 * PAGE_SIZE; i++)
        check_equal("byte of a new block", a[i], 0);
    a[3 * PAGE_SIZE - 1] = 1;
    check_true("the second block lies behind a guard page", b >= a + 4 * PAGE_SIZE);
    check_true("the guard page is not mapped", !fake_walk((uintptr_t)a + 3 * PAGE_SIZE).present);
    check_equal("free frames after allocating 4 pages", g.frame_pool.free.nr_pfns, nr_free - 4);

    shared = heap_map(&g.heap, maddr_to_mfn(g.domain.shared_info), PTE_RW);
    shared[0] = 7;
    check_equal("word written through heap_map of shared_info",
                *fake_ram(g.domain.shared_info / PAGE_SIZE), 7);

    c = heap_alloc(&g.heap, 1);
    check_true("the next block lies behind a guard page", c >= shared + 2 * PAGE_SIZE);
    heap_free(&g.heap, c, 1);

    heap_free(&g.heap, a, 3 * PAGE_SIZE - 5);
    heap_free(&g.heap, b, 1);
    heap_free(&g.heap, NULL, 5);
    check_equal("free frames after freeing all blocks", g.frame_pool.free.nr_pfns, nr_free);
    check_equal("heap_alloc of more pages than are free",
                (uintptr_t)heap_alloc(&g.heap, (nr_free + 1) * PAGE_SIZE), 0);
    guest_check_frames("frames after freeing all blocks", &g, 0, 0);
}

/* Blocks that need one and two page tables: all their frames are free after the blocks are freed.
 */
static void test_tables_are_given_back(void **state)
{
    uint64_t nr_free, nr_tables;
    uint8_t *a, *b, *c;

    (void)state;
    start();
    a = alloc(1);
    nr_free = g.frame_pool.free.nr_pfns;
    nr_tables = g.pt.nr_tables;
    b = alloc(2 * MIB2_NR);
    c = alloc(1);
    check_equal("page tables of three blocks", g.pt.nr_tables, nr_tables + 2);
    check_true("the last block has a level 1 table", has_l1(c));

    free_pages(b, 2 * MIB2_NR);
    check_true("the block below keeps its level 1 table", has_l1(a));
    check_true("the level 1 table between the blocks is gone", !has_l1(b + MIB2));
    check_true("the block above keeps its level 1 table", has_l1(c));
    check_equal("page tables after freeing the middle block", g.pt.nr_tables, nr_tables + 1);

    free_pages(a, 1);
    check_true("the lowest level 1 table is gone", !has_l1(a));
    free_pages(c, 1);
    check_true("the level 1 table for the next block exists", has_l1((void *)g.heap.next));
    check_equal("page tables after freeing all blocks", g.pt.nr_tables, nr_tables);
    check_equal("free frames after freeing all blocks", g.frame_pool.free.nr_pfns, nr_free + 1);
    guest_check_frames("frames after freeing all blocks", &g, 0, 0);
}

/* A GiB without blocks, below the heap's next address, has no level 2 table. */
static void test_level_2_tables_are_given_back(void **state)
{
    uint64_t nr_tables;
    void *a, *b;

    (void)state;
    start();
    nr_tables = g.pt.nr_tables;
    a = alloc(1);
    g.heap.next = FAKE_HEAP_BASE + 3 * level_bytes(3);
    b = alloc(1);
    check_equal("page tables of blocks in two GiBs", g.pt.nr_tables, nr_tables + 2);
    free_pages(a, 1);
    check_equal("level of the entry for the lower GiB", fake_walk((uintptr_t)a).level, 3);
    check_true("the upper block keeps its level 1 table", has_l1(b));
    check_equal("page tables after freeing the lower block", g.pt.nr_tables, nr_tables);
    free_pages(b, 1);
}

/* heap_alloc runs out of frames in its third page table: the first two are freed. */
static void test_tables_of_a_failed_allocation(void **state)
{
    for (uint64_t request = 1; request <= 3 * MIB2_NR; request += request < 4 ? 1 : 127) {
        uint64_t nr_free, nr_tables;

        (void)state;
        start();
        nr_free = g.frame_pool.free.nr_pfns;
        nr_tables = g.pt.nr_tables;
        g.frame_pool.fail_at = g.frame_pool.nr_requests + request;
        check_true("heap_alloc without a free frame returns NULL", !heap_alloc(&g.heap, 3 * MIB2));
        g.frame_pool.fail_at = 0;
        check_equal("page tables after a failed allocation", g.pt.nr_tables, nr_tables);
        check_equal("free frames after a failed allocation", g.frame_pool.free.nr_pfns, nr_free);
        guest_check_frames("after a failed allocation", &g, 0, 0);
    }
}

/* A page whose level 1 table could not be allocated: its new level 2 table is freed, too. */
static void test_failure_at_the_end_of_a_gib(void **state)
{
    (void)state;
    for (uint64_t request = 1; request <= 8; request++) {
        uint64_t gib = FAKE_HEAP_BASE + level_bytes(3), all;
        void *page;

        start();
        all = g.frame_pool.free.nr_pfns + g.pt.nr_tables;
        g.heap.next = gib - 2 * PAGE_SIZE;
        g.frame_pool.fail_at = g.frame_pool.nr_requests + request;
        page = heap_alloc(&g.heap, 4 * PAGE_SIZE);
        g.frame_pool.fail_at = 0;
        check_equal("heap_alloc of 4 pages and 3 page tables succeeds", page != NULL, request > 7);
        if (page)
            continue;
        check_equal("level of the entry for the next GiB", fake_walk(gib).level, 3);
        check_equal("free frames and page tables after a failed allocation",
                    g.frame_pool.free.nr_pfns + g.pt.nr_tables, all);
    }
}

/* heap_unmap returns the frame to the caller, and frees a page table that becomes empty. */
static void test_unmap(void **state)
{
    uint64_t nr_free, nr_tables;
    uint8_t *shared, *block;
    mfn_t mfn, first;

    (void)state;
    start();
    nr_tables = g.pt.nr_tables;
    shared = heap_map(&g.heap, maddr_to_mfn(g.domain.shared_info), PTE_RW);
    check_true("heap_map of shared_info", shared);
    g.heap.next = ROUND_UP(g.heap.next, MIB2);
    block = alloc(2);
    first = to_mfn(fake_walk((uintptr_t)block).mfn);
    nr_free = g.frame_pool.free.nr_pfns;

    check_equal("heap_unmap of shared_info", heap_unmap(&g.heap, shared, &mfn), 0);
    check_equal("MFN returned by heap_unmap of shared_info", mfn.v,
                g.domain.shared_info / PAGE_SIZE);
    check_true("the level 1 table of shared_info is gone", !has_l1(shared));
    check_equal("free frames after heap_unmap: one page table more", g.frame_pool.free.nr_pfns,
                nr_free + 1);
    check_equal("second heap_unmap of shared_info", heap_unmap(&g.heap, shared, &mfn), -ENOENT);

    check_equal("heap_unmap of a page of a block", heap_unmap(&g.heap, block, &mfn), 0);
    check_equal("MFN returned by heap_unmap of a page of a block", mfn.v, first.v);
    check_true("the other page of the block is mapped",
               fake_walk((uintptr_t)block + PAGE_SIZE).present);
    check_equal("free frames after heap_unmap of a page of a block", g.frame_pool.free.nr_pfns,
                nr_free + 1);
    check_equal("page tables after heap_unmap of a page of a block", g.pt.nr_tables, nr_tables);
    check_equal("frame_pool_free of the unmapped frame", frame_pool_free(&g.frame_pool, mfn), 0);
    free_pages(block + PAGE_SIZE, 1);
}

static struct block {
    uint8_t *page;
    uint64_t nr;
} blocks[6];

/* Is a page of one of the blocks in the 2 MiB from @va on? */
static bool is_needed(uint64_t va)
{
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (blocks[i].page && (uintptr_t)blocks[i].page < va + MIB2 &&
            (uintptr_t)blocks[i].page + blocks[i].nr * PAGE_SIZE > va)
            return true;
    return false;
}

/* Level 1 tables exist for each 2 MiB with a page in it, and for the next address; for no other. */
static void check_tables(unsigned int step)
{
    uint64_t kept = ROUND_DOWN(g.heap.next, MIB2);

    for (uint64_t va = FAKE_HEAP_BASE; va <= kept; va += MIB2) {
        bool has = has_l1((void *)va), needed = is_needed(va);

        if (needed ? !has : has && va != kept)
            fail_msg("step %u: the level 1 table at %#lx %s, expected %s", step, va,
                     has ? "exists" : "does not exist", needed ? "one" : "none");
    }
}

/* Random blocks of up to 3 MiB: exactly the needed page tables exist, and no frame is lost. */
static void test_random(void **state)
{
    struct rng rng = {.state = 0x48454150};
    uint64_t all, nr_pages = 0;

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    start();
    all = g.frame_pool.free.nr_pfns + g.pt.nr_tables;
    for (unsigned int step = 0; step < NR_STEPS; step++) {
        struct block *b = &blocks[rng_below(&rng, ARRAY_SIZE(blocks))];

        if (b->page) {
            free_pages(b->page, b->nr);
            nr_pages -= b->nr;
            b->page = NULL;
        } else {
            b->nr = 1 + rng_below(&rng, rng_below(&rng, 2) ? 4 : 3 * MIB2_NR / 2);
            b->page = alloc(b->nr);
            nr_pages += b->nr;
        }
        check_tables(step);
        check_equal("free frames, page tables and pages in blocks",
                    g.frame_pool.free.nr_pfns + g.pt.nr_tables + nr_pages, all);
    }
    guest_check_frames("frames after all random steps", &g, 0, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_heap, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tables_are_given_back, fake_machine_teardown),
        cmocka_unit_test_teardown(test_level_2_tables_are_given_back, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tables_of_a_failed_allocation, fake_machine_teardown),
        cmocka_unit_test_teardown(test_failure_at_the_end_of_a_gib, fake_machine_teardown),
        cmocka_unit_test_teardown(test_unmap, fake_machine_teardown),
        cmocka_unit_test_teardown(test_random, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
