/* SPDX-License-Identifier: MIT */
/*
 * Verification of the published P2M by the kernel itself (mm/readback.c). Without this test the
 * kernel could report a valid publication where Xen's tools fail, or count PFNs that the tools do
 * not read. readback is compared with the oracle of the tools, first for correct publications, then
 * for each single error.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"
#include "tests/unit/tools_oracle.h"

#include "lib/errno.h"

#include "mm/readback.h"

#define GIB_PAGES ((uint64_t)1 << 18)

static struct guest g;
static struct publication pub;
static struct arch_shared_info *shared;
static struct readback rb;

/* clang-format off */
static const struct guest_row rows[] = {
    {"a list of one L1 table", {.nr_pages = 4096}, 0, {9000, 0}},
    {"a last GiB that is used", {.nr_pages = 5000}, 6000, {4500, GIB_PAGES - 5000, 9000, 0}},
    {"GiBs of hole inside", {.nr_pages = 5000}, 6000, {4500, 3 * GIB_PAGES, 9000, 0}},
    {"room for many GiBs", {.nr_pages = 9000}, 90000, {9 * GIB_PAGES, 0}},
    /* the list extends past the last frame, by holes that share their page tables */
    {"holes at the end", {.nr_pages = 5000}, 10000,
     {6000, 5 * GIB_PAGES, 2000, 3 * GIB_PAGES, 9000, 0}},
};
/* clang-format on */

static void start(const struct guest_row *row)
{
    shared = &guest_start_with_tree(&g, row, &pub)->arch;
    check_equal(row->what, publish(shared, &pub, &g.pt, &g.p2m, PUBLISH_BOTH), 0);
    rb = (struct readback){.pt = &g.pt, .p2m = &g.p2m, .m2p = &g.m2p, .shared = shared};
    output_clear();
}

static void compare(void *context, uint64_t leaf, mfn_t mfn)
{
    struct tools_p2m *t = context;

    if (leaf < t->nr_leaves)
        check_equal("MFN of a leaf against the tools'", mfn.v, t->leaves[leaf]);
}

static void ignore(void *context, uint64_t leaf, mfn_t mfn)
{
    (void)context, (void)leaf, (void)mfn;
}

static int read_list(uint64_t *nr_pfns)
{
    struct readback_result result = {0};
    int rc = readback_list(&rb, ignore, NULL, &result);

    *nr_pfns = result.nr_pfns;
    return rc;
}

static int read_tree(void)
{
    struct readback_result result;

    return readback_tree(&rb, ignore, NULL, &result);
}

static void test_what_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *what = rows[i].what;
        struct tools_p2m t;
        struct readback_result result;
        uint64_t nr_pfns, cr3;

        start(&rows[i]);
        tools_read(&t, shared);
        check_equal(what, t.error[0], 0);
        check_equal(what, readback_list(&rb, compare, &t, &result), 0);
        check_equal(what, result.nr_pfns, t.nr_pfns);
        check_equal(what, result.nr_leaves, g.p2m.nr / P2M_PER_PAGE);
        tools_free(&t);

        cr3 = shared->p2m_cr3;
        shared->p2m_cr3 = 0;
        tools_read(&t, shared);
        check_equal(what, t.error[0], 0);
        check_equal(what, readback_tree(&rb, compare, &t, &result), 0);
        check_equal(what, result.nr_leaves, g.p2m.nr / P2M_PER_PAGE);
        check_equal(what, read_list(&nr_pfns), -ENOENT);
        tools_free(&t);

        shared->p2m_cr3 = cr3;
        shared->pfn_to_mfn_frame_list_list = INVALID_ENTRY;
        check_equal(what, read_tree(), -ENOENT);
        shared->pfn_to_mfn_frame_list_list = 0;
        check_equal(what, read_tree(), -ENOENT);
        fake_machine_stop();
    }
}

/* GiBs at the end of the list that share one level 1 table: a tool takes them for the list's end.
 */
static void test_repeated_tables_are_no_pfns(void **state)
{
    static const struct guest_row row = {
        "a hole without frames", {.nr_pages = 4400},
         6000, { 4500, 3 * GIB_PAGES, 9000, 0}
    };
    uint64_t nr_pfns;
    struct tools_p2m t;

    (void)state;
    start(&row);
    shared->max_pfn = 3 * GIB_PAGES; /* inside the hole */
    tools_read(&t, shared);
    check_equal("readback_list with max_pfn inside the hole", read_list(&nr_pfns), 0);
    check_equal("PFNs that the tools read", t.nr_pfns, GIB_PAGES);
    check_equal("PFNs that readback counts, against the tools'", nr_pfns, t.nr_pfns);
    tools_free(&t);
}

