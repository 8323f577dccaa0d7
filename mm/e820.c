/* SPDX-License-Identifier: MIT */
#include "mm/e820.h"

#include "lib/errno.h"

#include "arch/x86/page.h"

/* Types of entries by how much they forbid: where entries overlap, the highest rank wins. */
enum rank { RANK_RAM, RANK_UNUSABLE, RANK_OTHER, NR_RANKS };

#define LOW_MIB_PFNS 0x100
#define MAX_PFN      ((uint64_t)1 << MFN_BITS)

static enum rank rank_of(uint32_t type)
{
    switch (type) {
    case E820_RAM:
        return RANK_RAM;
    case E820_UNUSABLE:
        return RANK_UNUSABLE;
    default:
        return RANK_OTHER;
    }
}

/* The pages of one entry, rounded and clamped as e820.h says; empty if none is left. */
static struct range entry_pages(const struct e820_entry *e, enum rank rank)
{
    uint64_t start = e->addr, end = e->addr + e->len_bytes;
    bool wraps = end < start;
    struct range r;

    if (e->len_bytes == 0 || (wraps && rank == RANK_RAM))
        return (struct range){0};
    if (rank == RANK_RAM) {
        r.start = start / PAGE_SIZE + (start % PAGE_SIZE != 0);
        r.end = end / PAGE_SIZE;
    } else {
        r.start = start / PAGE_SIZE;
        r.end = wraps ? MAX_PFN : end / PAGE_SIZE + (end % PAGE_SIZE != 0);
    }
    r.start = min_u64(r.start, MAX_PFN);
    r.end = max_u64(min_u64(r.end, MAX_PFN), r.start);
    r.kind = RANGE_RAM;
    return r;
}

/*
 * Shellsort (D. L. Shell, 1959), with the gaps of M. Ciura (2001): in place, and about n^1.3 steps
 * for any input, so that a hostile map cannot delay the boot.
 */
static void sort_edges(struct e820_edge *e, size_t nr)
{
    static const size_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};

    for (size_t g = 0; g < ARRAY_SIZE(gaps); g++)
        for (size_t i = gaps[g]; i < nr; i++) {
            struct e820_edge x = e[i];
            size_t j = i;

            for (; j >= gaps[g] && e[j - gaps[g]].pfn > x.pfn; j -= gaps[g])
                e[j] = e[j - gaps[g]];
            e[j] = x;
        }
}

static size_t find_edges(const struct e820_entry *raw, size_t nr, struct e820_edge *edges)
{
    size_t n = 0;

    for (size_t i = 0; i < nr; i++) {
        enum rank rank = rank_of(raw[i].type);
        struct range r = entry_pages(&raw[i], rank);

        if (r.start == r.end)
            continue;
        edges[n++] = (struct e820_edge){.pfn = r.start, .rank = (int16_t)rank, .step = 1};
        edges[n++] = (struct e820_edge){.pfn = r.end, .rank = (int16_t)rank, .step = -1};
    }
    return n;
}

/* The kind of PFNs that @open[rank] entries of each rank cover. */
static enum range_kind kind_of(const int open[NR_RANKS], bool initdom)
{
    if (open[RANK_OTHER])
        return RANGE_IDENTITY;
    if (open[RANK_UNUSABLE])
        return initdom ? RANGE_RAM : RANGE_MISSING;
    return open[RANK_RAM] ? RANGE_RAM : RANGE_IDENTITY;
}

/* Appends PFNs of one kind. In a domU the PFNs below 1 MiB are RAM whatever @kind is. */
static int append(struct ranges *out, uint64_t start, uint64_t end, enum range_kind kind,
                  bool initdom)
{
    int rc = 0;

    if (!initdom && start < LOW_MIB_PFNS) {
        rc = ranges_append(out, start, min_u64(end, LOW_MIB_PFNS), RANGE_RAM);
        start = min_u64(end, LOW_MIB_PFNS);
    }
    return rc ? rc : ranges_append(out, start, end, kind);
}

int e820_sanitize(const struct e820_entry *raw, size_t nr, bool initdom, struct e820_edge *edges,
                  struct ranges *out)
{
    size_t nr_edges = find_edges(raw, nr, edges);
    int open[NR_RANKS] = {0};
    uint64_t at = 0;

    sort_edges(edges, nr_edges);
    out->nr = 0;
    out->beyond = initdom ? RANGE_IDENTITY : RANGE_MISSING;

    for (size_t i = 0; i < nr_edges; i++) {
        int rc = append(out, at, edges[i].pfn, kind_of(open, initdom), initdom);

        if (rc)
            return rc;
        at = edges[i].pfn;
        open[edges[i].rank] += edges[i].step;
    }
    if (!initdom && ranges_append(out, at, LOW_MIB_PFNS, RANGE_RAM))
        return -ENOMEM;
    return ranges_count(out, RANGE_RAM, UINT64_MAX) ? 0 : -EINVAL;
}
