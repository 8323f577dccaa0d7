/* SPDX-License-Identifier: MIT */
/*
 * Page-table functions, and the fixmap, which is built on them. Without this test the kernel could
 * map a page over another mapping, lose the frame of a page table that Xen refused, or compute the
 * wrong frame for an address in a superpage.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <stdio.h>
#include <string.h>
#include <xen/errno.h>

static const uint64_t all_ram[] = {1 << 20, 0};
static struct guest g;

static void start(void)
{
    static const struct fake_shape shape = {.nr_pages = 3000};

    guest_start(&g, &shape, all_ram, 0);
}

/* Allocates a frame; the test fails if the frame pool is empty. */
static mfn_t take(void)
{
    mfn_t mfn;

    check_equal("frame_pool_alloc", frame_pool_alloc(&g.frame_pool, &mfn), 0);
    return mfn;
}

static void test_walk(void **state)
{
    struct pt_entry e;

    (void)state;
    start();
    for (uint64_t pfn = 0; pfn < g.domain.kernel_pfns; pfn++) {
        uint64_t va = FAKE_VIRT_BASE + pfn * PAGE_SIZE;

        if (va - (uintptr_t)g.domain.fixmap >= NR_FIXMAP_SLOTS * PAGE_SIZE)
            check_equal("MFN of a page of the kernel's mapping", pt_mfn(&g.pt, va + 8).v,
                        fake_builder_mfn(pfn));
    }
    e = pt_walk(&g.pt, g.domain.image_start);
    check_equal("pt_walk of the image start: level", e.level, 1);
    check_equal("pt_walk of the image start: index", e.index, 256);
    check_equal("pt_walk of the image start: PTE", fake_ram(e.table.v)[e.index], e.pte);

    check_equal("pt_walk past the kernel's mapping: level",
                pt_walk(&g.pt, FAKE_VIRT_BASE + ((uint64_t)1 << 30)).level, 3);
    check_equal("pt_walk in another level 4 slot: level", pt_walk(&g.pt, 0x1000).level, 4);
    check_equal("pt_mfn in another level 4 slot", pt_mfn(&g.pt, 0x1000).v, INVALID_ENTRY);
}

static void test_map_use_unmap(void **state)
{
    static const uint64_t addresses[] = {
        FAKE_LIST_BASE + ((uint64_t)300 << 30), FAKE_LIST_BASE + ((uint64_t)511 << 30) + 0x3fffe000,
        FAKE_HEAP_BASE + ((uint64_t)1 << 21) - PAGE_SIZE, FAKE_HEAP_BASE + ((uint64_t)1 << 21)};

    (void)state;
    start();
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        volatile uint64_t *p = (volatile uint64_t *)addresses[i];
        mfn_t mfn = take(), back;

        check_equal("pt_map, read-write", pt_map(&g.pt, addresses[i], mfn, PTE_RW), 0);
        *p = 0x1234 + i;
        check_equal("word of the frame after a store to the page", fake_ram(mfn.v)[0], 0x1234 + i);
        check_equal("pt_map of a mapped page", pt_map(&g.pt, addresses[i], mfn, PTE_RO), -EEXIST);
        check_equal("pt_mfn of the mapped page", pt_mfn(&g.pt, addresses[i] + 0xfff).v, mfn.v);

        check_equal("pt_protect, read-only",
                    pt_protect(&g.pt, addresses[i], addresses[i] + PAGE_SIZE, PTE_RO), 0);
        check_true("the protected page is read-only", !fake_walk(addresses[i]).writable);
        check_true("pt_protect flushed the TLB entry", !fake_tlb_writable(addresses[i]));
        check_equal("word read from the protected page", *p, 0x1234 + i);

        check_equal("pt_unmap of the page", pt_unmap(&g.pt, addresses[i], &back), 0);
        check_equal("MFN returned by pt_unmap", back.v, mfn.v);
        check_true("the page is not mapped after pt_unmap", !fake_walk(addresses[i]).present);
        check_equal("pt_map of another frame, read-only",
                    pt_map(&g.pt, addresses[i], g.pt.root, PTE_RO), 0);
        check_equal("word read through the new mapping", *p, fake_ram(fake.root)[0]);
        check_equal("pt_unmap of the new mapping", pt_unmap(&g.pt, addresses[i], &back), 0);
        check_equal("pt_unmap of an unmapped page", pt_unmap(&g.pt, addresses[i], &back), -ENOENT);
        check_equal("pt_protect of an unmapped page",
                    pt_protect(&g.pt, addresses[i], addresses[i] + PAGE_SIZE, PTE_RO), -ENOENT);
        check_equal("frame_pool_free of the frame", frame_pool_free(&g.frame_pool, mfn), 0);
    }
    guest_check_frames("frames after unmapping all pages", &g, 0, 0);
}

