/* SPDX-License-Identifier: MIT */
/*
 * Tear-down of the builder's mapping around the kernel image. One written entry unmaps up to 512
 * pages. Without this test the kernel could unmap its own image, or free a page that is still in
 * use. Expected: exactly the pages of the image stay mapped, all other pages are free, and after a
 * failure nothing has changed.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <stdio.h>
#include <string.h>
#include <xen/errno.h>

#define MAX_IMAGE_PAGES 3000

static struct guest g;
static struct kernel_mapping kernel_mapping;
static struct kernel_mapping_result result;

/* clang-format off */
static const struct row {
    const char *what;
    struct fake_shape shape;
    uint64_t sizes[4];
    bool revector;     /* after guest_revector() */
    bool keep_ramdisk; /* ramdisk is in use */
} rows[] = {
    {"builder's list, image only", {.nr_pages = 3000}, {9000, 0}, false, false},
    {"own list, image only", {.nr_pages = 3000}, {9000, 0}, true, false},
    {"a hole over the whole mapping", {.nr_pages = 6000}, {16, 5000, 9000, 0}, true, false},
    {"ramdisk in use", {.nr_pages = 3000, .ramdisk_pages = 300}, {9000, 0}, true, true},
    {"ramdisk not in use", {.nr_pages = 3000, .ramdisk_pages = 300}, {9000, 0}, true, false},
    {"builder's list inside the mapping", {.nr_pages = 3000, .list = FAKE_LIST_IN_KERNEL}, {9000, 0}, true, false},
    {"image of 6 MiB", {.nr_pages = 6000, .image_pages = 1500}, {9000, 0}, true, false},
    {"image of one level 1 table", {.nr_pages = 6000, .image_pages = 256}, {9000, 0}, true, false},
    {"MFNs up to 2^40 - 1", {.nr_pages = 3000, .mfns = FAKE_MFNS_HIGHEST}, {9000, 0}, true, false},
};
/* clang-format on */

static void start(const struct row *row)
{
    guest_start(&g, &row->shape, row->sizes, 0);
    if (row->revector)
        check_equal(row->what, guest_revector(&g), 0);
    memset(&kernel_mapping, 0, sizeof(kernel_mapping));
    kernel_mapping.image = (struct va_range){g.domain.image_start, g.domain.image_end};
    kernel_mapping.keep_mfns[0] = g.pt.root;
    kernel_mapping.keep_mfns[1] = kernel_mapping.keep_mfns[2] = INVALID_MFN;
    if (row->keep_ramdisk)
        kernel_mapping.keep[0] = (struct va_range){
            g.domain.ramdisk_va, g.domain.ramdisk_va + row->shape.ramdisk_pages * PAGE_SIZE};
    if (g.revectored.origin == LIST_ELSEWHERE && row->revector)
        kernel_mapping.keep[1] = (struct va_range){
            (uintptr_t)g.domain.list,
            (uintptr_t)g.domain.list + DIV_ROUND_UP(row->shape.nr_pages, 512) * PAGE_SIZE};
}

static uint64_t pte_at(uint64_t va)
{
    struct pt_entry e = pt_walk(&g.pt, va);

    return e.level == 1 ? e.pte : 0;
}

static bool is_fixmap(uint64_t va)
{
    return va - (uintptr_t)g.domain.fixmap < NR_FIXMAP_SLOTS * PAGE_SIZE;
}

static void test_reduce(void **state)
{
    static uint64_t before[MAX_IMAGE_PAGES];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *what = rows[i].what;
        uint64_t nr_free, nr_tables, ramdisk = 0;

        start(&rows[i]);
        check_equal(what,
                    pt_protect(&g.pt, kernel_mapping.image.start + PAGE_SIZE,
                               kernel_mapping.image.start + 2 * PAGE_SIZE, PTE_RO),
                    0);
        for (uint64_t va = kernel_mapping.image.start; va < kernel_mapping.image.end;
             va += PAGE_SIZE)
            before[(va - kernel_mapping.image.start) / PAGE_SIZE] = pte_at(va);
        nr_free = g.frame_pool.free.nr_pfns;
        nr_tables = 2 + pte_index(kernel_mapping.image.end - 1, 2) -
                    pte_index(kernel_mapping.image.start, 2) + 1;
        check_equal(what, kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), 0);

        for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
            check_true(what, !fake_walk((uintptr_t)g.domain.fixmap + slot * PAGE_SIZE).present);
        for (uint64_t va = kernel_mapping.image.start; va < kernel_mapping.image.end;
             va += PAGE_SIZE)
            if (!is_fixmap(va))
                check_equal(what, pte_at(va),
                            before[(va - kernel_mapping.image.start) / PAGE_SIZE]);
        check_equal(what, kernel_mapping_first_mapped(&g.pt, FAKE_KERNEL_SLOT),
                    kernel_mapping.image.start);
        check_equal(what, kernel_mapping_first_mapped(&g.pt, kernel_mapping.image.end), 0);
        check_equal(what, g.frame_pool.free.nr_pfns, nr_free - nr_tables + result.nr_freed);

        if (rows[i].keep_ramdisk)
            ramdisk = (g.domain.ramdisk_va - FAKE_VIRT_BASE) / PAGE_SIZE;
        guest_check_frames(what, &g, ramdisk, ramdisk ? ramdisk + rows[i].shape.ramdisk_pages : 0);
        for (uint64_t pfn = ramdisk; ramdisk && pfn < ramdisk + rows[i].shape.ramdisk_pages; pfn++)
            check_true(what, !frame_pool_has(&g.frame_pool, to_pfn(pfn)));
        check_true(what, heap_alloc(&g.heap, 64 * PAGE_SIZE)); /* the heap still works */
        fake_machine_stop();
    }
}

