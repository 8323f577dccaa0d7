/* SPDX-License-Identifier: MIT */
/*
 * Publication of the P2M in shared_info. Only Xen's tools read it, so without this test a domain
 * could run for years and be lost at its first save. For lists of every shape, the publication is
 * read by an oracle that works like Xen's tools and shares no code with mm/. The order of the
 * stores is recorded, and checked for a tool that reads between any two of them.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"
#include "tests/unit/tools_oracle.h"
#include "tests/unit/watch.h"

#include "lib/errno.h"

#define GIB_PAGES ((uint64_t)1 << 18)

static struct guest g;
static struct publication pub;
static struct shared_info *shared;

/* clang-format off */
static const struct guest_row rows[] = {
    {"a list of one L1 table", {.nr_pages = 4096}, 0, {9000, 0}},
    {"pages off a leaf's edge", {.nr_pages = 4001}, 0, {2000, 700, 9000, 0}},
    {"a last GiB that is used", {.nr_pages = 5000}, 6000, {4500, GIB_PAGES - 5000, 9000, 0}},
    {"GiBs of hole inside", {.nr_pages = 5000}, 6000, {4500, 3 * GIB_PAGES, 9000, 0}},
    {"a hole inside a GiB",
     {.nr_pages = 5000},
     6000,
     {4500, 2 * GIB_PAGES + 777, 300, 3 * GIB_PAGES, 9000, 0}},
    {"RAM up to a GiB's end", {.nr_pages = 5000}, 6000, {4500, 2 * GIB_PAGES - 6000, 1500, 0}},
    {"room for many GiBs", {.nr_pages = 9000}, 90000, {9 * GIB_PAGES, 0}},
    {"room for GiBs, and holes",
     {.nr_pages = GIB_PAGES / 2},
     4 * GIB_PAGES,
     {0x9f, 0x61, 0x8000, GIB_PAGES, 4 * GIB_PAGES, 0}},
    {"MFNs up to 2^40 - 1", {.nr_pages = 4001, .mfns = FAKE_MFNS_HIGHEST}, 0, {2000, 700, 9000, 0}},
    {"2 MiB pages",
     {.nr_pages = GIB_PAGES + 9, .list = FAKE_LIST_SUPERPAGES},
     0,
     {0x9f, 0x61, 0x8000, GIB_PAGES, 4 * GIB_PAGES, 0}},
};
/* clang-format on */

/* Boots the guest of @row up to the call of publish(), with a tree. */
static void prepare(const struct guest_row *row)
{
    shared = guest_start_with_tree(&g, row, &pub);
}

/* Checks that the tools read the guest's P2M list, and that every frame is in it. */
static void check_read_back(const char *what)
{
    struct tools_p2m t;
    uint64_t nr = 0;

    tools_read(&t, &shared->arch);
    if (t.error[0])
        fail_msg("%s: %s", what, t.error);
    check_true(what, t.nr_pfns <= g.p2m.nr);
    for (uint64_t pfn = 0; pfn < g.p2m.nr; pfn++) {
        uint64_t entry = g.p2m.list[pfn];

        check_equal(what, pfn < t.nr_pfns ? tools_entry(&t, pfn) : INVALID_ENTRY, entry);
        nr += entry != INVALID_ENTRY;
    }
    check_equal(what, nr, g.domain.shape.nr_pages);
    tools_free(&t);
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *what = rows[i].what;
        struct arch_shared_info *a;

        prepare(&rows[i]);
        a = &shared->arch;
        check_equal(what, publish(a, &pub, &g.pt, &g.p2m, PUBLISH_LIST), 0);
        check_equal(what, a->max_pfn, g.plan.list_end);
        check_equal(what, a->p2m_vaddr, FAKE_LIST_BASE);
        check_equal(what, a->p2m_cr3, fake.root << 12);
        check_equal(what, a->p2m_generation, 0);
        check_equal(what, a->pfn_to_mfn_frame_list_list, INVALID_ENTRY);
        check_read_back(what);

        check_equal(what, publish(a, &pub, &g.pt, &g.p2m, PUBLISH_TREE), 0);
        check_equal(what, a->p2m_cr3, 0);
        check_read_back(what);

        check_equal(what, publish(a, &pub, &g.pt, &g.p2m, PUBLISH_BOTH), 0);
        check_read_back(what);
        a->p2m_cr3 = 0; /* as a tool that knows no list */
        check_read_back(what);
        guest_check_frames(what, &g, 0, 0);
        fake_machine_stop();
    }
}

