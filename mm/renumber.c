/* SPDX-License-Identifier: MIT */
#include "mm/renumber.h"

/* Frames between two calls of tick: some milliseconds. */
#define STEP ((uint64_t)1 << 16)

/* Writes the M2P entries of the frames whose new PFNs are [start, end). */
static int renumber_some(uint64_t start, uint64_t end, const struct p2m *p2m,
                         struct mmu_batch *batch)
{
    for (uint64_t pfn = start; pfn < end; pfn++) {
        mfn_t mfn = p2m_get_ram(p2m, to_pfn(pfn));
        int rc = mfn_eq(mfn, INVALID_MFN) ? 0 : mmu_batch_m2p(batch, mfn, to_pfn(pfn));

        if (rc)
            return rc;
    }
    return 0;
}

int renumber(const struct plan *plan, const struct p2m *p2m, struct frame_pool *pool,
             struct mmu_batch *batch, renumber_tick_t tick, void *context)
{
    uint64_t nr_done = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < plan->nr_moves; i++) {
        const struct move *m = &plan->moves[i];

        for (uint64_t at = 0, nr; !rc && at < m->nr; at += nr) {
            nr = min_u64(m->nr - at, STEP);
            rc = renumber_some(m->to + at, m->to + at + nr, p2m, batch);
            tick(context, nr_done += nr);
        }
    }
    if (!rc)
        rc = mmu_batch_flush(batch);
    return rc ? rc : frame_pool_renumber(pool, plan);
}