/*
 * Ranges that end at and beside the end of a request of pt_protect, and that go on in the next
 * level 1 table. At a hole pt_protect stops; what it has changed below the hole is flushed.
 * The numbers are pages, from 40 pages below the end of a level 1 table on; 99: no hole.
 */
static void test_protect_ranges(void **state)
{
    static const struct {
        uint64_t first, nr, hole;
    } rows[] = {
        {0,  0,  99},
        {0,  31, 99},
        {1,  32, 99},
        {0,  33, 99},
        {0,  64, 99},
        {39, 2,  99},
        {40, 40, 99},
        {0,  80, 99},
        {0,  80, 0 },
        {0,  80, 33},
        {0,  80, 79},
    };
    const uint64_t base = FAKE_HEAP_BASE + ((uint64_t)1 << 21) - 40 * PAGE_SIZE;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t first = rows[i].first, end = first + rows[i].nr;
        bool is_whole = rows[i].hole == 99;

        start();
        for (uint64_t page = 0; page < 80; page++)
            if (page != rows[i].hole)
                check_equal("pt_map", pt_map(&g.pt, base + page * PAGE_SIZE, take(), PTE_RW), 0);
        for (uint64_t page = 0; page < 80; page++)
            if (page != rows[i].hole)
                *(volatile uint64_t *)(base + page * PAGE_SIZE) = page;
        check_equal("pt_protect of a range",
                    pt_protect(&g.pt, base + first * PAGE_SIZE, base + end * PAGE_SIZE, PTE_RO),
                    is_whole ? 0 : -ENOENT);
        for (uint64_t page = 0; page < 80; page++) {
            uint64_t va = base + page * PAGE_SIZE;
            bool is_in = page >= first && page < end;
            char what[64];

            if (page == rows[i].hole)
                continue;
            snprintf(what, sizeof(what), "row %zu, page %lu: writable", i, page);
            if (is_whole || page > rows[i].hole)
                check_equal(what, fake_walk(va).writable, !(is_in && is_whole));
            if (!fake_walk(va).writable)
                check_equal(what, fake_tlb_writable(va), false);
        }
    }
}

/* Only builders make superpages: pt_mfn must find the frame of each 4 KiB page in them. */
static void test_superpages(void **state)
{
    static const struct fake_shape shape = {.nr_pages = (1 << 18) + 700,
                                            .list = FAKE_LIST_SUPERPAGES};
    static const uint64_t at[] = {0, 1, 511, 512, 513};

    (void)state;
    guest_start(&g, &shape, all_ram, 0);
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        uint64_t va = FAKE_LIST_BASE + at[i] * PAGE_SIZE;
        mfn_t none;

        check_equal("pt_walk in the P2M list: level", pt_walk(&g.pt, va).level,
                    at[i] < 512 ? 2 : 1);
        check_equal("pt_mfn in the P2M list", pt_mfn(&g.pt, va + 0x10).v, fake_walk(va).mfn);
        check_equal("pt_map over a page of the P2M list", pt_map(&g.pt, va, to_mfn(1), PTE_RO),
                    -EEXIST);
        if (at[i] < 512) {
            check_equal("pt_unmap in a superpage", pt_unmap(&g.pt, va, &none), -ENOENT);
            check_equal("pt_protect in a superpage", pt_protect(&g.pt, va, va + PAGE_SIZE, PTE_RO),
                        -ENOENT);
        }
    }
    check_equal("PFN of the superpage modulo 512",
                m2p_get(&g.m2p, pt_mfn(&g.pt, FAKE_LIST_BASE)).v % 512,
                g.domain.list_pfn % 512 + 2);
}