/* The rings of a domU lie after the image. Xen's tools use them from outside, so they are kept. */
static void test_single_frames_are_kept(void **state)
{
    uint64_t console, store;

    (void)state;
    start(&rows[1]);
    console = g.domain.kernel_pfns - 5;
    store = g.domain.kernel_pfns - 90;
    kernel_mapping.keep_mfns[1] = to_mfn(fake_builder_mfn(console));
    kernel_mapping.keep_mfns[2] = to_mfn(fake_builder_mfn(store));
    check_equal("kernel_mapping_reduce with the rings of a domU",
                kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), 0);
    check_true("the console ring's page is not in the frame pool",
               !frame_pool_has(&g.frame_pool, to_pfn(console)));
    check_true("the xenstore ring's page is not in the frame pool",
               !frame_pool_has(&g.frame_pool, to_pfn(store)));
    check_true("the page next to the xenstore ring is in the frame pool",
               frame_pool_has(&g.frame_pool, to_pfn(store + 1)));
    check_true("the level 4 table is not in the frame pool",
               !frame_pool_has(&g.frame_pool, m2p_get(&g.m2p, g.pt.root)));
}

/* A foreign frame in the mapping, such as shared_info, must not go to the frame pool. */
static void test_foreign_frames_are_not_freed(void **state)
{
    uint64_t va;
    mfn_t mfn;

    (void)state;
    start(&rows[1]);
    va = kernel_mapping.image.end + 7 * PAGE_SIZE;
    check_equal("pt_unmap of a page after the image", pt_unmap(&g.pt, va, &mfn), 0);
    check_equal("pt_map of shared_info after the image",
                pt_map(&g.pt, va, maddr_to_mfn(g.domain.shared_info), PTE_RW), 0);
    check_equal("frame_pool_free of the unmapped frame", frame_pool_free(&g.frame_pool, mfn), 0);
    check_equal("kernel_mapping_reduce with a foreign frame",
                kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), 0);
    guest_check_frames("frames after kernel_mapping_reduce with a foreign frame", &g, 0, 0);
}

/*
 * The builders map their page tables, so that the tables are freed with the mapped pages. A page
 * table that is not mapped must be freed as well, even the last one.
 */
static void test_tables_that_are_not_mapped(void **state)
{
    mfn_t l3, mfn;
    pfn_t pfn;

    (void)state;
    start(&rows[1]);
    l3 = pte_mfn(pt_read(&g.pt, g.pt.root, 4, pte_index(kernel_mapping.image.start, 4)));
    pfn = m2p_get(&g.m2p, l3);
    check_equal("pt_unmap of the level 3 table",
                pt_unmap(&g.pt, FAKE_VIRT_BASE + pfn.v * PAGE_SIZE, &mfn), 0);
    check_equal("MFN of the unmapped level 3 table", mfn.v, l3.v);
    check_equal("kernel_mapping_reduce with an unmapped page table",
                kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), 0);
    check_true("the level 3 table is in the frame pool", frame_pool_has(&g.frame_pool, pfn));
    guest_check_frames("frames after kernel_mapping_reduce with an unmapped page table", &g, 0, 0);
}

static void call_reduce(void *rc)
{
    *(int *)rc = kernel_mapping_reduce(&g.pt, &kernel_mapping, &result);
}

static void test_each_hypercall_fails(void **state)
{
    int rc = -1;

    (void)state;
    for (unsigned int n = 1, nr_undone = 0; rc; n++) {
        struct guest_state before, after;
        const char *panic;
        char what[40];

        snprintf(what, sizeof(what), "hypercall %u fails", n);
        start(&rows[4]);
        before = guest_state(&g);
        panic = guest_fail_nth(n, -XEN_EINVAL, call_reduce, &rc);
        if (panic) {
            check_says(what, panic, ": cannot ");
            rc = -1;
            continue;
        }
        if (!rc) {
            check_true(what, fake.nr_hypercalls < n);
            check_equal("failures that can be undone: three tables, the pin, the written entry",
                        nr_undone, 5);
            return;
        }
        nr_undone++;
        after = guest_state(&g);
        guest_check_state(what, &after, &before);
        guest_check_frames(what, &g, 0, 0);
        check_equal(what, kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), 0);
        guest_check_frames(what, &g, 0, 0);
        rc = -1;
    }
}