/* Holes cost the tree one shared page, not one page per GiB. */
static void test_shared_pages_of_the_tree(void **state)
{
    static const struct guest_row hole = {
        "hole", {.nr_pages = 5000},
         6000, { 4500, 20 * GIB_PAGES, 9000, 0}
    };

    (void)state;
    prepare(&hole);
    check_equal("mid pages of the tree: first GiB, holes, last GiB", pub.nr_mids, 3);
}

static void test_no_tree(void **state)
{
    struct p2m huge;

    (void)state;
    prepare(&rows[0]);
    huge = g.p2m;
    huge.nr = TREE_MAX_PFNS + P2M_PER_PAGE;
    check_equal("publish_build_tree of a list past 512 GiB",
                publish_build_tree(&pub, &g.pt, &g.heap, &huge), -ERANGE);
    check_true("no tree is built", !pub.top);

    shared->arch.max_pfn = 0;
    check_equal("publish of the tree only",
                publish(&shared->arch, &pub, &g.pt, &huge, PUBLISH_TREE), -EINVAL);
    check_equal("max_pfn after a refused publish", shared->arch.max_pfn, 0);
    check_equal("publish of both forms", publish(&shared->arch, &pub, &g.pt, &huge, PUBLISH_BOTH),
                0);
    check_equal("tree root after publish of both forms", shared->arch.pfn_to_mfn_frame_list_list,
                INVALID_ENTRY);
    check_equal("p2m_cr3 after publish of both forms", shared->arch.p2m_cr3, fake.root << 12);
    check_equal("max_pfn after publish of both forms", shared->arch.max_pfn, huge.nr);
}

/*
 * A list past 512 GiB, with RAM before and after a hole of 1.5 TiB: there is no tree, 786432 leaves
 * need a few page tables, and the tools see the frames on both sides of the hole.
 */
static void test_more_than_512_gib(void **state)
{
    static const struct fake_shape shape = {.nr_pages = 6000};
    static const uint64_t sizes[] = {4500, 1536 * GIB_PAGES, 9000, 0};
    struct tools_p2m t;
    uint64_t last;

    (void)state;
    guest_start(&g, &shape, sizes, 0);
    check_equal("guest_revector past 512 GiB", guest_revector(&g), 0);
    check_equal("page tables: 1 L3; 2 L2 and 1 shared; 2 L1 and 1 shared", g.revectored.nr_tables,
                1 + 3 + 3);
    shared = heap_map(&g.heap, maddr_to_mfn(g.domain.shared_info), PTE_RW);
    check_equal("publish_build_tree past 512 GiB", publish_build_tree(&pub, &g.pt, &g.heap, &g.p2m),
                -ERANGE);
    check_equal("publish of both forms past 512 GiB",
                publish(&shared->arch, &pub, &g.pt, &g.p2m, PUBLISH_BOTH), 0);
    check_equal("tree root past 512 GiB", shared->arch.pfn_to_mfn_frame_list_list, INVALID_ENTRY);

    tools_read(&t, &shared->arch);
    assert_string_equal(t.error, "");
    check_equal("PFNs that the tools read", t.nr_pfns, g.p2m.nr);
    for (uint64_t pfn = 0; pfn < shape.nr_pages; pfn++)
        check_equal("the tools' entry of a frame",
                    tools_entry(&t, plan_renumbered(&g.plan, to_pfn(pfn)).v),
                    fake_builder_mfn(pfn));
    last = sizes[0] + sizes[1] - 1;
    for (uint64_t pfn = sizes[0]; pfn <= last; pfn += pfn + 1)
        check_equal("the tools' entry of a PFN in the hole", tools_entry(&t, pfn), INVALID_ENTRY);
    check_equal("the tools' entry of the last PFN in the hole", tools_entry(&t, last),
                INVALID_ENTRY);
    tools_free(&t);
}