static void test_without_frames(void **state)
{
    uint64_t va = FAKE_LIST_BASE + ((uint64_t)300 << 30); /* needs a level 2 and a level 1 table */
    mfn_t kept, mfn;

    (void)state;
    start();
    kept = take();
    while (!frame_pool_alloc(&g.frame_pool, &mfn))
        ;
    check_equal("pt_map without a frame for the page tables", pt_map(&g.pt, va, kept, PTE_RW),
                -ENOMEM);
    check_true("no page is mapped after a failed pt_map", !fake_walk(va).present);
    check_equal("heap_alloc without a frame", (uintptr_t)heap_alloc(&g.heap, PAGE_SIZE), 0);
}

struct attempt {
    mfn_t mfn;
    int rc;
};

/* Maps a page that needs a new level 1 table. */
static void map_with_table(void *arg)
{
    struct attempt *a = arg;

    a->rc = pt_map(&g.pt, FAKE_HEAP_BASE + ((uint64_t)5 << 21), a->mfn, PTE_RW);
}

/* Each hypercall of pt_map fails once: its frames go back to the frame pool. */
static void test_refused(void **state)
{
    unsigned int n = 0, nr_refused = 0;
    struct attempt a;

    (void)state;
    do {
        const char *panic;

        start();
        a.mfn = take();
        panic = guest_fail_nth(++n, -XEN_EPERM, map_with_table, &a);
        if (panic) {
            check_says("panic of pt_map", panic, ": cannot ");
            continue;
        }
        if (fake.nr_hypercalls < n)
            break;
        nr_refused++;
        check_equal("pt_map with a refused hypercall", a.rc, -EPERM);
        check_equal("frame_pool_free of the frame to map", frame_pool_free(&g.frame_pool, a.mfn),
                    0);
        guest_check_frames("frames after a refused pt_map", &g, 0, 0);
    } while (true);
    check_equal("pt_map without a failing hypercall", a.rc, 0);
    /* mapping the new table in the fixmap, writing its entry above, writing the page's entry */
    check_equal("hypercalls whose refusal pt_map returns", nr_refused, 3);
}

static void test_what_xen_refuses(void **state)
{
    mfn_t table, page;
    uint64_t *p;

    (void)state;
    start();
    table = take();
    page = take();
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RW);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        p[i] = 0;
    p[7] = pte_make(table, PTE_RW);
    check_equal("pt_pin of a table that is mapped writable", pt_pin(table, 1), -XEN_EINVAL);
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_equal("pt_pin of a table that maps itself writable", pt_pin(table, 1), -XEN_EBUSY);

    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RW);
    p[7] = pte_make(page, PTE_RW);
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_equal("pt_pin of a valid table", pt_pin(table, 1), 0);
    check_true("fixmap_map of a pinned table, read-write, is refused",
               !fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RW));
    check_true("fixmap_map of a pinned table, read-only",
               fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RO));
    check_equal("pt_write of a level 1 table's MFN into level 4",
                pt_write(g.pt.root, 5, pte_make(table, PTE_TABLE)), -XEN_EINVAL);
    check_equal("pt_unpin of the table", pt_unpin(table), 0);
    check_equal("pt_unpin of an unpinned table", pt_unpin(table), -XEN_EINVAL);
    check_equal("references of the page after pt_unpin", fake_frame(page.v)->refs, 0);
}

