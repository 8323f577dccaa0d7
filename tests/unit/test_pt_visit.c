/* SPDX-License-Identifier: MIT */
/*
 * The walk through all page tables. Without this test the walk could skip an entry, and a suspend
 * could begin with a mapping that Xen's tools cannot save; it could report the wrong address for an
 * entry of the upper half; or it could read Xen's own page tables, which Xen does not allow.
 */
#include "mm/pt_visit.h"

#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

#define MAX_VISITED 32
#define NO_MFN      ((uint64_t)1 << 39) /* an MFN that the machine does not have */

static struct guest g;
static struct pagetable pt; /* of page tables that the test builds */
static uint64_t l1, l2, l3; /* MFNs of the tables in pt */

/* Calls of the visitor, and its answers: tables named at @skip_level are not entered. */
static struct log {
    struct pt_visited seen[MAX_VISITED];
    unsigned int nr, stop_after, skip_level;
} visits;

static uint64_t new_table(void)
{
    mfn_t mfn;

    check_equal("frame_pool_alloc for a page table", frame_pool_alloc(&g.frame_pool, &mfn), 0);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        fake_ram(mfn.v)[i] = 0;
    return mfn.v;
}

static void set(uint64_t table, unsigned int index, uint64_t mfn, uint64_t flags)
{
    fake_ram(table)[index] = pte_make(to_mfn(mfn), flags);
}

/*
 *      root  0, 255, 272, 511 -> l3     256 and 271: Xen's
 *      l3    0 -> l2, 511: 1 GiB
 *      l2    5 -> l1, 6: 2 MiB
 *      l1    0, 511: 4 KiB              3: not present
 */
static void start(void)
{
    static const struct fake_shape shape = {.nr_pages = 3000};
    static const uint64_t all_ram[] = {1 << 20, 0};
    static const unsigned int slots[] = {0, 255, 272, 511};

    guest_start(&g, &shape, all_ram, 0);
    pt = (struct pagetable){
        .root = to_mfn(new_table()), .fixmap = &g.fixmap, .frame_pool = &g.frame_pool};
    l1 = new_table();
    l2 = new_table();
    l3 = new_table();
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
        set(pt.root.v, slots[i], l3, PTE_TABLE);
    set(pt.root.v, 256, NO_MFN, PTE_TABLE);
    set(pt.root.v, 271, NO_MFN, PTE_TABLE);
    set(l3, 0, l2, PTE_TABLE);
    set(l3, 511, NO_MFN, PTE_RW | PTE_PSE);
    set(l2, 5, l1, PTE_TABLE);
    set(l2, 6, NO_MFN, PTE_RW | PTE_PSE);
    set(l1, 0, NO_MFN + 1, PTE_RO);
    set(l1, 3, NO_MFN + 2, 0);
    set(l1, 511, NO_MFN + 3, PTE_RW);
    visits = (struct log){.stop_after = MAX_VISITED};
}

static enum pt_next note(void *context, const struct pt_visited *e)
{
    check_true("the context of the visitor", context == &visits);
    check_true("room in the log for another entry", visits.nr < MAX_VISITED);
    visits.seen[visits.nr++] = *e;
    if (visits.nr == visits.stop_after)
        return PT_STOP;
    return e->level == visits.skip_level ? PT_SKIP : PT_ENTER;
}

static void check_seen(unsigned int i, uint64_t va, unsigned int level, uint64_t pte, bool is_leaf)
{
    check_equal("address of an entry", visits.seen[i].va, va);
    check_equal("level of an entry", visits.seen[i].level, level);
    check_equal("value of an entry", visits.seen[i].pte, pte);
    check_equal("is_leaf of an entry", visits.seen[i].is_leaf, is_leaf);
}

/* The first addresses of the four level 4 slots; two of them are in the upper half. */
static const uint64_t bases[] = {0, 0x00007f8000000000, 0xffff880000000000, 0xffffff8000000000};

