/* SPDX-License-Identifier: MIT */
#include "tests/unit/guest.h"

#include "tests/unit/harness.h"

#include <stdlib.h>
#include <string.h>

void ranges_by_size(struct ranges *map, const uint64_t *sizes)
{
    uint64_t at = 0;

    map->nr = 0;
    map->beyond = RANGE_IDENTITY;
    for (size_t i = 0; sizes[i]; at += sizes[i++])
        if (ranges_append(map, at, at + sizes[i], i % 2 ? RANGE_IDENTITY : RANGE_RAM))
            fail_msg("the test's memory map has more ranges than its capacity of %zu", map->cap);
}

/* Adds all frames that the builder does not use: not the kernel's mapping, not the P2M list. */
static void add_free_frames(struct guest *g)
{
    const struct fake_domain *d = &g->domain;
    uint64_t list_end = d->list_pfn + d->nr_list_pfns;
    int rc;

    if (d->nr_list_pfns)
        rc = frame_pool_add(&g->frame_pool, d->kernel_pfns, d->list_pfn) ||
             frame_pool_add(&g->frame_pool, list_end, d->shape.nr_pages);
    else
        rc = frame_pool_add(&g->frame_pool, d->kernel_pfns, d->shape.nr_pages);
    /* the frames of the fixmap's own pages are free: its slots map other frames from now on */
    uint64_t fixmap_pfn = ((uintptr_t)d->fixmap - FAKE_VIRT_BASE) / PAGE_SIZE;

    rc = rc || frame_pool_add(&g->frame_pool, fixmap_pfn, fixmap_pfn + NR_FIXMAP_SLOTS);
    check_equal("frame_pool_add of the free frames at start", rc, 0);
}

/* Builds a domain of @shape with its free frames and a heap, but without memory map and plan. */
static void build(struct guest *g, const struct fake_shape *shape)
{
    memset(g, 0, sizeof(*g));
    fake_build(&g->domain, shape);
    g->m2p = fake.m2p;
    g->pt = (struct pagetable){
        .root = to_mfn(fake.root), .fixmap = &g->fixmap, .frame_pool = &g->frame_pool};
    fixmap_init(&g->fixmap, g->domain.fixmap);
    g->p2m = (struct p2m){.list = g->domain.list, .nr = shape->nr_pages};
    frame_pool_init(&g->frame_pool, g->runs, ARRAY_SIZE(g->runs), &g->p2m, &g->m2p);
    heap_init(&g->heap, &g->pt, FAKE_HEAP_BASE);
    add_free_frames(g);
}

static void make_plan(struct guest *g, struct move *moves, size_t cap_moves, uint64_t nr_max)
{
    g->plan = (struct plan){.moves = moves, .cap_moves = cap_moves};
    check_equal("plan_make of the test's memory map",
                plan_make(&g->plan, &g->p2m.ranges, g->domain.shape.nr_pages, nr_max), 0);
    g->revector = (struct revector){.pt = &g->pt,
                                    .heap = &g->heap,
                                    .p2m = &g->p2m,
                                    .m2p = &g->m2p,
                                    .plan = &g->plan,
                                    .list_base = FAKE_LIST_BASE};
    /* make the heap's page tables now, so that they do not count as frames of the code under test
     */
    heap_free(&g->heap, heap_alloc(&g->heap, PAGE_SIZE), PAGE_SIZE);
    fake.nr_hypercalls = 0;
    fake.nr_m2p_updates = 0;
    fake.nr_table_updates = 0;
}

void guest_start(struct guest *g, const struct fake_shape *shape, const uint64_t *sizes,
                 uint64_t nr_max)
{
    build(g, shape);
    g->p2m.ranges = (struct ranges){.r = g->ranges, .cap = ARRAY_SIZE(g->ranges)};
    ranges_by_size(&g->p2m.ranges, sizes);
    make_plan(g, g->moves, ARRAY_SIZE(g->moves), nr_max);
}