static void test_fixmap(void **state)
{
    unsigned int before;
    uint64_t *p;
    mfn_t a, b;

    (void)state;
    start();
    a = take();
    b = take();
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, a, PTE_RW);
    *p = 1;
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RW);
    *p = 2;
    check_equal("word of frame a, mapped first", *fake_ram(a.v), 1);
    check_equal("word of frame b, mapped second", *fake_ram(b.v), 2);

    before = fake.nr_hypercalls;
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RW);
    check_equal("hypercalls after fixmap_map of a mapped frame", fake.nr_hypercalls, before);
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RO);
    check_equal("hypercalls after fixmap_map with other rights", fake.nr_hypercalls, before + 1);
    check_equal("rights after fixmap_map with other rights", fake_walk((uintptr_t)p).writable,
                false);

    p = fixmap_map(&g.fixmap, FIXMAP_BUILD, b, PTE_RO);
    check_equal("references of a frame in two fixmap slots", fake_frame(b.v)->refs, 2);
    fixmap_unmap_mfn(&g.fixmap, b);
    check_equal("references after fixmap_unmap_mfn", fake_frame(b.v)->refs, 0);
    check_true("the fixmap slot is empty after fixmap_unmap_mfn", !fake_walk((uintptr_t)p).present);

    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RO);
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_true("fixmap_map of INVALID_MFN in an empty slot, with the flags of its last mapping",
               !fixmap_map(&g.fixmap, FIXMAP_SCRATCH, INVALID_MFN, PTE_RO));
    check_true("fixmap_map of an MFN of 41 bits",
               !fixmap_map(&g.fixmap, FIXMAP_SCRATCH, to_mfn(b.v | (uint64_t)1 << 40), PTE_RO));

    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, a, PTE_RW);
    check_true("fixmap_map of INVALID_MFN in a slot in use",
               !fixmap_map(&g.fixmap, FIXMAP_SCRATCH, INVALID_MFN, PTE_RW));
    *p = 3;
    check_equal("word of the frame that the slot still maps", *fake_ram(a.v), 3);
    check_true("the TLB has the fixmap page", fake_tlb_writable((uintptr_t)p));
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_true("fixmap_unmap flushed the TLB entry", !fake_tlb_writable((uintptr_t)p));
}

/* pt_make_tables and pt_drop_tables: page tables for mappings of others, from any start to any end.
 */
static void test_tables(void **state)
{
    static const uint64_t edges[] = {0, 1, 511, 512, 513, 1024, 262143, 262144, 262145, 262144 * 2};
    uint64_t nr_free;
    mfn_t mfn;

    (void)state;
    start();
    check_equal("pt_make_tables, to make a level 3 table that stays",
                pt_make_tables(&g.pt, FAKE_LIST_BASE + ((uint64_t)400 << 30),
                               FAKE_LIST_BASE + ((uint64_t)400 << 30) + PAGE_SIZE),
                0);
    pt_drop_tables(&g.pt, FAKE_LIST_BASE + ((uint64_t)400 << 30),
                   FAKE_LIST_BASE + ((uint64_t)400 << 30) + PAGE_SIZE);
    nr_free = g.frame_pool.free.nr_pfns;
    for (size_t a = 0; a < ARRAY_SIZE(edges); a++)
        for (size_t b = a; b < ARRAY_SIZE(edges); b++) {
            uint64_t base = FAKE_LIST_BASE + ((uint64_t)300 << 30), tables = g.pt.nr_tables;
            uint64_t from = base + edges[a] * PAGE_SIZE, to = base + edges[b] * PAGE_SIZE, l1s, l2s;

            l1s = from < to ? DIV_ROUND_UP(edges[b], 512) - edges[a] / 512 : 0;
            l2s = from < to ? DIV_ROUND_UP(edges[b], 262144) - edges[a] / 262144 : 0;
            check_equal("pt_make_tables", pt_make_tables(&g.pt, from, to), 0);
            for (uint64_t va = from; va < to; va += 97 * PAGE_SIZE)
                check_equal("level of an entry in the range", fake_walk(va).level, 1);
            if (from < to)
                check_equal("level of the last entry in the range", fake_walk(to - PAGE_SIZE).level,
                            1);
            check_equal("page tables made", g.pt.nr_tables - tables, l1s + l2s);
            check_equal("frames allocated for page tables", nr_free - g.frame_pool.free.nr_pfns,
                        l1s + l2s);
            check_equal("pt_make_tables of existing page tables", pt_make_tables(&g.pt, from, to),
                        0);
            check_equal("page tables after the second pt_make_tables", g.pt.nr_tables - tables,
                        l1s + l2s);
            if (from < to) { /* page tables in use must stay */
                mfn = take();
                check_equal("pt_map of the last page", pt_map(&g.pt, to - PAGE_SIZE, mfn, PTE_RW),
                            0);
                pt_drop_tables(&g.pt, from, to);
                check_equal("page tables after pt_drop_tables with one mapped page",
                            g.pt.nr_tables - tables, 2);
                check_equal("MFN of the mapped page after pt_drop_tables",
                            fake_walk(to - PAGE_SIZE).mfn, mfn.v);
                check_equal("pt_unmap of the last page", pt_unmap(&g.pt, to - PAGE_SIZE, &mfn), 0);
                check_equal("frame_pool_free of the page's frame",
                            frame_pool_free(&g.frame_pool, mfn), 0);
            }
            pt_drop_tables(&g.pt, from, to);
            check_equal("page tables after pt_drop_tables", g.pt.nr_tables, tables);
            check_equal("free frames after pt_drop_tables", g.frame_pool.free.nr_pfns, nr_free);
        }
    guest_check_frames("frames after all pt_drop_tables", &g, 0, 0);
}

