/* SPDX-License-Identifier: MIT */
#include "xen/balloon.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"

#include "mm/mmu_batch.h"

#include "xen/host.h"

#define BATCH MMU_BATCH

/* The PFNs or MFNs of one batch, for the hypercall. */
static uint64_t extents[BATCH];

int balloon_start(struct balloon *b, const struct plan *plan, struct pfn_run *runs, size_t cap_runs)
{
    const struct ranges *map = &b->p2m->ranges;
    int rc = 0;

    pfn_runs_init(&b->empty, runs, cap_runs);
    for (size_t i = 0; !rc && i < map->nr; i++)
        if (map->r[i].kind == RANGE_RAM)
            rc = pfn_runs_add(&b->empty, map->r[i].start, min_u64(map->r[i].end, b->p2m->nr));
    if (!rc)
        rc = pfn_runs_remove(&b->empty, 0, plan->nr_pages);
    for (size_t i = 0; !rc && i < plan->nr_moves; i++)
        rc = pfn_runs_remove(&b->empty, plan->moves[i].to, plan->moves[i].to + plan->moves[i].nr);
    b->nr_pages = plan->nr_pages;
    return rc;
}

/*
 * Gives the frames of the PFNs [run.start, run.end), which are not in use, to Xen: unmaps them from
 * the fixmap, clears their P2M entries, and releases them. Frames that Xen refuses keep their PFNs.
 * *@nr_gone is the number of frames given, from the first on.
 */
static int give_back(struct balloon *b, struct pfn_run run, uint64_t *nr_gone)
{
    uint64_t nr = run.end - run.start;
    int rc = 0;

    for (uint64_t i = 0; i < nr; i++) {
        mfn_t mfn = p2m_get_ram(b->p2m, to_pfn(run.start + i));

        fixmap_unmap_mfn(b->fixmap, mfn);
        extents[i] = mfn.v;
    }
    for (uint64_t i = 0; !rc && i < nr; i++)
        rc = p2m_set(b->p2m, to_pfn(run.start + i), INVALID_MFN);
    *nr_gone = rc ? 0 : host_release(extents, nr);
    for (uint64_t i = *nr_gone; i < nr; i++) {
        int again = p2m_set(b->p2m, to_pfn(run.start + i), to_mfn(extents[i]));

        rc = rc ? rc : again;
    }
    return rc;
}

/*
 * Do both sets have room for the runs that a move can add? Checked before a move: a frame that was
 * given to Xen cannot be taken back.
 */
static bool have_room(const struct balloon *b)
{
    return b->pool->free.nr_runs + 2 <= b->pool->free.cap_runs &&
           b->empty.nr_runs + 2 <= b->empty.cap_runs;
}

/* Gives up to @max frames to Xen. Returns 0 with *@nr_moved 0 if no frame is free. */
static int move_out(struct balloon *b, uint64_t max, uint64_t *nr_moved)
{
    uint64_t spare = b->pool->free.nr_pfns - min_u64(b->pool->free.nr_pfns, BALLOON_RESERVE);
    struct pfn_run run;
    int rc;

    *nr_moved = 0;
    if (!have_room(b))
        return -ENOMEM;
    run = frame_pool_alloc_run(b->pool, min_u64(min_u64(max, BATCH), spare));
    if (run.start == run.end)
        return 0;
    rc = pfn_runs_add(&b->empty, run.start, run.end);
    if (!rc)
        rc = give_back(b, run, nr_moved);
    b->nr_pages -= *nr_moved;
    if (run.start + *nr_moved < run.end) { /* Xen refused these frames: back to the pool */
        int kept = pfn_runs_remove(&b->empty, run.start + *nr_moved, run.end);

        if (!kept)
            kept = frame_pool_add(b->pool, run.start + *nr_moved, run.end);
        rc = rc ? rc : kept;
    }
    return rc;
}

