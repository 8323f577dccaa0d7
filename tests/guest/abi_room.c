/* SPDX-License-Identifier: MIT */
#include "tests/guest/abi_room.h"

#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

/* Of a large machine's M2P, at most this many entries are looked at, evenly. */
#define MAX_LOOKS ((uint64_t)1 << 20)

/* What may be left of a pool that inject=map:holes has cut to pieces. */
#define MAX_RUNS 64

bool room_open(struct room *r, struct test *t, uint64_t nr_pages)
{
    static struct pfn_run runs[MAX_RUNS];
    struct domain *d = t->d;

    r->t = t;
    frame_pool_init(&r->pool, runs, MAX_RUNS, &d->p2m, &d->host.m2p);
    r->pt = d->pt;
    r->pt.frame_pool = &r->pool;
    r->pt.nr_tables = 0;
    heap_init(&r->heap, &r->pt, d->heap.next);
    if (!frame_pool_reserve(&d->frame_pool, nr_pages, &r->pool))
        return true;
    room_close(r);
    test_error(t, "no memory for %lu pages to work on", nr_pages);
    return false;
}

void room_close(struct room *r)
{
    struct domain *d = r->t->d;

    d->pt.nr_tables += r->pt.nr_tables; /* for whoever uses these addresses next */
    if (frame_pool_release(&d->frame_pool, &r->pool))
        panic("%lu frames of a test cannot be given back", r->pool.nr_free);
}

void *room_alloc(struct room *r, uint64_t nr)
{
    void *page;

    page = heap_alloc(&r->heap, nr * PAGE_SIZE);
    if (!page)
        panic("a test's room of %lu pages is too small for %lu more", r->pool.nr_free, nr);
    return page;
}

void room_free(struct room *r, void *page, uint64_t nr)
{
    heap_free(&r->heap, page, nr * PAGE_SIZE);
}

struct spot room_spot(struct room *r)
{
    struct spot s = {.va = (uintptr_t)room_alloc(r, 1)};

    if (pt_unmap(&r->pt, s.va, &s.mfn))
        panic("a page of a test at 0x%lx cannot be unmapped", s.va);
    return s;
}

void room_drop(struct room *r, struct spot s)
{
    if (spot_show(s, INVALID_MFN, 0) || frame_pool_free(&r->pool, s.mfn))
        panic("frame 0x%lx of a test cannot be given back", s.mfn.v);
}

int spot_show(struct spot s, mfn_t mfn, uint64_t flags)
{
    uint64_t pte = flags ? pte_make(mfn, flags) : 0;

    return (int)HYPERVISOR_update_va_mapping(s.va, pte, UVMF_INVLPG);
}

/* Marsaglia's xorshift, with the multiplier that Vigna gave it. */
uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1d;
}

/* Has our PFN @pfn a frame, and not this one? (A list that is broken is for other tests to see.) */
static bool is_elsewhere(const struct domain *d, uint64_t pfn, uint64_t mfn)
{
    mfn_t own = p2m_get_ram(&d->p2m, to_pfn(pfn));

    return mfn_eq(own, INVALID_MFN) || (own.v != mfn && m2p_get(&d->host.m2p, own).v == pfn);
}

mfn_t foreign_frame(const struct domain *d, mfn_t from)
{
    const struct m2p *m2p = &d->host.m2p;
    uint64_t step = m2p->nr / MAX_LOOKS + 1, mfns_per_2m = level_bytes(2) / sizeof(uint64_t), pfn;

    for (uint64_t mfn = from.v; mfn < m2p->nr; mfn += step) {
        if (probe_read(&m2p->table[mfn], &pfn)) /* a hole, of whole pages of 2 MiB */
            mfn = ROUND_UP(mfn + 1, mfns_per_2m) - step;
        else if (pfn < m2p->nr && is_elsewhere(d, pfn, mfn))
            return to_mfn(mfn);
    }
    return INVALID_MFN;
}

mfn_t xen_frame(struct domain *d)
{
    uint64_t pte = pt_read(&d->pt, d->pt.root, PT_LEVELS, pte_index(HYPERVISOR_VIRT_START, 4));

    return pte_present(pte) ? pte_mfn(pte) : INVALID_MFN;
}
