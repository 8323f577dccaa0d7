/* SPDX-License-Identifier: MIT */
#include "mm/range.h"

#include "lib/errno.h"
#include "lib/string.h"

const char *range_kind_name(enum range_kind kind)
{
    static const char *const names[NR_RANGE_KINDS] = {
        [RANGE_RAM] = "ram",
        [RANGE_IDENTITY] = "identity",
        [RANGE_MISSING] = "missing",
        [RANGE_UNPOPULATED] = "unpopulated",
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

/* The index of the first range that ends above @pfn; nr if there is none. */
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

uint64_t ranges_end(const struct ranges *t)
{
    return t->nr ? t->r[t->nr - 1].end : 0;
}

/* Splits the range that contains @pfn in two at @pfn, unless it starts there. */
static void split(struct ranges *t, uint64_t pfn)
{
    size_t i = first_above(t, pfn);

    if (i == t->nr || t->r[i].start >= pfn)
        return;
    memmove(&t->r[i + 1], &t->r[i], (t->nr - i) * sizeof(t->r[0]));
    t->nr++;
    t->r[i].end = pfn;
    t->r[i + 1].start = pfn;
}

/* Joins neighbours of the same kind. */
static void join(struct ranges *t)
{
    size_t nr = t->nr;

    t->nr = 0;
    for (size_t i = 0; i < nr; i++) {
        struct range *last = t->nr ? &t->r[t->nr - 1] : NULL;

        if (last && last->kind == t->r[i].kind)
            last->end = t->r[i].end;
        else
            t->r[t->nr++] = t->r[i];
    }
}

int ranges_set(struct ranges *t, uint64_t start, uint64_t end, enum range_kind kind)
{
    uint64_t reach = ranges_end(t);

    if (start >= end)
        return 0;
    if (t->cap - t->nr < 2)
        return -ENOMEM;
    if (reach < start)
        t->r[t->nr++] = (struct range){.start = reach, .end = start, .kind = t->beyond};
    if (reach < end)
        t->r[t->nr++] =
            (struct range){.start = max_u64(reach, start), .end = end, .kind = t->beyond};
    split(t, start);
    split(t, end);
    for (size_t i = first_above(t, start); i < t->nr && t->r[i].start < end; i++)
        t->r[i].kind = kind;
    join(t);
    return 0;
}

void ranges_trim(struct ranges *t, uint64_t end)
{
    struct range *last = t->nr ? &t->r[t->nr - 1] : NULL;

    if (!last || last->end <= end || last->kind != t->beyond)
        return;
    if (last->start < end)
        last->end = end;
    else
        t->nr--;
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
