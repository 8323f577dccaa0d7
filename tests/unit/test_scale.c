/* SPDX-License-Identifier: MIT */
/*
 * Domains of 4, 16 and 64 TiB. No machine that runs the tests has 64 TiB, so without this test the
 * claim that such a host works would be a guess. The boot's own path runs from the raw memory map
 * to the torn-down kernel mapping, on a fake Xen whose frames exist from their first touch. The
 * memory used and the hypercalls made are counted and compared with the cost model of
 * docs/scaling.md. At each edge of each range the P2M, the M2P and the P2M as Xen's tools read it
 * are compared with the raw map and the builder. A domain past the 256 TiB of the address-space
 * slot must be refused, with nothing changed.
 */
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"
#include "tests/unit/tools_oracle.h"

#include "lib/errno.h"

#include "mm/e820.h"
#include "mm/readback.h"

#include <stdlib.h>

#define GIB           ((uint64_t)1 << 18) /* all sizes are in pages */
#define TIB           ((uint64_t)1 << 28)
#define GIBS_PER_L2   512

#define MAX_ENTRIES   1024 /* Xen's limit: E820MAX */
#define MAX_RANGES    E820_MAX_RANGES(MAX_ENTRIES)
#define SPARE_RUNS    512
#define E820_RESERVED 2
#define E820_ACPI     3
#define FEW           64 /* hypercalls that do not depend on the size */

static struct guest g;
static struct kernel_mapping_result torn_down;
static struct shared_info *shared;

/* The raw E820 map as Xen returns it; ascending, so that kind_of() can search in it. */
static struct e820_entry raw[MAX_ENTRIES];
static size_t nr_raw;
static bool initdom;

static struct range range_array[MAX_RANGES];
static struct ranges map = {.r = range_array, .cap = MAX_RANGES};
static struct move moves[PLAN_MAX_MOVES(MAX_RANGES)];
static struct pfn_run runs[MAX_RANGES + SPARE_RUNS];
static const struct guest_arrays arrays = {moves, runs, ARRAY_SIZE(moves), ARRAY_SIZE(runs)};

static void add_entry(uint64_t start, uint64_t end, uint32_t type)
{
    if (nr_raw == MAX_ENTRIES)
        fail_msg("the test's E820 map has more than %d entries", MAX_ENTRIES);
    raw[nr_raw++] = (struct e820_entry){start * PAGE_SIZE, (end - start) * PAGE_SIZE, type};
}

/* Adds RAM from *@at to @end, and sets *@at to @end. */
static void add_ram(uint64_t *at, uint64_t end)
{
    add_entry(*at, end, E820_RAM);
    *at = end;
}

/* Adds @nr pages of @type; GAP: no entry. */
#define GAP 0
static void add_hole(uint64_t *at, uint64_t nr, uint32_t type)
{
    if (type)
        add_entry(*at, *at + nr, type);
    *at += nr;
}

/* The kind of @pfn by the raw map alone. */
static enum range_kind kind_of(uint64_t pfn)
{
    size_t lo = 0, hi = nr_raw;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if ((raw[mid].addr + raw[mid].len_bytes) / PAGE_SIZE <= pfn)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == nr_raw)
        return initdom ? RANGE_IDENTITY : RANGE_MISSING;
    if (pfn < raw[lo].addr / PAGE_SIZE)
        return RANGE_IDENTITY;
    if (raw[lo].type == E820_RAM)
        return RANGE_RAM;
    return raw[lo].type == E820_UNUSABLE ? RANGE_MISSING : RANGE_IDENTITY;
}

/* The first 4 GiB of a PC, and the hole of AMD machines below 1 TiB. */
static void pc_map(uint64_t *at)
{
    add_ram(at, 0x9f);
    add_hole(at, 0x61, E820_RESERVED);
    add_ram(at, 0xbffe0);
    add_hole(at, 0x20, E820_ACPI);
    add_hole(at, 4 * GIB - *at, GAP);
    add_ram(at, 0xfd00000);
    add_hole(at, 0x300000, E820_RESERVED);
}