static void test_no_frames_for_the_tree(void **state)
{
    static struct pfn_run runs[512];
    struct frame_pool drained;
    uint64_t nr_free;

    (void)state;
    prepare(&rows[3]);
    frame_pool_init(&drained, runs, ARRAY_SIZE(runs), &g.p2m, &g.m2p);
    check_equal("frame_pool_reserve of all but two frames",
                frame_pool_reserve(&g.frame_pool, g.frame_pool.free.nr_pfns - 2, &drained), 0);
    nr_free = g.frame_pool.free.nr_pfns;
    check_equal("publish_build_tree with two frames",
                publish_build_tree(&pub, &g.pt, &g.heap, &g.p2m), -ENOMEM);
    check_true("no tree is left", !pub.top && !pub.mids);
    check_equal("free frames after a failed publish_build_tree", g.frame_pool.free.nr_pfns,
                nr_free);
}

#define AT(field) offsetof(struct shared_info, arch.field)

/* A shared_info in a page of its own, which can be watched. */
static union {
    struct shared_info info;
    uint8_t bytes[PAGE_SIZE];
} page __attribute__((aligned(4096)));

/* Checks that the recorded stores are exactly @want: offset of the field, value. */
static void check_stores(const char *what, const struct watch *w, const uint64_t (*want)[2],
                         size_t nr)
{
    check_equal(what, w->nr, nr);
    for (size_t k = 0; k < nr; k++) {
        check_equal(what, w->stores[k].offset, want[k][0]);
        check_equal(what, w->stores[k].value, want[k][1]);
    }
}

/* Order of the stores: p2m_vaddr, generation, root of the tree, p2m_cr3, max_pfn; one store each.
 */
static void test_order_of_stores(void **state)
{
    static const struct {
        enum publish_form form;
        bool list, tree;
    } forms[] = {
        {PUBLISH_LIST, true,  false},
        {PUBLISH_TREE, false, true },
        {PUBLISH_BOTH, true,  true },
    };

    (void)state;
    prepare(&rows[0]);
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        /* offset of each field in the page, and its value */
        const uint64_t want[][2] = {
            {AT(p2m_vaddr),                  FAKE_LIST_BASE                               },
            {AT(p2m_generation),             0                                            },
            {AT(pfn_to_mfn_frame_list_list), forms[i].tree ? pub.top_mfn.v : INVALID_ENTRY},
            {AT(p2m_cr3),                    forms[i].list ? fake.root << 12 : 0          },
            {AT(max_pfn),                    g.p2m.nr                                     },
        };
        struct watch w;

        watch_begin(&w, &page);
        check_equal("publish into the watched page",
                    publish(&page.info.arch, &pub, &g.pt, &g.p2m, forms[i].form), 0);
        watch_end();
        check_stores("stores of publish", &w, want, ARRAY_SIZE(want));
    }
}

static void test_revoke(void **state)
{
    static const uint64_t want[][2] = {
        {AT(p2m_cr3), 0}
    };
    struct watch w;

    (void)state;
    page.info.arch.p2m_cr3 = 0x1234000;
    page.info.arch.max_pfn = 0x800;
    watch_begin(&w, &page);
    publish_revoke(&page.info.arch);
    watch_end();
    check_stores("stores of publish_revoke", &w, want, 1);
}

static void test_bump_generation(void **state)
{
    static const uint64_t want[][2] = {
        {AT(p2m_generation), 7},
        {AT(p2m_generation), 8}
    };
    struct watch w;

    (void)state;
    page.info.arch.p2m_generation = 6;
    watch_begin(&w, &page);
    check_equal("generation returned by publish_bump_generation",
                publish_bump_generation(&page.info.arch), 8);
    watch_end();
    check_stores("stores of publish_bump_generation", &w, want, 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_forms, fake_machine_teardown),
        cmocka_unit_test_teardown(test_shared_pages_of_the_tree, fake_machine_teardown),
        cmocka_unit_test_teardown(test_no_tree, fake_machine_teardown),
        cmocka_unit_test_teardown(test_more_than_512_gib, fake_machine_teardown),
        cmocka_unit_test_teardown(test_no_frames_for_the_tree, fake_machine_teardown),
        cmocka_unit_test_teardown(test_order_of_stores, fake_machine_teardown),
        cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_bump_generation),
    };

    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
