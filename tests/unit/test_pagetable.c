/* SPDX-License-Identifier: MIT */
/*
 * Without this the kernel could map a page over another, lose the frame of a table that Xen
 * refused, or read a superpage's frame from the wrong place. The fixmap, which uses the same few
 * functions, is tested here too.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

static const uint64_t all_ram[] = {1 << 20, 0};
static struct guest g;

static void start(void)
{
    static const struct fake_shape shape = {.nr_pages = 3000};

    guest_start(&g, &shape, all_ram, 0);
}

/* A frame from the pool, which the test cannot do without. */
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
            check_equal("a page of the kernel", pt_mfn(&g.pt, va + 8).v, fake_builder_mfn(pfn));
    }
    e = pt_walk(&g.pt, g.domain.image_start);
    check_equal("level", e.level, 1);
    check_equal("index", e.index, 256);
    check_equal("entry", fake_ram(e.table.v)[e.index], e.pte);

    check_equal("past the kernel's mapping: level",
                pt_walk(&g.pt, FAKE_VIRT_BASE + ((uint64_t)1 << 30)).level, 3);
    check_equal("another slot: level", pt_walk(&g.pt, 0x1000).level, 4);
    check_equal("another slot", pt_mfn(&g.pt, 0x1000).v, INVALID_ENTRY);
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

        check_equal("map", pt_map(&g.pt, addresses[i], mfn, PTE_RW), 0);
        *p = 0x1234 + i;
        check_equal("what the frame holds", fake_ram(mfn.v)[0], 0x1234 + i);
        check_equal("twice", pt_map(&g.pt, addresses[i], mfn, PTE_RO), -EEXIST);
        check_equal("frame", pt_mfn(&g.pt, addresses[i] + 0xfff).v, mfn.v);

        check_equal("read only", pt_protect(&g.pt, addresses[i], PTE_RO), 0);
        check_true("read only", !fake_walk(addresses[i]).writable);
        check_true("flushed", !fake_tlb_writable(addresses[i]));
        check_equal("still read", *p, 0x1234 + i);

        check_equal("unmap", pt_unmap(&g.pt, addresses[i], &back), 0);
        check_equal("its frame", back.v, mfn.v);
        check_true("nothing there", !fake_walk(addresses[i]).present);
        check_equal("another there", pt_map(&g.pt, addresses[i], g.pt.root, PTE_RO), 0);
        check_equal("and seen", *p, fake_ram(fake.root)[0]);
        check_equal("unmap", pt_unmap(&g.pt, addresses[i], &back), 0);
        check_equal("unmap twice", pt_unmap(&g.pt, addresses[i], &back), -ENOENT);
        check_equal("protect nothing", pt_protect(&g.pt, addresses[i], PTE_RO), -ENOENT);
        check_equal("give", frame_pool_free(&g.frame_pool, mfn), 0);
    }
    guest_check_frames("after", &g, 0, 0);
}

/* Superpages, which the builder alone may make: each 4 KiB of them has its frame. */
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

        check_equal("level", pt_walk(&g.pt, va).level, at[i] < 512 ? 2 : 1);
        check_equal("frame", pt_mfn(&g.pt, va + 0x10).v, fake_walk(va).mfn);
        check_equal("map over it", pt_map(&g.pt, va, to_mfn(1), PTE_RO), -EEXIST);
        if (at[i] < 512) {
            check_equal("unmap", pt_unmap(&g.pt, va, &none), -ENOENT);
            check_equal("protect", pt_protect(&g.pt, va, PTE_RO), -ENOENT);
        }
    }
    check_equal("misaligned in PFN space", m2p_get(&g.m2p, pt_mfn(&g.pt, FAKE_LIST_BASE)).v % 512,
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
    check_equal("no table to be had", pt_map(&g.pt, va, kept, PTE_RW), -ENOMEM);
    check_true("nothing mapped", !fake_walk(va).present);
    check_equal("heap", (uintptr_t)heap_alloc(&g.heap, PAGE_SIZE), 0);
}

struct attempt {
    mfn_t mfn;
    int rc;
};

/* Needs a level 1 table, which is not there. */
static void map_with_table(void *arg)
{
    struct attempt *a = arg;

    a->rc = pt_map(&g.pt, FAKE_HEAP_BASE + ((uint64_t)5 << 21), a->mfn, PTE_RW);
}

/* Whichever hypercall fails, what was taken from the pool for it is there again. */
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
            check_says("only reading may panic", panic, ": cannot ");
            continue;
        }
        if (fake.nr_hypercalls < n)
            break;
        nr_refused++;
        check_equal("errno", a.rc, -EPERM);
        check_equal("give", frame_pool_free(&g.frame_pool, a.mfn), 0);
        guest_check_frames("refused", &g, 0, 0);
    } while (true);
    check_equal("in the end", a.rc, 0);
    /* to show the new table for filling, to hook it, to map the page */
    check_equal("what may be refused", nr_refused, 3);
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
    check_equal("a table that is mapped writable", pt_pin(table, 1), -XEN_EINVAL);
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_equal("one that maps itself writable", pt_pin(table, 1), -XEN_EBUSY);

    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RW);
    p[7] = pte_make(page, PTE_RW);
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_equal("a good one", pt_pin(table, 1), 0);
    check_true("not to be written", !fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RW));
    check_true("but read", fixmap_map(&g.fixmap, FIXMAP_SCRATCH, table, PTE_RO));
    check_equal("as a table of another level", pt_write(g.pt.root, 5, pte_make(table, PTE_TABLE)),
                -XEN_EINVAL);
    check_equal("unpin", pt_unpin(table), 0);
    check_equal("unpin twice", pt_unpin(table), -XEN_EINVAL);
    check_equal("nothing is left of it", fake_frame(page.v)->refs, 0);
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
    check_equal("a", *fake_ram(a.v), 1);
    check_equal("b", *fake_ram(b.v), 2);

    before = fake.nr_hypercalls;
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RW);
    check_equal("shown already", fake.nr_hypercalls, before);
    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, b, PTE_RO);
    check_equal("other rights", fake.nr_hypercalls, before + 1);
    check_equal("other rights", fake_walk((uintptr_t)p).writable, false);

    p = fixmap_map(&g.fixmap, FIXMAP_BUILD, b, PTE_RO);
    check_equal("two fixmap slots", fake_frame(b.v)->refs, 2);
    fixmap_unmap_mfn(&g.fixmap, b);
    check_equal("forgotten", fake_frame(b.v)->refs, 0);
    check_true("empty", !fake_walk((uintptr_t)p).present);

    p = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, a, PTE_RW);
    *p = 3;
    check_true("cached", fake_tlb_writable((uintptr_t)p));
    fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
    check_true("flushed", !fake_tlb_writable((uintptr_t)p));
}