static void map_4_tib(void)
{
    uint64_t at = 0;

    pc_map(&at);
    add_ram(&at, 4 * TIB + 32 * GIB);
}

/* A toolstack's map with clipped holes of a machine: UNUSABLE is missing in a domU. */
static void map_4_tib_domu(void)
{
    uint64_t at = 0;

    add_ram(&at, 3 * GIB);
    add_hole(&at, 1000, E820_UNUSABLE);
    add_ram(&at, 2 * TIB + 77);
    add_hole(&at, 4096, E820_RESERVED);
    add_ram(&at, 4 * TIB + 20 * GIB);
    add_hole(&at, 30 * GIB, E820_UNUSABLE);
    add_ram(&at, 4 * TIB + 80 * GIB);
}

/* Hundreds of small holes, none at the edge of a leaf; their frames move past a gap of 1 TiB. */
static void map_16_tib(void)
{
    uint64_t at = 0;

    for (uint64_t i = 1; i <= 300; i++) {
        add_ram(&at, i * (16 * TIB / 301) + i * 7);
        add_hole(&at, 1 + (i * 131) % 2000, i % 2 ? E820_RESERVED : GAP);
    }
    add_ram(&at, 16 * TIB);
    add_hole(&at, TIB + 3, GAP);
    add_ram(&at, 17 * TIB + 7 * GIB);
}

/* A hole per TiB as between NUMA nodes, as many holes as 1024 entries can make, scattered targets.
 */
static void map_64_tib(void)
{
    uint64_t at = 0;

    for (uint64_t i = 1; i <= 64; i++) {
        for (uint64_t k = 1; k <= 14; k++) {
            add_ram(&at, (i - 1) * TIB + k * (TIB / 16) + k * 13);
            add_hole(&at, 1 + (i * k) % 40, GAP);
        }
        add_ram(&at, i * TIB - 2048 - i);
        add_hole(&at, 2048 + 2 * i, GAP);
    }
    for (uint64_t i = 1; nr_raw < MAX_ENTRIES; i++) {
        add_ram(&at, 64 * TIB + i * 8 * GIB + i);
        add_hole(&at, 3 * GIB, GAP);
    }
}

static const struct row {
    const char *what;
    struct fake_shape shape;
    uint64_t nr_max;
    void (*make_map)(void);
    bool domu;
    bool read_all; /* also read the whole list as the tools do */
} rows[] = {
    {"4 TiB dom0",
     {.nr_pages = 4 * TIB, .list = FAKE_LIST_SUPERPAGES, .sparse = true},
     0,                  map_4_tib,
     false,                                true },
    {"4 TiB domU",
     {.nr_pages = 4 * TIB + 1, .mfns = FAKE_MFNS_HIGHEST, .sparse = true},
     4 * TIB + 30 * GIB,
     map_4_tib_domu,                 true,
     true                                       },
    {"16 TiB dom0",
     {.nr_pages = 16 * TIB, .list = FAKE_LIST_SUPERPAGES, .sparse = true},
     0,                  map_16_tib,
     false,                                false},
    {"64 TiB dom0",
     {.nr_pages = 64 * TIB, .list = FAKE_LIST_SUPERPAGES, .sparse = true},
     0,                  map_64_tib,
     false,                                false},
};

/* The entry of @pfn as the tools find it: through machine frames only, using only bits 51:12. */
static uint64_t tools_lookup(const char *what, uint64_t pfn)
{
    const struct arch_shared_info *a = &shared->arch;
    uint64_t va = a->p2m_vaddr + pfn / P2M_PER_PAGE * PAGE_SIZE, mfn = a->p2m_cr3 >> 12, own;

    for (unsigned int level = 4; level; level--) {
        mfn = fake_ram(mfn)[va >> (12 + 9 * (level - 1)) & 511] << 12 >> 24;
        check_true(what, mfn && fake_frame(mfn));
    }
    own = fake.m2p.table[mfn]; /* a leaf must be a page of the domain, and in the P2M */
    check_true(what, own < a->max_pfn);
    check_equal(what, p2m_get_ram(&g.p2m, to_pfn(own)).v, mfn);
    return fake_ram(mfn)[pfn % P2M_PER_PAGE];
}