void guest_start_map(struct guest *g, const struct fake_shape *shape, const struct ranges *map,
                     const struct guest_arrays *arrays, uint64_t nr_max)
{
    build(g, shape);
    g->p2m.ranges = *map;
    frame_pool_set_array(&g->frame_pool, arrays->runs, arrays->nr_runs);
    make_plan(g, arrays->moves, arrays->nr_moves, nr_max);
}

static void count_renumbered(void *guest, uint64_t nr_done)
{
    ((struct guest *)guest)->nr_renumbered = nr_done;
}

int guest_renumber(struct guest *g)
{
    return renumber(&g->plan, &g->p2m, &g->frame_pool, &g->batch, count_renumbered, g);
}

int guest_revector(struct guest *g)
{
    int rc = revector(&g->revector, &g->revectored);

    return rc ? rc : guest_renumber(g);
}

struct shared_info *guest_start_with_tree(struct guest *g, const struct guest_row *row,
                                          struct publication *pub)
{
    struct shared_info *shared;

    guest_start(g, &row->shape, row->sizes, row->nr_max);
    check_equal(row->what, guest_revector(g), 0);
    shared = heap_map(&g->heap, maddr_to_mfn(g->domain.shared_info), PTE_RW);
    check_true(row->what, shared);
    check_equal(row->what, publish_build_tree(pub, &g->pt, &g->heap, &g->p2m), 0);
    return shared;
}

static bool in_pool(const struct pfn_runs *f, uint64_t pfn)
{
    for (size_t i = 0; i < f->nr_runs; i++)
        if (pfn - f->runs[i].start < f->runs[i].end - f->runs[i].start)
            return true;
    return false;
}

static bool is_used(uint64_t mfn)
{
    return fake_frame(mfn)->refs || fake_frame(mfn)->type_count;
}

void guest_check_frames(const char *what, struct guest *g, uint64_t from, uint64_t to)
{
    for (uint64_t pfn = 0; pfn < g->domain.shape.nr_pages; pfn++) {
        uint64_t mfn = fake_builder_mfn(pfn);

        if (is_used(mfn) && in_pool(&g->frame_pool.free, fake.m2p.table[mfn]))
            fail_msg("%s: the frame of the builder's PFN %#lx is in the frame pool and in use",
                     what, pfn);
    }
    /* a fixmap slot that still shows a frame does not count as a use */
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        fixmap_unmap(&g->fixmap, slot);
    for (uint64_t pfn = 0; pfn < g->domain.shape.nr_pages; pfn++) {
        uint64_t mfn = fake_builder_mfn(pfn);

        if (!is_used(mfn) && !in_pool(&g->frame_pool.free, fake.m2p.table[mfn]) &&
            !(pfn >= from && pfn < to))
            fail_msg(
                "%s: the frame of the builder's PFN %#lx is neither in use nor in the frame pool",
                what, pfn);
    }
}

const char *guest_fail_nth(unsigned int n, long rc, void (*call)(void *arg), void *arg)
{
    const char *panic;

    fake.nr_hypercalls = 0;
    fake.fail_at = n;
    fake.fail_with = rc;
    panic = panic_of(call, arg);
    fake.fail_at = 0;
    return panic;
}

struct guest_state guest_state(struct guest *g)
{
    struct guest_state s = {
        .list = g->p2m.list, .nr = g->p2m.nr, .nr_free = g->frame_pool.free.nr_pfns};

    for (size_t i = 0; i < g->frame_pool.free.nr_runs; i++)
        s.pool_hash = s.pool_hash * 31 + g->frame_pool.free.runs[i].start * 7 +
                      g->frame_pool.free.runs[i].end;
    s.mappings_hash = fake_mappings_hash((uintptr_t)g->fixmap.pages, NR_FIXMAP_SLOTS * PAGE_SIZE);
    return s;
}

void guest_check_state(const char *what, const struct guest_state *now,
                       const struct guest_state *before)
{
    check_equal(what, now->list, before->list);
    check_equal(what, now->nr, before->nr);
    check_equal(what, now->nr_free, before->nr_free);
    check_equal(what, now->pool_hash, before->pool_hash);
    check_equal(what, now->mappings_hash, before->mappings_hash);
}
