/* SPDX-License-Identifier: MIT */
/*
 * mm/unpopulated.c with leaves of four entries: every sequence of a few calls of unpopulated_alloc
 * and unpopulated_free, on small memory maps, with every set of RAM PFNs that have no frame. PFNs
 * that are given out had no frame and belong to one range only; a failed call changes nothing; and
 * the last free leaves everything as it was at the beginning.
 */
#include "exhaustive.h"
#include "leaf_of_4.h"

#include "mm/unpopulated.c"

#include <string.h>

#define MAX_PFNS  40
#define MAX_RUNS  8
#define NR_CALLS  3
#define NR_SLOTS  2                  /* the other elements of the table of runs are taken */
#define ROOM      (2 * NR_SLOTS + 2) /* as UNPOPULATED_MAX_RANGES promises it for the free elements */
#define MAX_TABLE (3 + ROOM)

/* All that a call can change. */
struct state {
    struct range table[MAX_TABLE];
    struct pfn_run runs[MAX_RUNS];
    struct p2m p2m;
    struct pfn_runs empty;
    struct unpopulated u;
};

static struct state now;
static uint64_t map_end, limit;
static uint32_t empty_at_start;
static struct foreign_range range = {.nr = 1};

/* The calls so far, for messages: the number of pages, or for a free the PFN with the top bit. */
#define FREE ((uint64_t)1 << 63)
static uint64_t calls[NR_CALLS];
static size_t nr_calls;

static void print_input(void)
{
    for (size_t i = 0; i < now.p2m.ranges.nr; i++)
        printf(" [%lu, %lu) %s", now.table[i].start, now.table[i].end,
               range_kind_name(now.table[i].kind));
    printf(", list of %lu, PFNs without a frame 0x%x, limit %lu, calls:", now.p2m.nr,
           empty_at_start, limit);
    for (size_t i = 0; i < nr_calls; i++)
        printf(calls[i] & FREE ? " free PFN %lu" : " alloc %lu", calls[i] & ~FREE);
}

static bool is_used(const struct state *s, size_t slot)
{
    return s->u.used[slot].range != NULL;
}

static bool is_same(const struct state *a, const struct state *b)
{
    return a->p2m.ranges.nr == b->p2m.ranges.nr && a->empty.nr_runs == b->empty.nr_runs &&
           a->empty.nr_pfns == b->empty.nr_pfns && is_used(a, 0) == is_used(b, 0) &&
           is_used(a, 1) == is_used(b, 1) &&
           !memcmp(a->table, b->table, a->p2m.ranges.nr * sizeof(a->table[0])) &&
           !memcmp(a->runs, b->runs, a->empty.nr_runs * sizeof(a->runs[0]));
}

/* A copy of a state has its own arrays, but its pointers lead to those of @now. */
static enum range_kind kind_of(const struct state *s, uint64_t pfn)
{
    struct ranges own = s->p2m.ranges;

    own.r = (struct range *)(uintptr_t)s->table;
    return ranges_find(&own, pfn).kind;
}

static bool is_empty(const struct state *s, uint64_t pfn)
{
    struct pfn_runs own = s->empty;

    own.runs = (struct pfn_run *)(uintptr_t)s->runs;
    return pfn_runs_has(&own, to_pfn(pfn));
}

/* May @pfn be given out: a RAM PFN without a frame, or a PFN past the map and the list? */
static bool is_free(const struct state *s, uint64_t pfn)
{
    if (pfn < map_end)
        return is_empty(s, pfn) && kind_of(s, pfn) == RANGE_RAM;
    return pfn >= s->p2m.nr && pfn < limit && kind_of(s, pfn) != RANGE_UNPOPULATED;
}

/* Does a run of @nr such PFNs start at the leaf @start, on one side of the end of the map? */
static bool fits(const struct state *s, uint64_t start, uint64_t nr)
{
    if (start < map_end && start + nr > map_end)
        return false;
    for (uint64_t pfn = start; pfn < start + nr; pfn++)
        if (!is_free(s, pfn))
            return false;
    return true;
}

/* The first place that fits: in RAM if there is one there. */
static uint64_t first_fit(const struct state *s, uint64_t nr)
{
    for (uint64_t start = 0; start < MAX_PFNS; start += P2M_PER_PAGE)
        if (fits(s, start, nr))
            return start;
    return UINT64_MAX;
}

/* The PFNs of [start, end) have changed from one side to the other, all others have not changed. */
static void check_change(const struct state *a, const struct state *b, uint64_t start, uint64_t end)
{
    for (uint64_t pfn = 0; pfn < MAX_PFNS; pfn++) {
        bool is_in = start <= pfn && pfn < end;

        CLAIM(kind_of(b, pfn) == (is_in ? RANGE_UNPOPULATED : kind_of(a, pfn)));
        CLAIM(is_empty(b, pfn) == (!is_in && is_empty(a, pfn)));
    }
}

