/* SPDX-License-Identifier: MIT */
#include "mm/renumber.h"

static int renumber_move(const struct move *m, const struct p2m *p2m, struct mmu_batch *batch)
{
    for (uint64_t pfn = m->to; pfn < m->to + m->nr; pfn++) {
        mfn_t mfn = p2m_get_ram(p2m, to_pfn(pfn));
        int rc = mfn_eq(mfn, INVALID_MFN) ? 0 : mmu_batch_m2p(batch, mfn, to_pfn(pfn));

        if (rc)
            return rc;
    }
    return 0;
}

int renumber(const struct plan *plan, const struct p2m *p2m, struct frames *pool,
             struct mmu_batch *batch)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < plan->nr_moves; i++)
        rc = renumber_move(&plan->moves[i], p2m, batch);
    if (!rc)
        rc = mmu_batch_flush(batch);
    return rc ? rc : frames_renumber(pool, plan);
}