/* The CPU may cache an entry above level 1 (Intel SDM 4.10.3), for which no INVLPG is used:
 * dropping a page table must flush the whole TLB. */
static void test_drop_flushes(void **state)
{
    uint64_t va = FAKE_LIST_BASE + ((uint64_t)300 << 30);
    volatile uint64_t *page;

    (void)state;
    start();
    page = heap_alloc(&g.heap, PAGE_SIZE);
    check_equal("pt_make_tables of one page", pt_make_tables(&g.pt, va, va + PAGE_SIZE), 0);
    *page = 1;
    check_true("the TLB has the heap's page", fake_tlb_writable((uintptr_t)page));
    pt_drop_tables(&g.pt, va, va + PAGE_SIZE);
    check_true("pt_drop_tables of two page tables flushes the TLB",
               !fake_tlb_writable((uintptr_t)page));
    *page = 2;
    pt_drop_tables(&g.pt, va, va + PAGE_SIZE);
    check_true("pt_drop_tables of no page table does not flush the TLB",
               fake_tlb_writable((uintptr_t)page));
}

static void drop_once(void *arg)
{
    pt_drop_tables(&g.pt, *(uint64_t *)arg, *(uint64_t *)arg + PAGE_SIZE);
}

/* pt_make_tables without a frame; and hypercalls of pt_drop_tables that Xen refuses. */
static void test_tables_refused(void **state)
{
    uint64_t va = FAKE_FOREIGN_BASE + ((uint64_t)300 << 30), nr_free;
    unsigned int n = 0, nr_named = 0;

    (void)state;
    for (uint64_t request = 1; request <= 4; request++) {
        start();
        nr_free = g.frame_pool.free.nr_pfns;
        g.frame_pool.fail_at = g.frame_pool.nr_requests + request;
        check_equal("pt_make_tables with few frames", pt_make_tables(&g.pt, va, va + 3 * PAGE_SIZE),
                    request > 3 ? 0 : -ENOMEM);
        check_equal("frames allocated by a failed pt_make_tables",
                    nr_free - g.frame_pool.free.nr_pfns, request - 1);
        g.frame_pool.fail_at = 0;
        check_equal("pt_make_tables of the remaining page tables",
                    pt_make_tables(&g.pt, va, va + 3 * PAGE_SIZE), 0);
        pt_drop_tables(&g.pt, va, va + 3 * PAGE_SIZE);
        check_equal("frames in use after pt_drop_tables: the level 3 table",
                    nr_free - g.frame_pool.free.nr_pfns, 1);
    }
    do {
        const char *panic;

        start();
        check_equal("pt_make_tables of one page", pt_make_tables(&g.pt, va, va + PAGE_SIZE), 0);
        panic = guest_fail_nth(++n, -XEN_EPERM, drop_once, &va);
        nr_named += panic && strstr(panic, "cannot clear the entry of the empty level ");
    } while (fake.nr_hypercalls >= n);
    check_equal("panics that name a page table", nr_named, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_walk, fake_machine_teardown),
        cmocka_unit_test_teardown(test_map_use_unmap, fake_machine_teardown),
        cmocka_unit_test_teardown(test_protect_ranges, fake_machine_teardown),
        cmocka_unit_test_teardown(test_superpages, fake_machine_teardown),
        cmocka_unit_test_teardown(test_without_frames, fake_machine_teardown),
        cmocka_unit_test_teardown(test_refused, fake_machine_teardown),
        cmocka_unit_test_teardown(test_what_xen_refuses, fake_machine_teardown),
        cmocka_unit_test_teardown(test_fixmap, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tables, fake_machine_teardown),
        cmocka_unit_test_teardown(test_drop_flushes, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tables_refused, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("page tables", tests, NULL, NULL);
}