static void check_alloc(uint64_t nr_pages)
{
    const struct state old = now;
    uint64_t start = UINT64_MAX, nr = ROUND_UP(nr_pages, P2M_PER_PAGE),
             expected = first_fit(&old, nr);
    bool is_full = is_used(&old, 0) && is_used(&old, 1);
    int rc;

    range.nr = nr_pages;
    rc = unpopulated_alloc(&now.u, &range, &start);
    nr_cases++;
    if (expected == UINT64_MAX)
        CLAIM(rc == -ENOSPC);
    else
        CLAIM(rc == 0 || (rc == -ENOMEM && (is_full || now.empty.nr_runs == now.empty.cap_runs)));
    if (rc) {
        CLAIM(start == UINT64_MAX && is_same(&now, &old));
        return;
    }
    CLAIM(start == expected && start % P2M_PER_PAGE == 0);
    check_change(&old, &now, start, start + nr);
}

static void check_free(uint64_t start)
{
    const struct state old = now;
    size_t slot = 0;
    int rc;

    while (slot < NR_SLOTS && !(is_used(&old, slot) && old.u.used[slot].run.start == start))
        slot++;
    rc = unpopulated_free(&now.u, start);
    nr_cases++;
    if (slot == NR_SLOTS)
        CLAIM(rc == -EINVAL);
    else
        CLAIM(rc == 0 || (rc == -ENOMEM && now.empty.nr_runs == now.empty.cap_runs));
    if (rc)
        CLAIM(is_same(&now, &old));
    else
        check_change(&now, &old, start, old.u.used[slot].run.end);
}

/* After the last free the table and the set are those of the beginning. */
static void check_end(const struct state *first)
{
    if (!is_used(&now, 0) && !is_used(&now, 1))
        CLAIM(is_same(&now, first));
}

static void each_call(const struct state *first)
{
    const struct state old = now;

    check_end(first);
    if (nr_calls == NR_CALLS)
        return;
    nr_calls++;
    for (uint64_t nr = 1; nr <= 2 * P2M_PER_PAGE; nr += P2M_PER_PAGE) {
        calls[nr_calls - 1] = nr;
        check_alloc(nr);
        each_call(first);
        now = old;
    }
    for (uint64_t pfn = 0; pfn < MAX_PFNS; pfn += P2M_PER_PAGE) {
        calls[nr_calls - 1] = pfn | FREE;
        check_free(pfn);
        if (!is_same(&now, &old)) /* otherwise as without the call */
            each_call(first);
        now = old;
    }
    nr_calls--;
}

/* RAM [0, a), a hole up to b, RAM up to c; the PFNs of @empty_at_start have no frame. */
static bool start_state(uint64_t a, uint64_t b, uint64_t c, uint64_t list_end, size_t cap)
{
    now = (struct state){
        .table = {{0, a, RANGE_RAM}, {a, b, RANGE_IDENTITY}, {b, c, RANGE_RAM}}
    };
    now.p2m = (struct p2m){.nr = list_end};
    now.p2m.ranges =
        (struct ranges){.r = now.table, .nr = 3, .cap = MAX_TABLE, .beyond = RANGE_IDENTITY};
    pfn_runs_init(&now.empty, now.runs, MAX_RUNS);
    for (uint64_t pfn = 0; pfn < c; pfn++)
        if (empty_at_start >> pfn & 1 &&
            (kind_of(&now, pfn) != RANGE_RAM || pfn_runs_add(&now.empty, pfn, pfn + 1)))
            return false;
    if (now.empty.nr_runs > cap)
        return false;
    now.empty.cap_runs = cap;
    unpopulated_init(&now.u, &now.p2m, &now.empty, 52);
    now.u.limit = limit;
    for (size_t i = NR_SLOTS; i < MAX_UNPOPULATED; i++) {
        now.u.used[i].range = &range;
        now.u.used[i].run = (struct pfn_run){INVALID_ENTRY, INVALID_ENTRY};
    }
    return true;
}

/* Every set of PFNs without a frame that fits two or four runs, and some limits of the CPU. */
static void each_set(uint64_t a, uint64_t b, uint64_t c, uint64_t list_end)
{
    map_end = c;
    for (empty_at_start = 0; empty_at_start < 1u << c; empty_at_start++)
        for (limit = c; limit < c + 3 * P2M_PER_PAGE; limit += 3)
            for (size_t cap = 2; cap <= 4; cap += 2)
                if (start_state(a, b, c, list_end, cap)) {
                    const struct state first = now;

                    each_call(&first);
                }
}

int main(void)
{
    for (uint64_t a = 3; a <= 5; a++)
        for (uint64_t c = 11; c <= 13; c++)
            for (uint64_t list_end = 12; list_end <= 16; list_end += P2M_PER_PAGE)
                if (list_end >= c)
                    each_set(a, a + 1, c, list_end);
    return end_of_proof();
}

/* What the source names and this proof does not call. */
void *fixmap_map(struct fixmap *f, unsigned int slot, mfn_t mfn, uint64_t flags)
{
    (void)f;
    (void)slot;
    (void)mfn;
    (void)flags;
    return NULL;
}

void panic(const char *fmt, ...)
{
    CLAIM(!fmt);
    exit(1);
}

const char *errno_name(int rc)
{
    (void)rc;
    return "";
}
