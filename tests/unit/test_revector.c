/* SPDX-License-Identifier: MIT */
/*
 * Revectoring: the builder's P2M frames get new page tables at this kernel's address. The change
 * cannot be undone, and without this test it could lose frames on hosts whose holes lie elsewhere
 * than on any test host. Every shape of list that the builders make is combined with holes at,
 * around and across the edges of leaves, and over all objects that the builder placed.
 * Failures half way are tested in test_revector_fail.c.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#include "lib/errno.h"

#include <stdlib.h>

#define GIB_PAGES ((uint64_t)1 << 18)

static struct guest g;

/* clang-format off */
static const struct row {
    const char *what;
    struct fake_shape shape;
    uint64_t nr_max;
    uint64_t sizes[9]; /* sizes of RAM and holes in turn, ended by 0 */
} rows[] = {
    {"no hole", {.nr_pages = 4096}, 0, {9000, 0}},
    {"room to grow", {.nr_pages = 4000}, 30000, {90000, 0}},
    {"one page past a leaf", {.nr_pages = 4097}, 0, {9000, 0}},
    {"one page short of a leaf", {.nr_pages = 4095}, 0, {9000, 0}},
    {"a hole of 511", {.nr_pages = 4096}, 0, {2048, 511, 9000, 0}},
    {"a hole of 512", {.nr_pages = 4096}, 0, {2048, 512, 9000, 0}},
    {"a hole of 513", {.nr_pages = 4096}, 0, {2048, 513, 9000, 0}},
    {"a hole of 511, off by one", {.nr_pages = 4090}, 0, {2049, 511, 9000, 0}},
    {"a hole of 512, off by one", {.nr_pages = 4090}, 0, {2049, 512, 9000, 0}},
    {"a hole of 513, off by one", {.nr_pages = 4090}, 0, {2047, 513, 9000, 0}},
    {"a hole of three leaves", {.nr_pages = 4090}, 0, {2047, 1535, 9000, 0}},
    {"a hole of one page", {.nr_pages = 4090}, 0, {2047, 1, 9000, 0}},
    {"the PC's two holes", {.nr_pages = 6000}, 9000, {0x9f, 0x61, 0x1000, 0x800, 9000, 0}},
    {"a hole over the last leaf", {.nr_pages = 4000}, 0, {3700, 1000, 9000, 0}},
    {"as much RAM as pages", {.nr_pages = 4100}, 0, {2048, 700, 2052, 0}},
    {"room beyond a hole", {.nr_pages = 4000}, 20000, {5000, 60000, 20000, 0}},
    {"three holes", {.nr_pages = 5000}, 0, {1000, 600, 500, 1100, 300, 4, 9000, 0}},
    {"a hole over the builder's objects", {.nr_pages = 6000}, 0, {16, 5000, 9000, 0}},
    {"a hole over the whole domain", {.nr_pages = 6000}, 0, {1, 7000, 9000, 0}},

    {"MFNs up to 2^40 - 1",
     {.nr_pages = 4090, .mfns = FAKE_MFNS_HIGHEST},
     9000,
     {2047, 900, 9000, 0}},
    {"MFNs that equal their PFN",
     {.nr_pages = 4090, .mfns = FAKE_MFNS_SAME},
     9000,
     {2047, 900, 9000, 0}},

    {"list in the kernel's mapping", {.nr_pages = 4090, .list = FAKE_LIST_IN_KERNEL}, 9000, {9000, 0}},
    {"list in the kernel's mapping, a hole over it",
     {.nr_pages = 4090, .list = FAKE_LIST_IN_KERNEL, .ramdisk_pages = 300},
     0,
     {200, 1800, 9000, 0}},

    {"2 MiB pages", {.nr_pages = GIB_PAGES, .list = FAKE_LIST_SUPERPAGES}, 0, {4 * GIB_PAGES, 0}},
    {"2 MiB pages and smaller ones",
     {.nr_pages = GIB_PAGES + 1700, .list = FAKE_LIST_SUPERPAGES},
     0,
     {0x9f, 0x61, 0x7000, 0x3001, 4 * GIB_PAGES, 0}},
    {"2 MiB pages, a hole from one into the next",
     {.nr_pages = 2 * GIB_PAGES + 5, .list = FAKE_LIST_SUPERPAGES},
     0,
     {GIB_PAGES - 700, 1400, 4 * GIB_PAGES, 0}},
    {"2 MiB pages at the highest MFNs",
     {.nr_pages = GIB_PAGES + 9, .list = FAKE_LIST_SUPERPAGES, .mfns = FAKE_MFNS_HIGHEST},
     0,
     {16, 0x8000, 4 * GIB_PAGES, 0}},
};
/* clang-format on */