/* Compares P2M, M2P, the tools' view and the raw map for one PFN. */
static void check_pfn(const char *what, uint64_t pfn)
{
    enum range_kind kind = kind_of(pfn);
    uint64_t entry = p2m_get_ram(&g.p2m, to_pfn(pfn)).v, mfn = p2m_get(&g.p2m, to_pfn(pfn)).v;

    if (pfn < g.p2m.nr)
        check_equal(what, tools_lookup(what, pfn), entry);
    if (kind == RANGE_RAM && pfn < g.plan.nr_pages)
        check_equal(what, entry, fake_builder_mfn(pfn));
    if (kind == RANGE_RAM) {
        check_equal(what, mfn, entry);
        if (entry != INVALID_ENTRY)
            check_equal(what, fake.m2p.table[entry], pfn);
        return;
    }
    check_equal(what, entry, INVALID_ENTRY);
    check_equal(what, mfn, kind == RANGE_IDENTITY ? pfn : INVALID_ENTRY);
}

/* Checks the PFNs on both sides of an edge, of its leaf's edges, and of its page tables' edges. */
static void check_around(const char *what, uint64_t edge)
{
    static const uint64_t units[] = {1, P2M_PER_PAGE, GIB, GIBS_PER_L2 * GIB};

    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        uint64_t down = ROUND_DOWN(edge, units[i]), up = ROUND_UP(edge, units[i]);

        for (uint64_t at = down ? down - 1 : 0; at <= down + 1; at++)
            check_pfn(what, at);
        for (uint64_t at = up ? up - 1 : 0; at <= up + 1; at++)
            check_pfn(what, at);
    }
}

static void check_edges(const char *what)
{
    check_around(what, 0);
    for (size_t i = 0; i < nr_raw; i++) {
        check_around(what, raw[i].addr / PAGE_SIZE);
        check_around(what, (raw[i].addr + raw[i].len_bytes) / PAGE_SIZE);
    }
    check_around(what, g.plan.nr_pages);
    check_around(what, g.p2m.nr);
}

/*
 * Checks that each frame whose PFN lay in a hole has a new PFN in RAM above nr_pages, in ascending
 * order, so that no two frames share one, and that the M2P agrees. Returns the number of frames.
 */
static uint64_t check_renumbered(const char *what)
{
    uint64_t nr = 0, last = g.plan.nr_pages - 1;

    for (size_t i = 0; i <= nr_raw; i++) {
        uint64_t from = i ? (raw[i - 1].addr + raw[i - 1].len_bytes) / PAGE_SIZE : 0;
        uint64_t to = i < nr_raw ? raw[i].addr / PAGE_SIZE : g.plan.nr_pages;

        if (i < nr_raw && raw[i].type != E820_RAM)
            to += raw[i].len_bytes / PAGE_SIZE;
        for (uint64_t pfn = from; pfn < min_u64(to, g.plan.nr_pages); pfn++) {
            uint64_t mfn = fake_builder_mfn(pfn), now = fake.m2p.table[mfn];

            check_true(what, now > last && now < g.p2m.nr);
            check_equal(what, kind_of(now), RANGE_RAM);
            check_equal(what, g.p2m.list[now], mfn);
            last = now;
            nr++;
        }
    }
    return nr;
}

/* Number of pieces of @nr PFNs of the list that contain RAM; *@has_others: are there other pieces?
 */
static uint64_t pieces_with_ram(uint64_t nr, bool *has_others)
{
    uint64_t n = 0, next = 0;

    for (size_t i = 0; i < nr_raw; i++) {
        uint64_t first = raw[i].addr / PAGE_SIZE / nr;
        uint64_t end = DIV_ROUND_UP((raw[i].addr + raw[i].len_bytes) / PAGE_SIZE, nr);

        first = max_u64(first, next);
        end = min_u64(end, DIV_ROUND_UP(g.p2m.nr, nr));
        if (raw[i].type != E820_RAM || first >= end)
            continue;
        n += end - first;
        next = end;
    }
    *has_others = n < DIV_ROUND_UP(g.p2m.nr, nr);
    return n;
}

