/* SPDX-License-Identifier: MIT */
/*
 * Without accounting, a frame could be lost, be free and in use at once, or be mapped a second time
 * with other rights. All page tables are walked from the root. A bitmap gets a bit for the PFN of
 * each frame that is mapped, that is a page table, that holds the ramdisk, or that is the ring of
 * console or xenstore. The frame pool must have exactly the frames whose bit is 0. The bitmap has a
 * bit for each RAM PFN and none for a hole, which may have 2^34 PFNs.
 *
 * Without page_rights, one page among thousands could be writable and executable.
 *
 * Both run last, so that they see what the other tests left behind.
 */
#include "mm/pt_visit.h"

#include "kernel/selftest/test.h"

struct frame_uses {
    struct test *t;
    uint64_t *used;     /* a bit for each RAM PFN of the P2M list, in ascending order */
    struct range range; /* the RAM range of the last lookup */
    uint64_t below;     /* RAM PFNs below it */
};

/* Finds the number of RAM PFN @pfn in the bitmap. False if @pfn is not a RAM PFN of the list. */
static bool find_bit(struct frame_uses *u, uint64_t pfn, uint64_t *bit)
{
    const struct p2m *p2m = &u->t->d->p2m;

    if (pfn >= p2m->nr)
        return false;
    if (pfn < u->range.start || pfn >= u->range.end) {
        struct range range = ranges_find(&p2m->ranges, pfn);

        if (range.kind != RANGE_RAM)
            return false;
        u->range = range;
        u->below = ranges_count(&p2m->ranges, RANGE_RAM, range.start);
    }
    *bit = u->below + (pfn - u->range.start);
    return true;
}

static bool is_used(struct frame_uses *u, uint64_t pfn)
{
    uint64_t bit;

    return find_bit(u, pfn, &bit) && (u->used[bit / 64] >> bit % 64 & 1);
}

/* Sets the bit of a PFN. Returns false if the bit was set before. */
static bool set_used_pfn(struct frame_uses *u, uint64_t pfn, const char *what, uint64_t number)
{
    uint64_t bit;
    bool first;

    if (!find_bit(u, pfn, &bit)) {
        test_fail(u->t, "PFN of %s 0x%lx, in use, is 0x%lx, expected a RAM PFN below 0x%lx", what,
                  number, pfn, u->t->d->p2m.nr);
        return false;
    }
    first = !(u->used[bit / 64] >> bit % 64 & 1);
    u->used[bit / 64] |= (uint64_t)1 << bit % 64;
    return first;
}

/* Sets the bit of a frame's PFN. Returns false if the bit was set before. */
static bool set_used(struct frame_uses *u, mfn_t mfn)
{
    return set_used_pfn(u, m2p_get(&u->t->d->host.m2p, mfn).v, "MFN", mfn.v);
}

/*
 * Pages that name no frame of their own: a slot of the fixmap maps a frame that has another use;
 * shared_info belongs to Xen, and the pages of the foreign window to other domains or to Xen.
 */
static bool is_view(const struct domain *d, uint64_t va)
{
    uint64_t i;

    return va - (uintptr_t)d->fixmap.pages < NR_FIXMAP_SLOTS * PAGE_SIZE ||
           va == (uintptr_t)d->shared || foreign_find(&d->foreign, va, &i);
}

static void check_use(struct frame_uses *u, uint64_t va, uint64_t pte)
{
    struct test *t = u->t;
    mfn_t mfn = pte_mfn(pte);

    if (is_view(t->d, va))
        return;
    /* Only one frame may be mapped more than once: the leaf that all holes share. */
    CHECK(set_used(u, mfn) || mfn_eq(mfn, t->d->revectored.none_leaf),
          "page at address 0x%lx maps MFN 0x%lx, which is also a page table or mapped elsewhere, "
          "expected one use",
          va, mfn.v);
}

/* The frame of an entry. The page table that all holes of the P2M list share is entered once. */
static enum pt_next use_entry(void *context, const struct pt_visited *e)
{
    struct frame_uses *u = context;

    if (e->is_leaf)
        check_use(u, e->va, e->pte);
    else if (!set_used(u, pte_mfn(e->pte)))
        return PT_SKIP;
    return PT_ENTER;
}

static void use_tables(struct frame_uses *u)
{
    struct pagetable *pt = &u->t->d->pt;

    set_used(u, pt->root);
    pt_visit(pt, use_entry, u);
}

static void use_ramdisk(struct frame_uses *u)
{
    const struct domain *d = u->t->d;
    uint64_t nr = (d->boot.ramdisk_bytes + PAGE_SIZE - 1) / PAGE_SIZE;

    for (uint64_t i = 0; i < nr; i++) {
        pfn_t pfn = plan_renumbered(&d->plan, to_pfn(d->boot.ramdisk_pfn + i));

        (void)set_used_pfn(u, pfn.v, "ramdisk page", i);
    }
}

