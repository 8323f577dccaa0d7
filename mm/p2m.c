/* SPDX-License-Identifier: MIT */
#include "mm/p2m.h"

#include "lib/errno.h"

mfn_t p2m_get_absent(const struct p2m *p2m, pfn_t pfn)
{
    if (ranges_find(&p2m->ranges, pfn.v).kind == RANGE_IDENTITY && mfn_valid(to_mfn(pfn.v)))
        return to_mfn(pfn.v);
    return INVALID_MFN;
}

uint64_t p2m_find_gap(const struct p2m *p2m)
{
    uint64_t pfn = 0;

    while (pfn < p2m->nr && !mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN))
        pfn += P2M_PER_PAGE;
    if (pfn >= p2m->nr && mfn_eq(p2m_get_ram(p2m, to_pfn(p2m->nr - 1)), INVALID_MFN))
        return p2m->nr - 1;
    return min_u64(pfn, p2m->nr);
}

int p2m_set(struct p2m *p2m, pfn_t pfn, mfn_t mfn)
{
    if (pfn.v >= p2m->nr)
        return -ERANGE;
    if (!mfn_valid(mfn) && !mfn_eq(mfn, INVALID_MFN))
        return -EINVAL;
    if (ranges_find(&p2m->ranges, pfn.v).kind != RANGE_RAM)
        return -EINVAL;
    *(volatile uint64_t *)&p2m->list[pfn.v] = mfn.v;
    return 0;
}