/* RAM of the raw map up to the end of the list, in pages. */
static uint64_t ram_in_list(void)
{
    uint64_t n = 0;

    for (size_t i = 0; i < nr_raw; i++) {
        uint64_t start = raw[i].addr / PAGE_SIZE;
        uint64_t end = min_u64(start + raw[i].len_bytes / PAGE_SIZE, g.p2m.nr);

        n += raw[i].type == E820_RAM && start < end ? end - start : 0;
    }
    return n;
}

/* Heap pages that revectoring keeps, to record each page table that the builder may have made. */
static uint64_t note_pages(uint64_t nr_pages)
{
    uint64_t old_leaves = DIV_ROUND_UP(nr_pages, P2M_PER_PAGE);

    return DIV_ROUND_UP((old_leaves / 512 * 2 + 6) * sizeof(mfn_t), PAGE_SIZE);
}

/* Frames that the new list has, and the builder's list had not. */
static uint64_t list_pages(void)
{
    return g.revectored.nr_tables + g.revectored.nr_new_leaves +
           !mfn_eq(g.revectored.none_leaf, INVALID_MFN);
}

/* Checks that only known pages are in use at the end, and all others of the domain are free. */
static void check_accounts(const char *what)
{
    const struct fake_domain *d = &g.domain;
    uint64_t image = (d->image_end - d->image_start) / PAGE_SIZE - NR_FIXMAP_SLOTS;
    uint64_t image_tables =
        2 + DIV_ROUND_UP(d->image_end, level_bytes(2)) - d->image_start / level_bytes(2);
    uint64_t nr_pages = d->shape.nr_pages, old_leaves = DIV_ROUND_UP(nr_pages, P2M_PER_PAGE);
    uint64_t heap = note_pages(nr_pages) + g.pt.nr_tables;

    check_equal(what, g.frame_pool.free.nr_pfns,
                nr_pages - 1 /* root */ - image - image_tables - old_leaves - list_pages() - heap);
}

/* Compares costs with docs/scaling.md; @taken is the number of pages taken from the frame pool. */
static void check_costs(const struct row *row, uint64_t taken, uint64_t heap_tables)
{
    uint64_t gib = DIV_ROUND_UP(g.p2m.nr, GIB), note = note_pages(g.plan.nr_pages);
    uint64_t nr_tables = g.revectored.nr_tables;
    uint64_t nr_max = max_u64(row->nr_max, g.plan.nr_pages), growth = nr_max - g.plan.nr_pages;
    uint64_t nr_calls = 2 * nr_tables + g.revectored.nr_old_tables + note + FEW;
    bool none_l1, none_l2;
    uint64_t l1 = pieces_with_ram(GIB, &none_l1);
    uint64_t l2 = pieces_with_ram(GIBS_PER_L2 * GIB, &none_l2);

    check_true(row->what, ram_in_list() >= nr_max);
    check_equal(row->what, nr_tables, 1 + l2 + none_l2 + l1 + none_l1);
    check_true(row->what, nr_tables <= gib + DIV_ROUND_UP(gib, GIBS_PER_L2) + 3);
    check_true(row->what, g.revectored.nr_new_leaves <=
                              g.plan.nr_moves + DIV_ROUND_UP(growth, P2M_PER_PAGE) + 1);
    check_equal(row->what, taken, list_pages() + note + heap_tables);

    /* a moved frame costs one request in a batch, and no other hypercall */
    check_equal(row->what, fake.nr_m2p_updates, g.plan.nr_moved);
    check_equal(row->what, g.batch.nr_hypercalls, DIV_ROUND_UP(g.plan.nr_moved, 512));
    check_true(row->what, fake.nr_table_updates <= nr_calls);
    check_true(row->what, fake.nr_hypercalls <= nr_calls + g.batch.nr_hypercalls);
    print_message("# %-11s %zu ranges, %lu GiB of list; %lu tables, %lu new and %lu shared leaves; "
                  "%lu pages taken; %lu frames renumbered by %lu of %u hypercalls; %u table "
                  "updates\n",
                  row->what, map.nr, gib, nr_tables, g.revectored.nr_new_leaves,
                  g.revectored.nr_none, taken, g.plan.nr_moved, g.batch.nr_hypercalls,
                  fake.nr_hypercalls, fake.nr_table_updates);
}

