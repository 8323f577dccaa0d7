/* SPDX-License-Identifier: MIT */
#include "kernel/selftest/sweep.h"

#include "lib/printk.h"

#include "xen/clock.h"

/* PFNs, or samples, between two readings of the clock: a few milliseconds of work. */
#define STEP_PFNS    LIST_TABLE_PFNS
#define SAMPLES_STEP 1024

void sweep_start(struct sweep *s, const struct ranges *map, uint64_t nr, unsigned int shift,
                 const char *what, const char *unit)
{
    *s = (struct sweep){.map = map, .nr = nr, .shift = shift};
    progress_start(&s->progress, what, unit, nr);
}

/* A hash of @n (multiplicative hashing, the constants are odd): the same in every run. */
static uint64_t scramble(uint64_t n)
{
    n = (n + 1) * 0x9e3779b97f4a7c15; /* 2^64 divided by the golden ratio */
    return (n ^ n >> 32) * 0xd6e8feb86659fd93 >> 32;
}

/* *@next becomes the smallest candidate from @at on. */
static void lower(uint64_t *next, uint64_t at, uint64_t candidate)
{
    if (candidate >= at && candidate < *next)
        *next = candidate;
}

/* Candidates are the indices of the PFNs on both sides of the boundary @edge. */
static void lower_to_edge(const struct sweep *s, uint64_t *next, uint64_t at, uint64_t edge)
{
    if (edge)
        lower(next, at, (edge - 1) >> s->shift);
    lower(next, at, edge >> s->shift);
}

/* The random sample of the part that has @at, or of the next part if that sample is below @at. */
static uint64_t next_random(const struct sweep *s, uint64_t at)
{
    uint64_t len = DIV_ROUND_UP(s->nr, SWEEP_SAMPLES), part = at / len;
    uint64_t sample = part * len + scramble(part) % len;

    return sample >= at ? sample : (part + 1) * len + scramble(part + 1) % len;
}

static uint64_t next_sample(const struct sweep *s, uint64_t at)
{
    uint64_t next = min_u64(next_random(s, at), s->nr), pfn = at << s->shift;
    struct range range = ranges_find(s->map, pfn);

    lower_to_edge(s, &next, at, range.start);
    lower_to_edge(s, &next, at, range.end);
    lower_to_edge(s, &next, at, ROUND_DOWN(pfn, LIST_TABLE_PFNS));
    lower_to_edge(s, &next, at, ROUND_DOWN(pfn, LIST_TABLE_PFNS) + LIST_TABLE_PFNS);
    lower(&next, at, s->nr - 1);
    return next;
}

/* The start of the table of @at; for an index of many PFNs, in indices. */
static uint64_t table_start(const struct sweep *s, uint64_t at)
{
    return ROUND_DOWN(at, LIST_TABLE_PFNS >> s->shift);
}

/* The first index from @at on that needs a visit. Asks once for each table. */
static uint64_t pass(struct sweep *s, uint64_t at)
{
    uint64_t next;

    if (!s->pass || at >= s->nr || table_start(s, at) == s->visited)
        return at;
    next = min_u64(s->pass(s->context, at << s->shift) >> s->shift, s->nr);
    s->visited = table_start(s, next);
    s->nr_passed += next - at;
    return next;
}

void sweep_pass_over(struct sweep *s, sweep_pass_t pass_fn, void *context)
{
    s->pass = pass_fn;
    s->context = context;
    s->visited = UINT64_MAX;
    for (uint64_t at = 0; at < s->nr; at = table_start(s, at) + (LIST_TABLE_PFNS >> s->shift))
        at = pass(s, at);
    s->nr_over = s->nr_passed;
    s->nr_passed = 0;
    s->visited = UINT64_MAX;
    progress_start(&s->progress, s->progress.what, s->progress.unit, s->nr);
}

/*
 * True if all indices would take more than SWEEP_MAX_SECONDS at the speed up to index @at. Fewer
 * indices than a step tell nothing: reading the clock takes as long.
 */
static bool is_too_slow(const struct sweep *s, uint64_t at)
{
    uint64_t took = clock_ns() - s->progress.started_ns;
    uint64_t done = at - min_u64(s->nr_passed, at), nr = s->nr - s->nr_over;

    return done >= STEP_PFNS >> s->shift &&
           (unsigned __int128)took * nr > (unsigned __int128)done * SWEEP_MAX_SECONDS * NS_PER_S;
}

/* The next sample from @at on that needs a visit. */
static uint64_t next_visited_sample(struct sweep *s, uint64_t at)
{
    while (at < s->nr) {
        uint64_t next = next_sample(s, at);

        at = pass(s, next);
        if (at == next)
            break;
    }
    return at;
}

void sweep_sample(struct sweep *s, uint64_t at)
{
    s->sampled = true;
    s->pause = 0;
    print("%s: all %lu %s would take more than %d s: only samples are checked from index %lu on\n",
          s->progress.what, s->nr, s->progress.unit, SWEEP_MAX_SECONDS, at);
}

uint64_t sweep_stop(struct sweep *s, uint64_t at)
{
    uint64_t step = STEP_PFNS >> s->shift;

    at = pass(s, at);
    if (at >= s->nr)
        return s->nr;
    if (s->nr_stops++ % (s->sampled ? SAMPLES_STEP : 1) == 0)
        progress_at(&s->progress, at);
    if (!s->full && !s->sampled && is_too_slow(s, at))
        sweep_sample(s, at);
    if (s->sampled)
        return next_visited_sample(s, at);
    s->pause = min_u64(table_start(s, at) + step, s->nr);
    return at;
}
