/* SPDX-License-Identifier: MIT */
/*
 * A domain whose memory map has less RAM than the domain has pages. Without this test a frame in
 * use could be given to Xen, a frame could be lost with the part of the builder's P2M list that is
 * not needed any more, or a frame could keep a PFN that the new P2M list does not have. Each shape
 * of the builder's list is combined with maps with and without holes, and frames of the last PFNs
 * are in use.
 */
#include "kernel/boot/surplus.h"

#include "lib/errno.h"

#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <string.h>

#define NR_HEAP_PAGES 20

static struct guest g;
static struct domain d;
static uint64_t *heap_page;

/* The largest map: the guest starts with it, so that a plan can be made before the test's. */
static const uint64_t all_ram[] = {(uint64_t)1 << 22, 0};

/* Starts a guest of @shape with heap pages, which take frames from the end, and the map of @sizes.
 */
static void start(const struct fake_shape *shape, const uint64_t *sizes)
{
    guest_start(&g, shape, all_ram, 0);
    heap_page = heap_alloc(&g.heap, NR_HEAP_PAGES * PAGE_SIZE);
    check_true("heap_alloc at start", heap_page);
    for (unsigned int i = 0; i < NR_HEAP_PAGES; i++)
        heap_page[i * PAGE_SIZE / sizeof(uint64_t)] = i + 1;
    memset(&d, 0, sizeof(d));
    ranges_by_size(&g.p2m.ranges, sizes);
    d.p2m = g.p2m;
    d.frame_pool = g.frame_pool;
    d.boot.nr_pages = shape->nr_pages;
    d.boot.list_pfn = g.domain.list_pfn;
    d.boot.nr_list_pfns = g.domain.nr_list_pfns;
}

/* The rest of the boot, up to the new P2M list, for the pages that are left. */
static void boot_on(const char *what)
{
    g.frame_pool = d.frame_pool;
    check_equal(what, plan_make(&g.plan, &g.p2m.ranges, d.boot.nr_pages, d.boot.nr_pages), 0);
    check_equal(what, guest_revector(&g), 0);
    fixmap_unmap_all(&g.fixmap);
    if (g.revectored.origin == LIST_IN_SLOT)
        check_equal(what,
                    DIV_ROUND_UP(d.boot.nr_pages, P2M_PER_PAGE) + g.revectored.nr_old_leaves +
                        g.revectored.nr_old_tables,
                    g.domain.nr_list_pfns);
}

/* Each frame of the builder is Xen's now; or it has one PFN, and is in use or free. */
static void check_frames(const char *what, uint64_t nr_pages)
{
    uint64_t nr_owned = 0, nr_named = 0;

    for (uint64_t pfn = 0; pfn < g.domain.shape.nr_pages; pfn++) {
        uint64_t mfn = fake_builder_mfn(pfn), at = fake.m2p.table[mfn];
        const struct fake_frame *f = fake_frame(mfn);
        bool is_used = f->refs || f->type_count;

        if (f->foreign) {
            check_true(what, !is_used);
            continue;
        }
        nr_owned++;
        check_equal(what, p2m_get_ram(&g.p2m, to_pfn(at)).v, mfn);
        check_equal(what, ranges_find(&g.p2m.ranges, at).kind, RANGE_RAM);
        if (is_used == frame_pool_has(&g.frame_pool, to_pfn(at)))
            fail_msg("%s: the frame of the builder's PFN %#lx, now PFN %#lx, is %s", what, pfn, at,
                     is_used ? "in use and free" : "neither in use nor free");
    }
    for (uint64_t pfn = 0; pfn < g.p2m.nr; pfn++)
        nr_named += !mfn_eq(p2m_get_ram(&g.p2m, to_pfn(pfn)), INVALID_MFN);
    check_equal(what, nr_owned, nr_pages);
    check_equal(what, nr_named, nr_pages);
    for (unsigned int i = 0; i < NR_HEAP_PAGES; i++)
        check_equal(what, heap_page[i * PAGE_SIZE / sizeof(uint64_t)], i + 1);
}

/* clang-format off */
static const struct row {
    const char *what;
    struct fake_shape shape;
    uint64_t room; /* pages of RAM in the map */
    uint64_t sizes[7];
} rows[] = {
    {"half", {.nr_pages = 8192}, 4096, {4096, 0}},
    {"one page less", {.nr_pages = 8192}, 8191, {8191, 0}},
    {"one leaf less", {.nr_pages = 8192}, 7680, {7680, 0}},
    {"not at the edge of a leaf", {.nr_pages = 8100}, 4099, {4099, 0}},
    {"a hole over builder's objects", {.nr_pages = 8192}, 5000, {16, 3000, 4984, 0}},
    {"RAM far away", {.nr_pages = 8192}, 4500, {4000, 100000, 500, 0}},
    {"list in the kernel's mapping", {.nr_pages = 8100, .list = FAKE_LIST_IN_KERNEL}, 4099, {4099, 0}},
    {"more page tables of the list than the rest needs", {.nr_pages = 2000000}, 9000, {9000, 0}},
    {"2 MiB pages of list", {.nr_pages = 800000, .list = FAKE_LIST_SUPERPAGES}, 9000, {9000, 0}},
    {"2 MiB pages of list, one split",
     {.nr_pages = 800000, .list = FAKE_LIST_SUPERPAGES}, 400001, {300001, 500, 100000, 0}},
};
/* clang-format on */

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        char text[120];

        start(&row->shape, row->sizes);
        output_clear();
        check_equal(row->what, surplus_release(&d), 0);
        check_equal(row->what, d.boot.nr_pages, row->room);
        snprintf(text, sizeof(text),
                 "plan: %lu of %lu pages of this domain have no PFN in the RAM of the E820 map",
                 row->shape.nr_pages - row->room, row->shape.nr_pages);
        check_says(row->what, output(), text);
        boot_on(row->what);
        check_frames(row->what, row->room);
        fake_machine_stop();
    }
}

/* Enough RAM: nothing happens. Too little for what is in use: an error. */
static void test_others(void **state)
{
    static const struct fake_shape shape = {.nr_pages = 8192};
    static const uint64_t enough[] = {8192, 0}, little[] = {300, 0};

    (void)state;
    start(&shape, enough);
    fake.nr_hypercalls = 0;
    check_equal("surplus_release with as much RAM as pages", surplus_release(&d), 0);
    check_equal("hypercalls with as much RAM as pages", fake.nr_hypercalls, 0);
    check_equal("nr_pages with as much RAM as pages", d.boot.nr_pages, 8192);
    fake_machine_stop();

    start(&shape, little);
    check_equal("surplus_release with less RAM than is in use", surplus_release(&d), -ENOMEM);
    check_says("message with less RAM than is in use", output(),
               "the E820 map has 0x12c pages of RAM, too few for nr_pages 0x2000: -12 (ENOMEM");
    fake_machine_stop();

    start(&shape, rows[0].sizes);
    d.boot.ramdisk_pfn = 4000;
    d.boot.ramdisk_bytes = 97 * PAGE_SIZE;
    check_equal("surplus_release with a ramdisk past the RAM", surplus_release(&d), -ENOMEM);
    fake_machine_stop();

    start(&shape, rows[0].sizes);
    fake.limited = true;
    fake.nr_extents_left = 1000;
    check_equal("surplus_release if Xen takes 1000 pages", surplus_release(&d), 0);
    check_says("message if Xen takes 1000 pages", output(),
               "; 1000 of these pages were given to Xen");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rows, fake_machine_teardown),
        cmocka_unit_test_teardown(test_others, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("surplus", tests, NULL, NULL);
}