/*
 * Tells Xen that the pages [start, start + nr), whose frames are in extents, are dirty: sets their
 * M2P entries, which Xen has set already, once more. The tools of a live migration may have read
 * the P2M entry of such a page before the balloon gave its frame back. They then find a frame that
 * is not this domain's, send no page, and look at that PFN again only if it is dirty. The
 * destination would lack the page.
 */
static int mark_dirty(uint64_t start, uint64_t nr)
{
    static struct mmu_batch batch;
    int rc = 0;

    for (uint64_t i = 0; !rc && i < nr; i++)
        rc = mmu_batch_m2p(&batch, to_mfn(extents[i]), to_pfn(start + i));
    return rc ? rc : mmu_batch_flush(&batch);
}

/* Gets up to @max frames. Returns 0 with *@nr_moved 0 if no PFN is empty or Xen has no frame. */
static int move_in(struct balloon *b, uint64_t max, uint64_t *nr_moved)
{
    struct pfn_run run;
    uint64_t nr, got;
    int rc = 0;

    *nr_moved = 0;
    if (!have_room(b))
        return -ENOMEM;
    run = pfn_runs_pop(&b->empty, min_u64(max, BATCH));
    nr = run.end - run.start;
    for (uint64_t i = 0; i < nr; i++)
        extents[i] = run.start + i;
    got = nr ? host_populate(extents, nr) : 0;
    *nr_moved = got;
    for (uint64_t i = 0; !rc && i < got; i++)
        rc = p2m_set(b->p2m, to_pfn(run.start + i), to_mfn(extents[i]));
    if (!rc) {
        int dirtied = mark_dirty(run.start, got);

        rc = frame_pool_add(b->pool, run.start, run.start + got);
        rc = rc ? rc : dirtied;
    }
    b->nr_pages += got;
    return rc ? rc : pfn_runs_add(&b->empty, run.start + got, run.end);
}

int balloon_move(struct balloon *b, uint64_t target, balloon_tick_t tick, void *context)
{
    uint64_t nr_moved = 1;
    int rc = 0;

    while (!rc && nr_moved && b->nr_pages != target) {
        rc = b->nr_pages > target ? move_out(b, b->nr_pages - target, &nr_moved)
                                  : move_in(b, target - b->nr_pages, &nr_moved);
        tick(context, b->nr_pages);
    }
    return rc;
}

/*
 * The first PFN of [@start, @end) that has a frame; @end if there is none. A domain that may grow
 * much has many PFNs without one: an instruction that the CPU repeats takes one step for each.
 */
static uint64_t first_filled(const struct p2m *p2m, uint64_t start, uint64_t end)
{
    return start < end ? start + count_equal(&p2m->list[start], end - start, INVALID_ENTRY) : end;
}

/* @pfn is in the set empty and has a frame: gives the frame to Xen or to the pool. */
static int reconcile_pfn(struct balloon *b, uint64_t pfn)
{
    uint64_t nr_gone;
    int rc = give_back(b, (struct pfn_run){pfn, pfn + 1}, &nr_gone);

    if (rc || nr_gone)
        return rc;
    if (!have_room(b))
        return -ENOMEM;
    rc = pfn_runs_remove(&b->empty, pfn, pfn + 1);
    b->nr_pages += rc == 0;
    return rc ? rc : frame_pool_add(b->pool, pfn, pfn + 1);
}

int balloon_reconcile(struct balloon *b, uint64_t *nr_found)
{
    uint64_t from = 0; /* the PFNs below were checked */
    size_t i = 0;

    *nr_found = 0;
    while (i < b->empty.nr_runs) {
        struct pfn_run run = b->empty.runs[i];
        uint64_t pfn = first_filled(b->p2m, max_u64(run.start, from), run.end);
        int rc;

        if (pfn >= run.end) {
            i++;
            continue;
        }
        rc = reconcile_pfn(b, pfn); /* may split or remove the run, so it is looked up again */
        if (rc)
            return rc;
        from = pfn + 1;
        ++*nr_found;
    }
    return 0;
}