/* xenconsoled and xenstored use these frames, whether this kernel maps them or not. */
static void use_rings(struct frame_uses *u)
{
    const struct boot_info *b = &u->t->d->boot;

    if (!mfn_eq(b->console, INVALID_MFN))
        set_used(u, b->console);
    if (!mfn_eq(b->store, INVALID_MFN))
        set_used(u, b->store);
}

/* Sets the bits of a run of free frames, 64 at a time. None of them may be set before. */
static void use_run(struct frame_uses *u, const struct pfn_run *run)
{
    uint64_t bit, nr;

    if (!find_bit(u, run->start, &bit) || run->end > u->range.end) {
        test_fail(u->t, "PFNs [0x%lx, 0x%lx) are in the frame pool, expected PFNs of one RAM range",
                  run->start, run->end);
        return;
    }
    for (uint64_t pfn = run->start; pfn < run->end; pfn += nr, bit += nr) {
        uint64_t bits, *word = &u->used[bit / 64];

        nr = min_u64(run->end - pfn, 64 - bit % 64);
        bits = INVALID_ENTRY >> (64 - nr) << bit % 64;
        if (*word & bits)
            test_fail(u->t,
                      "PFNs [0x%lx, 0x%lx) are in the frame pool, but some are in use: their bits "
                      "(the lowest: PFN 0x%lx) are 0x%lx, expected 0",
                      pfn, pfn + nr, pfn, (*word & bits) >> bit % 64);
        *word |= bits;
    }
}

static void use_free(struct frame_uses *u)
{
    const struct pfn_runs *f = &u->t->d->frame_pool.free;

    for (size_t i = 0; i < f->nr_runs; i++)
        use_run(u, &f->runs[i]);
}

static void check_all(struct frame_uses *u)
{
    const struct p2m *p2m = &u->t->d->p2m;
    struct sweep s;

    test_sweep(u->t, &s, p2m->nr, 0, "PFNs");
    for (uint64_t pfn = sweep_next(&s, 0); pfn < p2m->nr; pfn = sweep_next(&s, pfn + 1)) {
        mfn_t mfn = p2m_get_ram(p2m, to_pfn(pfn));
        bool owned = !mfn_eq(mfn, INVALID_MFN);

        if (owned && !is_used(u, pfn))
            test_fail(u->t,
                      "PFN 0x%lx (MFN 0x%lx) is not in the frame pool and not in use (mapped, page "
                      "table, ramdisk, ring), expected one of them",
                      pfn, mfn.v);
        if (!owned && is_used(u, pfn))
            test_fail(u->t,
                      "P2M entry of PFN 0x%lx, which is in the frame pool or in use, is ~0, "
                      "expected an MFN",
                      pfn);
    }
}

TEST_LAST(accounting,
          "each frame of this domain is either in the frame pool or has exactly one use")
{
    struct domain *d = t->d;
    uint64_t nr_ram = ranges_count(&d->p2m.ranges, RANGE_RAM, d->p2m.nr);
    uint64_t len_bytes = DIV_ROUND_UP(nr_ram, 64) * sizeof(uint64_t);
    struct frame_uses u = {.t = t, .used = heap_alloc(&d->heap, len_bytes)};

    if (!u.used) {
        test_error(t, "heap_alloc of a bitmap for 0x%lx RAM PFNs: no memory", nr_ram);
        return;
    }
    use_tables(&u);
    use_ramdisk(&u);
    use_rings(&u);
    use_free(&u);
    check_all(&u);
    heap_free(&d->heap, u.used, len_bytes);
}

static enum pt_next check_rights(void *context, const struct pt_visited *e)
{
    struct test *t = context;
    bool is_text = e->va >= (uintptr_t)image_start && e->va < (uintptr_t)rodata_start;

    if (!e->is_leaf)
        return PT_ENTER;
    CHECK(is_text || (e->pte & PTE_NX) || !pte_has_nx(),
          "PTE of address 0x%lx, not kernel text, is 0x%lx, expected NX (bit 63)", e->va, e->pte);
    CHECK(!is_text || !(e->pte & PTE_W),
          "PTE of address 0x%lx, kernel text, is 0x%lx, expected read-only (bit 1 clear)", e->va,
          e->pte);
    return PT_ENTER;
}

TEST_LAST(page_rights, "W^X: no page except the kernel text, which is read-only, is executable")
{
    if (!pte_has_nx())
        test_skip(t, "this CPU has no NX bit; only the kernel text was checked");
    pt_visit(&t->d->pt, check_rights, t);
}