/* The MFN of the first or last leaf of a move by leaf: it must not change. */
static uint64_t moved_leaf(size_t i, bool last, bool after)
{
    const struct move *m = &moves[i];
    uint64_t pfn = (after ? m->to : m->from) + (last ? m->nr - P2M_PER_PAGE : 0);

    return m->leaves ? fake_walk(FAKE_LIST_BASE + pfn * sizeof(uint64_t)).mfn : 0;
}

static void visit(void *context, uint64_t leaf, mfn_t mfn)
{
    struct tools_p2m *t = context;

    if (leaf < t->nr_leaves)
        check_equal("MFN of a leaf against the tools'", mfn.v, t->leaves[leaf]);
}

/* Reads the whole list as Xen's tools do, and with mm/readback.c, and compares the two. */
static void check_read_back(const char *what)
{
    struct readback rb = {.pt = &g.pt, .p2m = &g.p2m, .m2p = &g.m2p, .shared = &shared->arch};
    struct readback_result result;
    struct tools_p2m t;

    tools_read(&t, &shared->arch);
    if (t.error[0])
        fail_msg("%s: %s", what, t.error);
    check_equal(what, readback_list(&rb, visit, &t, &result), 0);
    check_equal(what, result.nr_pfns, t.nr_pfns);
    check_equal(what, result.nr_leaves, g.p2m.nr / P2M_PER_PAGE);
    check_true(what, t.nr_pfns >= g.plan.nr_pages);
    tools_free(&t);
}

static void publish_it(const char *what)
{
    struct publication pub;

    shared = heap_map(&g.heap, maddr_to_mfn(g.domain.shared_info), PTE_RW);
    check_true(what, shared);
    check_equal(what, publish_build_tree(&pub, &g.pt, &g.heap, &g.p2m), -ERANGE);
    check_equal(what, publish(&shared->arch, &pub, &g.pt, &g.p2m, PUBLISH_BOTH), 0);
}

static void start(const struct row *row)
{
    struct e820_edge *edges = malloc(E820_MAX_EDGES(MAX_ENTRIES) * sizeof(*edges));

    nr_raw = 0;
    map.nr = 0;
    initdom = !row->domu;
    row->make_map();
    check_equal(row->what, e820_sanitize(raw, nr_raw, initdom, edges, &map), 0);
    free(edges);
    guest_start_map(&g, &row->shape, &map, &arrays, max_u64(row->nr_max, row->shape.nr_pages));
}

static void run(const struct row *row)
{
    struct kernel_mapping kernel_mapping = {
        .keep_mfns = {INVALID_MFN, INVALID_MFN, INVALID_MFN}
    };
    static uint64_t leaves[ARRAY_SIZE(moves)][2];
    uint64_t nr_free, heap_tables;

    start(row);
    for (size_t i = 0; i < g.plan.nr_moves; i++)
        for (unsigned int last = 0; last < 2; last++)
            leaves[i][last] = moved_leaf(i, last, false);
    nr_free = g.frame_pool.free.nr_pfns;
    heap_tables = g.pt.nr_tables;
    check_equal(row->what, guest_revector(&g), 0);
    check_costs(row, nr_free + g.revectored.nr_old_tables - g.frame_pool.free.nr_pfns,
                g.pt.nr_tables - heap_tables);
    for (size_t i = 0; i < g.plan.nr_moves; i++)
        for (unsigned int last = 0; last < 2; last++)
            check_equal(row->what, moved_leaf(i, last, true), leaves[i][last]);
    publish_it(row->what);

    kernel_mapping.image = (struct va_range){g.domain.image_start, g.domain.image_end};
    kernel_mapping.keep_mfns[0] = g.pt.root;
    check_equal(row->what, kernel_mapping_reduce(&g.pt, &kernel_mapping, &torn_down), 0);
    check_accounts(row->what);
    check_edges(row->what);
    check_equal(row->what, check_renumbered(row->what), g.plan.nr_moved);
    if (row->read_all)
        check_read_back(row->what);
    fake_machine_stop();
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        run(&rows[i]);
}