/* Corrupted fields of shared_info, and the message for each. */
static void test_addresses(void **state)
{
    static const struct {
        uint64_t cr3, vaddr, max_pfn;
        const char *says;
    } bad[] = {
        {(uint64_t)1 << 51, 0,                  0,              "Bad p2m_cr3 value"                 },
        {0xfff,             0,                  0,              "Bad p2m_cr3 value 0xfff"           },
        {0,                 0x800000000000,     0,              "Bad virtual p2m address range"     },
        {0,                 0x7ffffffff000,     0,              "Bad virtual p2m address range"     },
        {0,                 -(uint64_t)0x1000,  0,              "Bad virtual p2m address range"     },
        {0,                 0xffff800000000000, 0,              "Bad virtual p2m address range"     },
        {0,                 0xffff87fffffff000, 0,              "Bad virtual p2m address range"     },
        {0,                 FAKE_LIST_BASE * 2, 0,              "during page table walk for vaddr"  },
        {0,                 0,                  GIB_PAGES << 9, "Bad mfn 0x0 during page table walk"},
    };

    (void)state;
    start(&rows[1]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct arch_shared_info good = *shared;
        uint64_t nr_pfns;

        if (bad[i].cr3)
            shared->p2m_cr3 = bad[i].cr3;
        if (bad[i].vaddr)
            shared->p2m_vaddr = bad[i].vaddr;
        if (bad[i].max_pfn)
            shared->max_pfn = bad[i].max_pfn;
        check_equal(bad[i].says, read_list(&nr_pfns), -ERANGE);
        check_says("message on a corrupted field", output(), bad[i].says);
        output_clear();
        *shared = good;
    }
}

/* A leaf page whose own PFN is past max_pfn is an error, although P2M and M2P agree on it. */
static void test_leaf_past_the_end(void **state)
{
    uint64_t nr_pfns, before;

    (void)state;
    start(&rows[0]);
    before = shared->max_pfn;
    shared->max_pfn = 512;
    check_true("the PFNs of the list's frames are above 512",
               m2p_get(&g.m2p, pt_mfn(&g.pt, (uintptr_t)g.p2m.list)).v >= 512);
    check_equal("readback_list with max_pfn 512", read_list(&nr_pfns), -ERANGE);
    check_says("message of readback_list", output(), "Bad mfn in p2m_frame_list[0]");
    check_equal("readback_tree with max_pfn 512", read_tree(), -ERANGE);
    shared->max_pfn = before;
    check_equal("readback_list with the right max_pfn", read_list(&nr_pfns), 0);
}

/* Entries of the tree that name no frame, or a frame that is not a leaf. */
static void test_tree(void **state)
{
    const uint64_t wrong[] = {0, INVALID_ENTRY, (uint64_t)1 << 45};
    uint64_t *top, *mid;

    (void)state;
    start(&rows[0]);
    top = fake_ram(pub.top_mfn.v);
    mid = fake_ram(top[0]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint64_t good = top[0];

        top[0] = wrong[i];
        check_equal("readback_tree with a wrong top entry", read_tree(), -ERANGE);
        check_says("message on the wrong top entry", output(),
                   "for p2m frame list list at index 0");
        top[0] = good;
        good = mid[3];
        mid[3] = wrong[i];
        output_clear();
        check_equal("readback_tree with a wrong mid entry", read_tree(), -ERANGE);
        check_says("message on the wrong mid entry", output(), "for p2m frame list at index 3");
        mid[3] = good;
        output_clear();
    }
    shared->pfn_to_mfn_frame_list_list = (uint64_t)1 << 45;
    check_equal("readback_tree with a wrong root", read_tree(), -ERANGE);
    shared->pfn_to_mfn_frame_list_list = pub.top_mfn.v;
    shared->max_pfn = TREE_MAX_PFNS + 1;
    check_equal("readback_tree with too large a max_pfn", read_tree(), -ERANGE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_is_right, fake_machine_teardown),
        cmocka_unit_test_teardown(test_repeated_tables_are_no_pfns, fake_machine_teardown),
        cmocka_unit_test_teardown(test_addresses, fake_machine_teardown),
        cmocka_unit_test_teardown(test_leaf_past_the_end, fake_machine_teardown),
        cmocka_unit_test_teardown(test_tree, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("readback", tests, NULL, NULL);
}
