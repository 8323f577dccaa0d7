/* SPDX-License-Identifier: MIT */
#include "mm/follow.h"

uint64_t ranges_stretch(const struct ranges *a, const struct ranges *b, uint64_t pfn)
{
    return min_u64(ranges_find(a, pfn).end, ranges_find(b, pfn).end);
}

static bool has_frame(const struct p2m *p2m, uint64_t start, uint64_t end)
{
    for (uint64_t pfn = start; pfn < min_u64(end, p2m->nr); pfn++)
        if (!mfn_eq(p2m_get_ram(p2m, to_pfn(pfn)), INVALID_MFN))
            return true;
    return false;
}

/* Has @pfn an entry of its own in the P2M list, and not one of the shared, read-only page of ~0? */
static bool has_entry(const struct p2m *p2m, struct pagetable *pt, uint64_t pfn)
{
    return pt_walk(pt, (uintptr_t)&p2m->list[pfn]).pte & PTE_W;
}

/*
 * PFNs [start, end) become RAM: by leaves of the list. Past the end of the list they are RAM that
 * cannot get a frame, as the RAM of a map for which the list was made too short.
 */
static int become_ram(const struct p2m *p2m, struct pagetable *pt, uint64_t start, uint64_t end,
                      struct ranges *out, struct followed *f)
{
    uint64_t listed = min_u64(end, p2m->nr);

    while (start < listed) {
        uint64_t next = min_u64(ROUND_DOWN(start, P2M_PER_PAGE) + P2M_PER_PAGE, listed);
        bool is_listed = has_entry(p2m, pt, start);
        int rc = ranges_append(out, start, next, is_listed ? RANGE_RAM : RANGE_MISSING);

        if (rc)
            return rc;
        f->nr_unlisted += is_listed ? 0 : next - start;
        start = next;
    }
    return ranges_append(out, start, end, RANGE_RAM);
}

int ranges_follow(const struct p2m *p2m, struct pagetable *pt, const struct ranges *map,
                  struct ranges *out, struct followed *f)
{
    uint64_t end = max_u64(ranges_end(&p2m->ranges), ranges_end(map));
    int rc = 0;

    out->nr = 0;
    out->beyond = map->beyond;
    *f = (struct followed){0};
    for (uint64_t at = 0, next; !rc && at < end; at = next) {
        bool was_ram = ranges_find(&p2m->ranges, at).kind == RANGE_RAM;
        enum range_kind kind = ranges_find(map, at).kind;

        next = min_u64(ranges_stretch(&p2m->ranges, map, at), end);
        if (was_ram && kind != RANGE_RAM && has_frame(p2m, at, next)) {
            f->nr_kept += next - at;
            kind = RANGE_RAM;
        }
        rc = !was_ram && kind == RANGE_RAM ? become_ram(p2m, pt, at, next, out, f)
                                           : ranges_append(out, at, next, kind);
    }
    ranges_trim(out, 0);
    return rc;
}
