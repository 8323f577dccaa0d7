/* SPDX-License-Identifier: MIT */
#include "mm/pfn_runs.h"

#include "lib/errno.h"
#include "lib/string.h"

void pfn_runs_init(struct pfn_runs *s, struct pfn_run *runs, size_t cap_runs)
{
    *s = (struct pfn_runs){.runs = runs, .cap_runs = cap_runs};
}

void pfn_runs_set_array(struct pfn_runs *s, struct pfn_run *runs, size_t cap_runs)
{
    memcpy(runs, s->runs, s->nr_runs * sizeof(*runs));
    s->runs = runs;
    s->cap_runs = cap_runs;
}

static void insert_run(struct pfn_runs *s, size_t i, struct pfn_run run)
{
    memmove(&s->runs[i + 1], &s->runs[i], (s->nr_runs - i) * sizeof(run));
    s->runs[i] = run;
    s->nr_runs++;
}

static void remove_run(struct pfn_runs *s, size_t i)
{
    s->nr_runs--;
    memmove(&s->runs[i], &s->runs[i + 1], (s->nr_runs - i) * sizeof(s->runs[0]));
}

/* The index of the first run that ends at or above @pfn; nr_runs if there is none. */
static size_t first_reaching(const struct pfn_runs *s, uint64_t pfn)
{
    size_t low = 0, high = s->nr_runs;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (s->runs[mid].end < pfn)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int pfn_runs_add(struct pfn_runs *s, uint64_t start, uint64_t end)
{
    size_t i = first_reaching(s, start);
    struct pfn_run *run = &s->runs[i];

    if (start >= end)
        return 0;

    bool joins = i < s->nr_runs && run->end == start;
    size_t next = i + joins;
    bool meets = next < s->nr_runs && s->runs[next].start <= end;

    if (meets && s->runs[next].start < end)
        return -EEXIST;
    if (joins && meets) {
        run->end = s->runs[next].end;
        remove_run(s, next);
    } else if (joins) {
        run->end = end;
    } else if (meets) {
        s->runs[next].start = start;
    } else if (s->nr_runs == s->cap_runs) {
        return -ENOMEM;
    } else {
        insert_run(s, i, (struct pfn_run){start, end});
    }
    s->nr_pfns += end - start;
    return 0;
}

bool pfn_runs_has(const struct pfn_runs *s, pfn_t pfn)
{
    size_t i = pfn.v == INVALID_ENTRY ? s->nr_runs : first_reaching(s, pfn.v + 1);

    return i < s->nr_runs && s->runs[i].start <= pfn.v;
}

struct pfn_run pfn_runs_find(const struct pfn_runs *s, uint64_t start, uint64_t end)
{
    size_t i = first_reaching(s, start + 1);
    struct pfn_run none = {0, 0};

    if (i == s->nr_runs || s->runs[i].start >= end)
        return none;
    return (struct pfn_run){max_u64(s->runs[i].start, start), min_u64(s->runs[i].end, end)};
}

int pfn_runs_remove(struct pfn_runs *s, uint64_t start, uint64_t end)
{
    struct pfn_run piece = pfn_runs_find(s, start, end);

    for (; piece.start < piece.end; piece = pfn_runs_find(s, start, end)) {
        size_t i = first_reaching(s, piece.start + 1);
        struct pfn_run run = s->runs[i];
        int rc;

        /* The split is checked before the run is removed: a removed run could not be restored. */
        if (run.start < piece.start && piece.end < run.end && s->nr_runs == s->cap_runs)
            return -ENOMEM;
        remove_run(s, i);
        s->nr_pfns -= run.end - run.start;
        rc = pfn_runs_add(s, run.start, piece.start);
        if (!rc)
            rc = pfn_runs_add(s, piece.end, run.end);
        if (rc)
            return rc;
    }
    return 0;
}

void pfn_runs_clear(struct pfn_runs *s)
{
    s->nr_runs = 0;
    s->nr_pfns = 0;
}

struct pfn_run pfn_runs_pop(struct pfn_runs *s, uint64_t max)
{
    if (!s->nr_runs)
        return (struct pfn_run){0, 0};

    struct pfn_run *top = &s->runs[s->nr_runs - 1];
    uint64_t nr = min_u64(max, top->end - top->start);
    struct pfn_run cut = {top->end - nr, top->end};

    top->end -= nr;
    s->nr_runs -= top->end == top->start;
    s->nr_pfns -= nr;
    return cut;
}