static void test_every_entry(void **state)
{
    (void)state;
    start();
    check_true("pt_visit ran to the end", !pt_visit(&pt, note, &visits));
    check_equal("number of visited entries", visits.nr, 4 * 7);
    for (unsigned int k = 0; k < 4; k++) {
        uint64_t at = bases[k] + 5 * level_bytes(2);

        check_seen(7 * k, bases[k], 4, pte_make(to_mfn(l3), PTE_TABLE), false);
        check_seen(7 * k + 1, bases[k], 3, pte_make(to_mfn(l2), PTE_TABLE), false);
        check_seen(7 * k + 2, at, 2, pte_make(to_mfn(l1), PTE_TABLE), false);
        check_seen(7 * k + 3, at, 1, pte_make(to_mfn(NO_MFN + 1), PTE_RO), true);
        check_seen(7 * k + 4, at + 511 * PAGE_SIZE, 1, pte_make(to_mfn(NO_MFN + 3), PTE_RW), true);
        check_seen(7 * k + 5, at + level_bytes(2), 2, pte_make(to_mfn(NO_MFN), PTE_RW | PTE_PSE),
                   true);
        check_seen(7 * k + 6, bases[k] + 511 * level_bytes(3), 3,
                   pte_make(to_mfn(NO_MFN), PTE_RW | PTE_PSE), true);
    }
}

static void test_skip(void **state)
{
    static const unsigned int nr[] = {0, 28, 20, 12, 4}; /* entries, by the level that is skipped */

    (void)state;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        start();
        visits.skip_level = level;
        check_true("pt_visit ran to the end", !pt_visit(&pt, note, &visits));
        check_equal("number of visited entries, one level skipped", visits.nr, nr[level]);
    }
}

static void test_stop(void **state)
{
    (void)state;
    for (unsigned int n = 1; n <= 28; n++) {
        start();
        visits.stop_after = n;
        check_true("pt_visit was stopped by the visitor", pt_visit(&pt, note, &visits));
        check_equal("number of visited entries, visitor stopped", visits.nr, n);
    }
}

/* A visitor that reads other tables, which take the slots of those that are being visited. */
static enum pt_next note_and_read(void *context, const struct pt_visited *e)
{
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        (void)pt_read(&pt, *(mfn_t *)context, level, 0);
    return note(&visits, e);
}

static void test_visitor_reads(void **state)
{
    mfn_t other;

    (void)state;
    start();
    other = to_mfn(new_table());
    check_true("pt_visit ran to the end", !pt_visit(&pt, note_and_read, &other));
    check_equal("number of visited entries, visitor reads tables", visits.nr, 28);
}

/* The builder's page tables: each visited page is mapped as the CPU maps it. */
static enum pt_next compare(void *context, const struct pt_visited *e)
{
    uint64_t *nr_pages = context;

    if (e->level > 1)
        return PT_ENTER;
    check_true("the CPU maps the page", fake_walk(e->va).present);
    check_equal("MFN of a visited page", pte_mfn(e->pte).v, fake_walk(e->va).mfn);
    ++*nr_pages;
    return PT_ENTER;
}

static void test_builders_tables(void **state)
{
    uint64_t nr_pages = 0, nr_list = 0;

    (void)state;
    start();
    fixmap_unmap_all(&g.fixmap);
    check_true("pt_visit ran to the end", !pt_visit(&g.pt, compare, &nr_pages));
    for (uint64_t va = FAKE_LIST_BASE; va < FAKE_LIST_BASE + 64 * PAGE_SIZE; va += PAGE_SIZE)
        nr_list += fake_walk(va).present;
    check_equal("leaves of the P2M list", nr_list, DIV_ROUND_UP(3000, P2M_PER_PAGE));
    /* all pages of the kernel mapping; of the fixmap only the slots that the walk itself uses */
    check_equal("number of visited pages", nr_pages,
                g.domain.kernel_pfns - NR_FIXMAP_SLOTS + PT_LEVELS + nr_list);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_entry, fake_machine_teardown),
        cmocka_unit_test_teardown(test_skip, fake_machine_teardown),
        cmocka_unit_test_teardown(test_stop, fake_machine_teardown),
        cmocka_unit_test_teardown(test_visitor_reads, fake_machine_teardown),
        cmocka_unit_test_teardown(test_builders_tables, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("page-table visitor", tests, NULL, NULL);
}