/* Checks that every frame of the builder is in the list once, at the PFN that the plan gave it. */
static void check_entries(const char *what)
{
    uint64_t nr = 0;

    for (uint64_t pfn = 0; pfn < g.p2m.nr; pfn++)
        nr += g.p2m.list[pfn] != INVALID_ENTRY;
    check_equal(what, nr, g.plan.nr_pages);
    for (uint64_t pfn = 0; pfn < g.plan.nr_pages; pfn++) {
        uint64_t mfn = fake_builder_mfn(pfn), to = plan_renumbered(&g.plan, to_pfn(pfn)).v;

        check_equal(what, g.p2m.list[to], mfn);
        check_equal(what, m2p_get(&g.m2p, to_mfn(mfn)).v, to);
        check_equal(what, p2m_get(&g.p2m, to_pfn(to)).v, mfn);
        if (to != pfn)
            check_equal(what, p2m_get(&g.p2m, to_pfn(pfn)).v, pfn); /* now a hole: identity */
    }
    check_equal(what, fake.nr_m2p_updates, g.plan.nr_moved);
}

/* The list is mapped by 4 KiB pages without a gap; only the shared page is read-only. */
static void check_mapping(const char *what)
{
    uint64_t nr_none = 0, nr_new = 0, leaves = g.p2m.nr / P2M_PER_PAGE;

    for (uint64_t leaf = 0; leaf < leaves; leaf++) {
        struct fake_mapping m = fake_walk((uintptr_t)g.p2m.list + leaf * PAGE_SIZE);
        enum leaf_kind kind = leaves_at(&g.plan, leaf).kind;

        check_true(what, m.present && m.level == 1);
        check_equal(what, m.writable, kind != LEAF_NONE);
        check_equal(what, m.mfn == g.revectored.none_leaf.v, kind == LEAF_NONE);
        nr_none += kind == LEAF_NONE;
        nr_new += kind == LEAF_NEW;
    }
    check_equal(what, g.revectored.nr_none, nr_none);
    check_equal(what, g.revectored.nr_new_leaves, nr_new);
}

/* The builder's page tables are unused: each can become an empty page table of another level. */
static void check_old_tables(const char *what)
{
    bool in_slot = g.domain.shape.list != FAKE_LIST_IN_KERNEL;
    uint64_t leaves = DIV_ROUND_UP(g.plan.nr_pages, P2M_PER_PAGE);
    uint64_t list_pages = in_slot ? leaves : 0;

    check_equal(what, g.revectored.origin, in_slot ? LIST_IN_SLOT : LIST_ELSEWHERE);
    check_equal(what, g.revectored.nr_old_tables, g.domain.nr_list_pfns - list_pages);
    for (uint64_t i = 0; i < g.revectored.nr_old_tables; i++) {
        mfn_t mfn = p2m_get_ram(&g.p2m, g.revectored.old_tables[i]);
        uint64_t *page = fixmap_map(&g.fixmap, FIXMAP_SCRATCH, mfn, PTE_RW);

        check_true(what, page);
        for (unsigned int k = 0; k < PTES_PER_TABLE; k++)
            page[k] = 0;
        fixmap_unmap(&g.fixmap, FIXMAP_SCRATCH);
        check_equal(what, pt_pin(mfn, 1), 0);
        check_equal(what, pt_unpin(mfn), 0);
    }
    check_equal(what, g.revectored.nr_old_2m,
                g.domain.shape.list == FAKE_LIST_SUPERPAGES ? leaves / 512 : 0);
    check_equal(what, g.revectored.nr_old_1g, 0);
}

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t sum = 0;

        guest_start(&g, &rows[i].shape, rows[i].sizes, rows[i].nr_max);
        for (uint64_t pfn = 0; pfn < g.p2m.nr; pfn += P2M_PER_PAGE)
            sum += g.p2m.list[pfn]; /* puts the old mapping in the TLB */
        check_true(rows[i].what, sum);
        check_equal(rows[i].what, guest_revector(&g), 0);

        check_equal(rows[i].what, (uintptr_t)g.p2m.list, FAKE_LIST_BASE);
        check_equal(rows[i].what, g.p2m.nr, g.plan.list_end);
        check_entries(rows[i].what);
        check_mapping(rows[i].what);
        check_old_tables(rows[i].what);
        for (uint64_t pfn = 0; pfn < rows[i].shape.nr_pages; pfn++) {
            const struct fake_frame *f = fake_frame(fake_builder_mfn(pfn));

            check_true(rows[i].what, !f->pinned || fake_builder_mfn(pfn) == fake.root);
        }
        guest_check_frames(rows[i].what, &g, 0, 0);
        fake_machine_stop();
    }
}

