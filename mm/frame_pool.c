/* SPDX-License-Identifier: MIT */
#include "mm/frame_pool.h"

#include "lib/errno.h"
#include "lib/string.h"

void frame_pool_init(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs,
                     const struct p2m *p2m, const struct m2p *m2p)
{
    *f = (struct frame_pool){.runs = runs, .cap_runs = cap_runs, .p2m = p2m, .m2p = m2p};
}

void frame_pool_set_array(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs)
{
    memcpy(runs, f->runs, f->nr_runs * sizeof(*runs));
    f->runs = runs;
    f->cap_runs = cap_runs;
}

static void insert_run(struct frame_pool *f, size_t i, struct pfn_run run)
{
    memmove(&f->runs[i + 1], &f->runs[i], (f->nr_runs - i) * sizeof(run));
    f->runs[i] = run;
    f->nr_runs++;
}

static void remove_run(struct frame_pool *f, size_t i)
{
    f->nr_runs--;
    memmove(&f->runs[i], &f->runs[i + 1], (f->nr_runs - i) * sizeof(f->runs[0]));
}

/* The index of the first run that ends at or above @pfn. By bisection. */
static size_t first_reaching(const struct frame_pool *f, uint64_t pfn)
{
    size_t low = 0, high = f->nr_runs;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (f->runs[mid].end < pfn)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

int frame_pool_add(struct frame_pool *f, uint64_t start, uint64_t end)
{
    size_t i = first_reaching(f, start);
    struct pfn_run *run = &f->runs[i];

    if (start >= end)
        return 0;

    bool joins = i < f->nr_runs && run->end == start;
    size_t next = i + joins;
    bool meets = next < f->nr_runs && f->runs[next].start <= end;

    if (meets && f->runs[next].start < end)
        return -EEXIST;
    if (joins && meets) {
        run->end = f->runs[next].end;
        remove_run(f, next);
    } else if (joins) {
        run->end = end;
    } else if (meets) {
        f->runs[next].start = start;
    } else if (f->nr_runs == f->cap_runs) {
        return -ENOMEM;
    } else {
        insert_run(f, i, (struct pfn_run){start, end});
    }
    f->nr_free += end - start;
    return 0;
}

bool frame_pool_has(const struct frame_pool *f, pfn_t pfn)
{
    size_t i = pfn.v == INVALID_ENTRY ? f->nr_runs : first_reaching(f, pfn.v + 1);

    return i < f->nr_runs && f->runs[i].start <= pfn.v;
}

int frame_pool_free(struct frame_pool *f, mfn_t mfn)
{
    pfn_t pfn = m2p_get(f->m2p, mfn);

    return pfn.v == INVALID_ENTRY ? -EINVAL : frame_pool_add(f, pfn.v, pfn.v + 1);
}

struct pfn_run frame_pool_alloc_run(struct frame_pool *f, uint64_t max)
{
    if (!f->nr_runs)
        return (struct pfn_run){0, 0};

    struct pfn_run *top = &f->runs[f->nr_runs - 1];
    uint64_t nr = min_u64(max, top->end - top->start);
    struct pfn_run cut = {top->end - nr, top->end};

    top->end -= nr;
    f->nr_runs -= top->end == top->start;
    f->nr_free -= nr;
    return cut;
}

/* Is this the request that a test wants to fail? */
static bool is_refused(struct frame_pool *f)
{
    return ++f->nr_requests == f->fail_at;
}

int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn)
{
    if (is_refused(f) || !f->nr_free)
        return -ENOMEM;
    *mfn = p2m_get_ram(f->p2m, to_pfn(frame_pool_alloc_run(f, 1).start));
    return 0;
}

int frame_pool_next(struct frame_cursor *c, mfn_t *mfn)
{
    const struct pfn_run *run = &c->frame_pool->runs[c->run];

    if (c->run == c->frame_pool->nr_runs)
        return -ENOMEM;
    *mfn = p2m_get_ram(c->frame_pool->p2m, to_pfn(run->start + c->nr_done));
    if (++c->nr_done == run->end - run->start) {
        c->run++;
        c->nr_done = 0;
    }
    return 0;
}

void frame_pool_spend(struct frame_pool *reserve)
{
    reserve->nr_runs = 0;
    reserve->nr_free = 0;
}

int frame_pool_release(struct frame_pool *f, struct frame_pool *reserve)
{
    while (reserve->nr_free) {
        struct pfn_run run = reserve->runs[reserve->nr_runs - 1];
        int rc = frame_pool_add(f, run.start, run.end);

        if (rc)
            return rc;
        run = frame_pool_alloc_run(reserve, run.end - run.start);
    }
    return 0;
}

int frame_pool_reserve(struct frame_pool *f, uint64_t nr, struct frame_pool *reserve)
{
    if (is_refused(f) || f->nr_free < nr)
        return -ENOMEM;
    while (nr) {
        struct pfn_run cut = frame_pool_alloc_run(f, nr);
        int rc = frame_pool_add(reserve, cut.start, cut.end);

        if (rc)
            return rc;
        nr -= cut.end - cut.start;
    }
    return 0;
}

/* The first piece of [start, end) that is free; an empty one if none is. */
static struct pfn_run first_free(const struct frame_pool *f, uint64_t start, uint64_t end)
{
    size_t i = first_reaching(f, start + 1);
    struct pfn_run none = {0, 0};

    if (i == f->nr_runs || f->runs[i].start >= end)
        return none;
    return (struct pfn_run){max_u64(f->runs[i].start, start), min_u64(f->runs[i].end, end)};
}

int frame_pool_exclude(struct frame_pool *f, uint64_t start, uint64_t end)
{
    struct pfn_run piece = first_free(f, start, end);

    for (; piece.start < piece.end; piece = first_free(f, start, end)) {
        size_t i = first_reaching(f, piece.start + 1);
        struct pfn_run run = f->runs[i];
        int rc;

        /* it becomes two: before anything is taken, for there is no way back */
        if (run.start < piece.start && piece.end < run.end && f->nr_runs == f->cap_runs)
            return -ENOMEM;
        remove_run(f, i);
        f->nr_free -= run.end - run.start;
        rc = frame_pool_add(f, run.start, piece.start);
        if (!rc)
            rc = frame_pool_add(f, piece.end, run.end);
        if (rc)
            return rc;
    }
    return 0;
}

/* Gives the free PFNs of a move their new numbers. */
static int move_free(struct frame_pool *f, const struct move *m)
{
    struct pfn_run piece = first_free(f, m->from, m->from + m->nr);

    for (; piece.start < piece.end; piece = first_free(f, m->from, m->from + m->nr)) {
        int rc = frame_pool_exclude(f, piece.start, piece.end);

        if (!rc)
            rc = frame_pool_add(f, m->to + (piece.start - m->from), m->to + (piece.end - m->from));
        if (rc)
            return rc;
    }
    return 0;
}

int frame_pool_renumber(struct frame_pool *f, const struct plan *plan)
{
    for (size_t i = 0; i < plan->nr_moves; i++) {
        int rc = move_free(f, &plan->moves[i]);

        if (rc)
            return rc;
    }
    return 0;
}