/* Tables for what somebody else maps: from any start to any end, and away again. */
static void test_tables(void **state)
{
    static const uint64_t edges[] = {0, 1, 511, 512, 513, 1024, 262143, 262144, 262145, 262144 * 2};
    uint64_t nr_free;
    mfn_t mfn;

    (void)state;
    start();
    check_equal("a level 3 table, for good",
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
            check_equal("make", pt_make_tables(&g.pt, from, to), 0);
            for (uint64_t va = from; va < to; va += 97 * PAGE_SIZE)
                check_equal("level", fake_walk(va).level, 1);
            if (from < to)
                check_equal("level", fake_walk(to - PAGE_SIZE).level, 1);
            check_equal("no more than that", g.pt.nr_tables - tables, l1s + l2s);
            check_equal("frames", nr_free - g.frame_pool.free.nr_pfns, l1s + l2s);
            check_equal("again", pt_make_tables(&g.pt, from, to), 0);
            check_equal("nothing to do", g.pt.nr_tables - tables, l1s + l2s);
            if (from < to) { /* what is in use stays */
                mfn = take();
                check_equal("map", pt_map(&g.pt, to - PAGE_SIZE, mfn, PTE_RW), 0);
                pt_drop_tables(&g.pt, from, to);
                check_equal("its own tables", g.pt.nr_tables - tables, 2);
                check_equal("it is there", fake_walk(to - PAGE_SIZE).mfn, mfn.v);
                check_equal("unmap", pt_unmap(&g.pt, to - PAGE_SIZE, &mfn), 0);
                check_equal("give", frame_pool_free(&g.frame_pool, mfn), 0);
            }
            pt_drop_tables(&g.pt, from, to);
            check_equal("none is left", g.pt.nr_tables, tables);
            check_equal("no frame is lost", g.frame_pool.free.nr_pfns, nr_free);
        }
    guest_check_frames("after", &g, 0, 0);
}

/* The CPU may have cached an entry above level 1 (Intel SDM 4.10.3), which INVLPG is not used for.
 */
static void test_drop_flushes(void **state)
{
    uint64_t va = FAKE_LIST_BASE + ((uint64_t)300 << 30);
    volatile uint64_t *page;

    (void)state;
    start();
    page = heap_alloc(&g.heap, PAGE_SIZE);
    check_equal("make", pt_make_tables(&g.pt, va, va + PAGE_SIZE), 0);
    *page = 1;
    check_true("the TLB has the page of the heap", fake_tlb_writable((uintptr_t)page));
    pt_drop_tables(&g.pt, va, va + PAGE_SIZE);
    check_true("two tables are dropped: the TLB is empty", !fake_tlb_writable((uintptr_t)page));
    *page = 2;
    pt_drop_tables(&g.pt, va, va + PAGE_SIZE);
    check_true("no table is dropped: no flush", fake_tlb_writable((uintptr_t)page));
}

static void drop_once(void *arg)
{
    pt_drop_tables(&g.pt, *(uint64_t *)arg, *(uint64_t *)arg + PAGE_SIZE);
}

/* A frame that is not there, a table that Xen will not have, or will not give up. */
static void test_tables_refused(void **state)
{
    uint64_t va = FAKE_FOREIGN_BASE + ((uint64_t)300 << 30), nr_free;
    unsigned int n = 0, nr_named = 0;

    (void)state;
    for (uint64_t request = 1; request <= 4; request++) {
        start();
        nr_free = g.frame_pool.free.nr_pfns;
        g.frame_pool.fail_at = g.frame_pool.nr_requests + request;
        check_equal("make", pt_make_tables(&g.pt, va, va + 3 * PAGE_SIZE),
                    request > 3 ? 0 : -ENOMEM);
        check_equal("what was made stays", nr_free - g.frame_pool.free.nr_pfns, request - 1);
        g.frame_pool.fail_at = 0;
        check_equal("the rest", pt_make_tables(&g.pt, va, va + 3 * PAGE_SIZE), 0);
        pt_drop_tables(&g.pt, va, va + 3 * PAGE_SIZE);
        check_equal("all but level 3", nr_free - g.frame_pool.free.nr_pfns, 1);
    }
    do {
        const char *panic;

        start();
        check_equal("make", pt_make_tables(&g.pt, va, va + PAGE_SIZE), 0);
        panic = guest_fail_nth(++n, -XEN_EPERM, drop_once, &va);
        nr_named += panic && strstr(panic, "cannot remove and free the empty level ");
    } while (fake.nr_hypercalls >= n);
    check_equal("each of the two is named", nr_named, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_walk, fake_machine_teardown),
        cmocka_unit_test_teardown(test_map_use_unmap, fake_machine_teardown),
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
