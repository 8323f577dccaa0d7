/* SPDX-License-Identifier: MIT */
#include "xen/balloon.h"

#include "xen/host.h"

#define BATCH 512

/* PFNs that want a frame, and then, in the same places, the frames they were given. */
struct wanted {
    uint64_t pfns[BATCH], extents[BATCH];
    uint64_t nr;
};

/* The next RAM PFN at or above @pfn that has no frame; the list's end if there is none. */
static uint64_t next_empty(const struct p2m *p2m, uint64_t pfn)
{
    while (pfn < p2m->nr) {
        struct range ram = ranges_next_ram(&p2m->ranges, pfn);

        for (pfn = max_u64(pfn, ram.start); pfn < min_u64(ram.end, p2m->nr); pfn++)
            if (mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN))
                return pfn;
    }
    return p2m->nr;
}

/* Populates what is wanted; how many Xen gave comes back in @nr_got. All are in the P2M then. */
static int populate(struct p2m *p2m, struct frames *pool, struct wanted *w, uint64_t *nr_got)
{
    int rc = 0;

    *nr_got = host_populate(w->extents, w->nr);
    for (uint64_t i = 0; !rc && i < *nr_got; i++)
        rc = p2m_set(p2m, to_pfn(w->pfns[i]), to_mfn(w->extents[i]));
    for (uint64_t i = 0; !rc && i < *nr_got; i++)
        rc = frames_add(pool, w->pfns[i], w->pfns[i] + 1);
    return rc;
}

int balloon_grow(struct p2m *p2m, struct frames *pool, uint64_t target, uint64_t *nr_grown)
{
    static struct wanted w;
    uint64_t current = host_current_pages(), pfn = 0, got;

    *nr_grown = 0;
    do {
        int rc;

        for (w.nr = 0; w.nr < BATCH && current + w.nr < target; w.nr++) {
            pfn = next_empty(p2m, pfn);
            if (pfn == p2m->nr)
                break;
            w.pfns[w.nr] = w.extents[w.nr] = pfn++;
        }
        rc = populate(p2m, pool, &w, &got);
        if (rc)
            return rc;
        current += got;
        *nr_grown += got;
    } while (w.nr && got == w.nr);
    return 0;
}
