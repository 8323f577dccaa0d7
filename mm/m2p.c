/* SPDX-License-Identifier: MIT */
#include "mm/p2m.h"

#include "arch/x86/probe.h"

pfn_t m2p_get(const struct m2p *m2p, mfn_t mfn)
{
    uint64_t pfn;

    if (mfn.v >= m2p->nr || probe_read(&m2p->table[mfn.v], &pfn))
        return to_pfn(INVALID_ENTRY);
    return to_pfn(pfn);
}