/* A list that fills its slot to the last byte: 2^36 entries, most of them in the shared page. */
static void map_full_slot(void)
{
    uint64_t at = 0;

    add_ram(&at, 4500);
    add_hole(&at, LIST_MAX_ENTRIES - 9000 - at, GAP);
    add_ram(&at, LIST_MAX_ENTRIES);
}

/* The same, but the other RAM lies past the slot. */
static void map_past_slot(void)
{
    uint64_t at = 0;

    add_ram(&at, 4500);
    add_hole(&at, LIST_MAX_ENTRIES - at, GAP);
    add_ram(&at, LIST_MAX_ENTRIES + 9000);
}

static void test_full_slot(void **state)
{
    static const struct row row = {"256 TiB", {.nr_pages = 6000}, 13500, map_full_slot, 0, 0};

    (void)state;
    start(&row);
    check_equal("list_end of a full slot", g.plan.list_end, LIST_MAX_ENTRIES);
    check_equal("guest_revector of a full slot", guest_revector(&g), 0);
    check_equal("page tables of a full slot: shared and other L1 and L2, one L3",
                g.revectored.nr_tables, 7);
    publish_it(row.what);
    check_edges(row.what);
    check_equal("frames renumbered with a full slot", check_renumbered(row.what), 1500);
    check_true("the slot's last page is mapped",
               fake_walk(FAKE_LIST_BASE + FAKE_SLOT_BYTES - 1).present);
    check_true("the page after the slot is not mapped",
               !fake_walk(FAKE_LIST_BASE + FAKE_SLOT_BYTES).present);
}

/* Frames that would have to move past the slot: revector() fails with a message, nothing changes.
 */
static void test_past_slot(void **state)
{
    static const struct row row = {"past 256 TiB", {.nr_pages = 6000}, 0, map_past_slot, 0, 0};
    struct guest_state before, after;

    (void)state;
    start(&row);
    before = guest_state(&g);
    output_clear();
    check_equal("guest_revector past the slot", guest_revector(&g), -EINVAL);
    check_says("message of revector past the slot", output(),
               "error: P2M move: the planned P2M list has 0x1000000800 entries, expected at most "
               "0x1000000000");
    after = guest_state(&g);
    guest_check_state("guest state after a refused revector", &after, &before);
}

/* Room to grow past the slot is optional: kernel/boot/memory.c then plans without it, as here. */
static void test_growth_past_slot(void **state)
{
    static const struct row row = {"growth", {.nr_pages = 4500}, 9000, map_past_slot, 0, 0};

    (void)state;
    start(&row);
    check_true("with room to grow the list is too long for its slot",
               g.plan.list_end > LIST_MAX_ENTRIES);
    check_equal("plan_make without room to grow",
                plan_make(&g.plan, &map, row.shape.nr_pages, row.shape.nr_pages), 0);
    check_equal("list_end without room to grow", g.plan.list_end,
                ROUND_UP(row.shape.nr_pages, P2M_PER_PAGE));
    check_equal("guest_revector without room to grow", guest_revector(&g), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_sizes, fake_machine_teardown),
        cmocka_unit_test_teardown(test_full_slot, fake_machine_teardown),
        cmocka_unit_test_teardown(test_past_slot, fake_machine_teardown),
        cmocka_unit_test_teardown(test_growth_past_slot, fake_machine_teardown),
    };

    return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