/* Frames that the frame pool allocates have their new PFNs. */
static void test_pool_is_renumbered(void **state)
{
    static const struct fake_shape shape = {.nr_pages = 6000};
    static const uint64_t sizes[] = {16, 5000, 9000, 0};
    mfn_t mfn;

    (void)state;
    guest_start(&g, &shape, sizes, 0);
    check_equal("guest_revector with a hole over the domain", guest_revector(&g), 0);
    while (!frame_pool_alloc(&g.frame_pool, &mfn)) {
        pfn_t pfn = m2p_get(&g.m2p, mfn);

        check_equal("P2M entry of an allocated frame's PFN", p2m_get_ram(&g.p2m, pfn).v, mfn.v);
        check_equal("kind of an allocated frame's PFN", ranges_find(&g.p2m.ranges, pfn.v).kind,
                    RANGE_RAM);
    }
}

/*
 * A dom0 of 512 GiB, whose list is mapped by one 1 GiB page. The contents of the list are not
 * compared: the MFN of each leaf page shows the same.
 */
static void test_a_1_gib_page(void **state)
{
    static const struct fake_shape shape = {
        .nr_pages = 512 * GIB_PAGES + 1700, .list = FAKE_LIST_SUPERPAGES, .sparse = true};
    static const uint64_t sizes[] = {0x9f, 0x61, 0x10000, 0x20100, 600 * GIB_PAGES, 0};
    uint64_t leaves = DIV_ROUND_UP(shape.nr_pages, P2M_PER_PAGE);
    uint64_t *old = malloc(leaves * sizeof(*old));

    (void)state;
    guest_start(&g, &shape, sizes, 0);
    for (uint64_t leaf = 0; leaf < leaves; leaf++)
        old[leaf] = fake_walk(FAKE_LIST_BASE + leaf * PAGE_SIZE).mfn;
    check_true("the PFN of the 1 GiB page is misaligned",
               m2p_get(&g.m2p, to_mfn(old[0])).v % P2M_PER_PAGE);
    check_equal("guest_revector of 512 GiB", guest_revector(&g), 0);
    check_equal("1 GiB pages in the builder's mapping", g.revectored.nr_old_1g, 1);
    check_equal("page tables of the builder's mapping", g.revectored.nr_old_tables,
                g.domain.nr_list_pfns - leaves);
    for (uint64_t leaf = 0; leaf < g.p2m.nr / P2M_PER_PAGE; leaf++) {
        struct leaf_run run = leaves_at(&g.plan, leaf);
        struct fake_mapping m = fake_walk(FAKE_LIST_BASE + leaf * PAGE_SIZE);

        check_equal("level of the entry that maps a leaf", m.level, 1);
        if (run.kind == LEAF_OLD)
            check_equal("MFN of a leaf that was the builder's", m.mfn, old[run.from]);
        else
            check_equal("the leaf is the shared page", m.mfn == g.revectored.none_leaf.v,
                        run.kind == LEAF_NONE);
    }
    free(old);
}

/* The slot's 512 GiB hold 2^36 entries: a longer list is refused before anything is changed. */
static void test_too_long(void **state)
{
    static const struct fake_shape shape = {.nr_pages = 3000};
    static const uint64_t sizes[] = {9000, 0};
    struct guest_state before, after;

    (void)state;
    guest_start(&g, &shape, sizes, 0);
    before = guest_state(&g);
    g.plan.list_end = ((uint64_t)1 << 36) + P2M_PER_PAGE;
    check_equal("revector of too long a list", revector(&g.revector, &g.revectored), -EINVAL);
    after = guest_state(&g);
    guest_check_state("guest state after refusing too long a list", &after, &before);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shapes, fake_machine_teardown),
        cmocka_unit_test_teardown(test_pool_is_renumbered, fake_machine_teardown),
        cmocka_unit_test_teardown(test_a_1_gib_page, fake_machine_teardown),
        cmocka_unit_test_teardown(test_too_long, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("revector", tests, NULL, NULL);
}
