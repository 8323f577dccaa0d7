/* SPDX-License-Identifier: MIT */
#include "mm/range.h"

#include "lib/errno.h"

const char *range_kind_name(enum range_kind kind)
{
    static const char *const names[NR_RANGE_KINDS] = {
        [RANGE_RAM] = "ram",
        [RANGE_IDENTITY] = "identity",
        [RANGE_MISSING] = "missing",
    };

    return names[kind];
}

int ranges_append(struct ranges *t, uint64_t start, uint64_t end, enum range_kind kind)
{
    struct range *last = t->nr ? &t->r[t->nr - 1] : NULL;

    if (start >= end)
        return 0;
    if (last && last->kind == kind && last->end == start) {
        last->end = end;
        return 0;
    }
    if (t->nr == t->cap)
        return -ENOMEM;
    t->r[t->nr++] = (struct range){.start = start, .end = end, .kind = kind};
    return 0;
}

/* The index of the first range that ends above @pfn; nr if none does. */
static size_t first_above(const struct ranges *t, uint64_t pfn)
{
    size_t lo = 0, hi = t->nr;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (t->r[mid].end > pfn)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

struct range ranges_find(const struct ranges *t, uint64_t pfn)
{
    size_t i = first_above(t, pfn);

    if (i < t->nr)
        return t->r[i];
    return (struct range){
        .start = t->nr ? t->r[t->nr - 1].end : 0, .end = UINT64_MAX, .kind = t->beyond};
}

struct range ranges_next_ram(const struct ranges *t, uint64_t pfn)
{
    for (size_t i = first_above(t, pfn); i < t->nr; i++)
        if (t->r[i].kind == RANGE_RAM)
            return t->r[i];
    return (struct range){.start = UINT64_MAX, .end = UINT64_MAX, .kind = RANGE_RAM};
}

uint64_t ranges_count(const struct ranges *t, enum range_kind kind, uint64_t end)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->nr && t->r[i].start < end; i++)
        if (t->r[i].kind == kind)
            n += min_u64(t->r[i].end, end) - t->r[i].start;
    return n;
}
