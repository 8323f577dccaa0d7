/* SPDX-License-Identifier: MIT */
#include "mm/frame_pool.h"

#include "lib/errno.h"

void frame_pool_init(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs,
                     const struct p2m *p2m, const struct m2p *m2p)
{
    *f = (struct frame_pool){.p2m = p2m, .m2p = m2p};
    pfn_runs_init(&f->free, runs, cap_runs);
}

void frame_pool_set_array(struct frame_pool *f, struct pfn_run *runs, size_t cap_runs)
{
    pfn_runs_set_array(&f->free, runs, cap_runs);
}

int frame_pool_add(struct frame_pool *f, uint64_t start, uint64_t end)
{
    return pfn_runs_add(&f->free, start, end);
}

int frame_pool_exclude(struct frame_pool *f, uint64_t start, uint64_t end)
{
    return pfn_runs_remove(&f->free, start, end);
}

bool frame_pool_has(const struct frame_pool *f, pfn_t pfn)
{
    return pfn_runs_has(&f->free, pfn);
}

int frame_pool_free(struct frame_pool *f, mfn_t mfn)
{
    pfn_t pfn = m2p_get(f->m2p, mfn);

    return pfn.v == INVALID_ENTRY ? -EINVAL : frame_pool_add(f, pfn.v, pfn.v + 1);
}

struct pfn_run frame_pool_alloc_run(struct frame_pool *f, uint64_t max)
{
    return pfn_runs_pop(&f->free, max);
}

/* Counts a request; true if a test wants this one to fail. */
static bool is_refused(struct frame_pool *f)
{
    return ++f->nr_requests == f->fail_at;
}

int frame_pool_alloc(struct frame_pool *f, mfn_t *mfn)
{
    if (is_refused(f) || !f->free.nr_pfns)
        return -ENOMEM;
    *mfn = p2m_get_ram(f->p2m, to_pfn(frame_pool_alloc_run(f, 1).start));
    return 0;
}

int frame_pool_next(struct frame_cursor *c, mfn_t *mfn)
{
    const struct pfn_runs *free = &c->frame_pool->free;
    const struct pfn_run *run = &free->runs[c->run];

    if (c->run == free->nr_runs)
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
    pfn_runs_clear(&reserve->free);
}

int frame_pool_release(struct frame_pool *f, struct frame_pool *reserve)
{
    while (reserve->free.nr_pfns) {
        struct pfn_run run = reserve->free.runs[reserve->free.nr_runs - 1];
        int rc = frame_pool_add(f, run.start, run.end);

        if (rc)
            return rc;
        run = frame_pool_alloc_run(reserve, run.end - run.start);
    }
    return 0;
}

int frame_pool_reserve(struct frame_pool *f, uint64_t nr, struct frame_pool *reserve)
{
    if (is_refused(f) || f->free.nr_pfns < nr)
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

/* Replaces the free PFNs of move @m by their new numbers. */
static int move_free(struct frame_pool *f, const struct move *m)
{
    struct pfn_run piece = pfn_runs_find(&f->free, m->from, m->from + m->nr);

    for (; piece.start < piece.end; piece = pfn_runs_find(&f->free, m->from, m->from + m->nr)) {
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