static void test_each_frame_is_missing(void **state)
{
    static struct pfn_run runs[512];
    int rc = -ENOMEM;

    (void)state;
    for (uint64_t left = 0; rc; left++) {
        struct guest_state before, after;
        struct frame_pool drained;

        start(&rows[1]);
        frame_pool_init(&drained, runs, ARRAY_SIZE(runs), &g.p2m, &g.m2p);
        check_equal("frame_pool_reserve of all but a few frames",
                    frame_pool_reserve(&g.frame_pool, g.frame_pool.free.nr_pfns - left, &drained),
                    0);
        before = guest_state(&g);
        rc = kernel_mapping_reduce(&g.pt, &kernel_mapping, &result);
        check_equal("kernel_mapping_reduce with few free frames", rc, left < 3 ? -ENOMEM : 0);
        after = guest_state(&g);
        if (rc)
            guest_check_state("guest state after kernel_mapping_reduce without frames", &after,
                              &before);
    }
}

static void test_image_too_large(void **state)
{
    static const struct row large = {
        "image too large", {.nr_pages = 9000, .image_pages = 3400},
         {9000,             0                  },
         false, false
    };
    struct guest_state before, after;

    (void)state;
    start(&large);
    before = guest_state(&g);
    check_equal("kernel_mapping_reduce of too large an image",
                kernel_mapping_reduce(&g.pt, &kernel_mapping, &result), -ENOMEM);
    after = guest_state(&g);
    guest_check_state("guest state after kernel_mapping_reduce of too large an image", &after,
                      &before);
}

static void test_end_of_the_mapping(void **state)
{
    uint64_t end;
    mfn_t mfn;

    (void)state;
    start(&rows[1]);
    end = FAKE_VIRT_BASE + g.domain.kernel_pfns * PAGE_SIZE;
    check_equal("kernel_mapping_end from the end of the image",
                kernel_mapping_end(&g.pt, kernel_mapping.image.end), end);
    check_equal("kernel_mapping_end from an unmapped address", kernel_mapping_end(&g.pt, end), end);
    check_equal("pt_unmap of a page after the image",
                pt_unmap(&g.pt, kernel_mapping.image.end + 600 * PAGE_SIZE, &mfn), 0);
    check_equal("kernel_mapping_end up to the unmapped page",
                kernel_mapping_end(&g.pt, kernel_mapping.image.end),
                kernel_mapping.image.end + 600 * PAGE_SIZE);
    check_equal("first mapped page after the unmapped page",
                kernel_mapping_first_mapped(&g.pt, kernel_mapping.image.end + 600 * PAGE_SIZE),
                kernel_mapping.image.end + 601 * PAGE_SIZE);
}

/* From an address inside a superpage the search goes on at the end of this superpage. */
static void test_end_behind_a_superpage(void **state)
{
    static const struct row row = {
        "a list in 2 MiB and 4 KiB pages",
        {.nr_pages = (1 << 18) + 1700, .list = FAKE_LIST_SUPERPAGES},
        {1 << 20,                      0                           },
        false,
        false
    };
    uint64_t end = FAKE_LIST_BASE + (512 + DIV_ROUND_UP(1700, 512)) * PAGE_SIZE;

    (void)state;
    start(&row);
    check_equal("level of the entry that maps the list", pt_walk(&g.pt, FAKE_LIST_BASE).level, 2);
    check_equal("kernel_mapping_end from the start of a superpage",
                kernel_mapping_end(&g.pt, FAKE_LIST_BASE), end);
    check_equal("kernel_mapping_end from the last page of a superpage",
                kernel_mapping_end(&g.pt, FAKE_LIST_BASE + 511 * PAGE_SIZE), end);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_reduce, fake_machine_teardown),
        cmocka_unit_test_teardown(test_single_frames_are_kept, fake_machine_teardown),
        cmocka_unit_test_teardown(test_foreign_frames_are_not_freed, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tables_that_are_not_mapped, fake_machine_teardown),
        cmocka_unit_test_teardown(test_each_hypercall_fails, fake_machine_teardown),
        cmocka_unit_test_teardown(test_each_frame_is_missing, fake_machine_teardown),
        cmocka_unit_test_teardown(test_image_too_large, fake_machine_teardown),
        cmocka_unit_test_teardown(test_end_of_the_mapping, fake_machine_teardown),
        cmocka_unit_test_teardown(test_end_behind_a_superpage, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("kernel mapping", tests, NULL, NULL);
}
