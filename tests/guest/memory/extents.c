/* SPDX-License-Identifier: MIT */
#include "tests/guest/memory/extents.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "mm/mmu_batch.h"

/* The highest run of @nr free PFNs; an empty run if no run is long enough. */
static struct pfn_run find_run(const struct pfn_runs *free, uint64_t nr)
{
    for (size_t i = free->nr_runs; i-- > 0;)
        if (free->runs[i].end - free->runs[i].start >= nr)
            return (struct pfn_run){free->runs[i].end - nr, free->runs[i].end};
    return (struct pfn_run){0, 0};
}

bool extents_open_in(struct extents *e, struct room *room, uint64_t nr)
{
    struct test *t = room->t;
    struct pfn_run run = find_run(&t->d->frame_pool.free, nr);
    int rc;

    e->t = t, e->room = room, e->first = run.start, e->nr = nr;
    e->pages = host_current_pages();
    if (e->pages > host_maximum_pages()) {
        test_skip(t, "this domain has more frames than XENMEM_maximum_reservation allows");
        return false;
    }
    if (run.start == run.end) {
        test_skip(t, "the frame pool has no run of %lu contiguous PFNs", nr);
        return false;
    }
    rc = frame_pool_exclude(&t->d->frame_pool, run.start, run.end);
    if (rc) {
        test_error(t, "frame_pool_exclude of PFNs [0x%lx, 0x%lx): result is %d (%s), expected 0",
                   run.start, run.end, rc, errno_name(rc));
        return false;
    }
    e->nr_list_pages = DIV_ROUND_UP((nr + 1) * sizeof(uint64_t), PAGE_SIZE);
    e->list = room_alloc(room, e->nr_list_pages);
    e->out = room_alloc(room, e->nr_list_pages);
    e->spot = room_spot(room);
    for (uint64_t i = 0; i < nr; i++)
        fixmap_unmap_mfn(&t->d->fixmap, extents_mfn(e, i));
    return true;
}

bool extents_open(struct extents *e, struct test *t, uint64_t nr)
{
    if (!room_open(&e->own, t, EXTENTS_ROOM_PAGES(nr)))
        return false;
    if (extents_open_in(e, &e->own, nr))
        return true;
    room_close(&e->own);
    return false;
}

unsigned int extents_max_order(const struct test *t)
{
    return boot_info_is_shim(&t->d->boot) ? 0 : 9;
}

mfn_t extents_mfn(const struct extents *e, uint64_t i)
{
    return p2m_get_ram(&e->t->d->p2m, to_pfn(e->first + i));
}

static void set_mfn(struct extents *e, uint64_t i, mfn_t mfn)
{
    int rc = p2m_set(&e->t->d->p2m, to_pfn(e->first + i), mfn);

    if (rc)
        panic("self-test %s: p2m_set of PFN 0x%lx to MFN 0x%lx: result is %d (%s), expected 0",
              e->t->test->name, e->first + i, mfn.v, rc, errno_name(rc));
}

void extents_fill(struct extents *e, uint64_t i, uint8_t byte)
{
    struct fixmap *f = &e->t->d->fixmap;
    void *page = fixmap_map(f, FIXMAP_SCRATCH, extents_mfn(e, i), PTE_RW);

    if (!page)
        panic("self-test %s: fixmap_map of MFN 0x%lx, writable: result is NULL, expected an "
              "address",
              e->t->test->name, extents_mfn(e, i).v);
    memset(page, byte, PAGE_SIZE);
    fixmap_unmap(f, FIXMAP_SCRATCH);
}

long extents_op(unsigned int cmd, const uint64_t *list, uint64_t nr, unsigned int order,
                unsigned int mem_flags)
{
    struct xen_memory_reservation arg = {
        .nr_extents = nr,
        .extent_order = order,
        .mem_flags = mem_flags,
        .domid = DOMID_SELF,
    };

    set_xen_guest_handle(arg.extent_start, (uint64_t *)list);
    return HYPERVISOR_memory_op(cmd, &arg);
}

struct xen_memory_exchange extents_exchange(const uint64_t *in, const uint64_t *out, uint64_t nr)
{
    struct xen_memory_exchange x = {
        .in = {.nr_extents = nr, .domid = DOMID_SELF},
        .out = {.nr_extents = nr, .domid = DOMID_SELF},
    };

    set_xen_guest_handle(x.in.extent_start, (uint64_t *)in);
    set_xen_guest_handle(x.out.extent_start, (uint64_t *)out);
    return x;
}

long extents_exchange_first(struct extents *e, unsigned int mem_flags, uint64_t *nr_exchanged)
{
    struct xen_memory_exchange x = extents_exchange(e->list, e->out, 1);
    long rc;

    e->list[0] = extents_mfn(e, 0).v, e->out[0] = e->first;
    x.out.mem_flags = mem_flags;
    rc = HYPERVISOR_memory_op(XENMEM_exchange, &x);
    *nr_exchanged = x.nr_exchanged;
    return rc;
}

/* Sets an M2P entry. 0 tells that this domain owns the frame. */
static long claim(mfn_t mfn, uint64_t pfn)
{
    struct mmu_update req = m2p_update(mfn, pfn);

    return HYPERVISOR_mmu_update(&req, 1, NULL, DOMID_SELF);
}

void extents_check_gone(struct extents *e, uint64_t i, uint64_t nr, const char *step)
{
    struct test *t = e->t;

    for (; nr--; i++) {
        mfn_t mfn = extents_mfn(e, i);
        uint64_t pfn = mfn_eq(mfn, INVALID_MFN) ? INVALID_ENTRY : m2p_get(&t->d->host.m2p, mfn).v;

        if (pfn == INVALID_ENTRY || pfn != e->first + i) {
            /* A domU's frame may belong to another domain by now. */
            if (boot_info_is_initdomain(&t->d->boot))
                CHECK_EQ(pfn, INVALID_ENTRY, "after %s: M2P entry of released MFN 0x%lx", step,
                         mfn.v);
            set_mfn(e, i, INVALID_MFN);
            continue;
        }
        test_fail(t,
                  "after %s: M2P entry of released MFN 0x%lx is PFN 0x%lx of this domain still, "
                  "expected ~0",
                  step, mfn.v, pfn);
        if (claim(mfn, pfn)) /* Xen took the frame, but did not clear the M2P entry */
            set_mfn(e, i, INVALID_MFN);
    }
}

void extents_check_kept(struct extents *e, uint64_t i, uint64_t nr, const char *step)
{
    struct test *t = e->t;

    for (; nr--; i++) {
        mfn_t mfn = extents_mfn(e, i);
        uint64_t pfn = m2p_get(&t->d->host.m2p, mfn).v;

        CHECK_EQ(pfn, e->first + i, "after %s: M2P entry of MFN 0x%lx, which stays this domain's,",
                 step, mfn.v);
        if (pfn != e->first + i && claim(mfn, e->first + i))
            set_mfn(e, i, INVALID_MFN);
    }
}

void extents_check_pages(struct extents *e, int64_t gained, const char *step)
{
    struct test *t = e->t;
    uint64_t now = host_current_pages();

    CHECK_EQ(now, e->pages + (uint64_t)gained,
             "after %s: XENMEM_current_reservation (before: 0x%lx)", step, e->pages);
    e->pages = now;
}

void extents_adopt(struct extents *e, uint64_t i, uint64_t nr, uint64_t mfn, const char *step)
{
    struct test *t = e->t;

    for (uint64_t j = 0; j < nr; j++) {
        uint64_t pfn = m2p_get(&t->d->host.m2p, to_mfn(mfn + j)).v;

        CHECK_EQ(pfn, e->first + i + j,
                 "after %s: M2P entry of MFN 0x%lx, frame %lu of the extent,", step, mfn + j, j);
        if (pfn == e->first + i + j || !claim(to_mfn(mfn + j), e->first + i + j))
            set_mfn(e, i + j, to_mfn(mfn + j));
    }
}

void extents_release(struct extents *e, uint64_t i, uint64_t nr, const char *step)
{
    struct test *t = e->t;
    long rc;

    for (uint64_t j = 0; j < nr; j++)
        e->list[j] = extents_mfn(e, i + j).v;
    rc = extents_op(XENMEM_decrease_reservation, e->list, nr, 0, 0);
    CHECK_RC(rc, (long)nr, "%s: XENMEM_decrease_reservation of %lu frames, the first is MFN 0x%lx",
             step, nr, e->list[0]);
    extents_check_gone(e, i, nr, step);
    extents_check_pages(e, -(int64_t)nr, step);
}

void extents_release_order(struct extents *e, uint64_t i, unsigned int order, const char *step)
{
    struct test *t = e->t;
    uint64_t nr = (uint64_t)1 << order;

    e->list[0] = extents_mfn(e, i).v;
    CHECK_RC(extents_op(XENMEM_decrease_reservation, e->list, 1, order, 0), 1,
             "%s: XENMEM_decrease_reservation of an extent of order %u at MFN 0x%lx", step, order,
             e->list[0]);
    extents_check_gone(e, i, nr, step);
    extents_check_pages(e, -(int64_t)nr, step);
}

bool extents_populate(struct extents *e, uint64_t i, unsigned int order, unsigned int mem_flags,
                      const char *step)
{
    struct test *t = e->t;
    int64_t nr = (int64_t)1 << order;
    long rc;

    e->list[0] = e->first + i, e->list[1] = UNWRITTEN;
    rc = extents_op(XENMEM_populate_physmap, e->list, 1, order, mem_flags);
    if (rc == 1)
        extents_adopt(e, i, (uint64_t)nr, e->list[0], step);
    else
        CHECK_RC(rc, 0, "%s: XENMEM_populate_physmap of one extent of order %u", step, order);
    CHECK_EQ(e->list[1], UNWRITTEN, "%s: list entry behind the only extent", step);
    extents_check_pages(e, rc == 1 ? nr : 0, step);
    return rc == 1;
}

/* Asks Xen for the frames that are missing. Returns the number of PFNs that still have none. */
static uint64_t regain(struct extents *e)
{
    uint64_t nr = 0, got;
    long rc;

    for (uint64_t i = 0; i < e->nr; i++)
        if (mfn_eq(extents_mfn(e, i), INVALID_MFN)) {
            e->list[nr] = e->first + i;
            e->out[nr++] = i;
        }
    rc = nr ? extents_op(XENMEM_populate_physmap, e->list, nr, 0, 0) : 0;
    got = rc < 0 ? 0 : min_u64((uint64_t)rc, nr);
    for (uint64_t i = 0; i < got; i++)
        extents_adopt(e, e->out[i], 1, e->list[i], "XENMEM_populate_physmap at the end");
    extents_check_pages(e, (int64_t)got, "XENMEM_populate_physmap at the end");
    return nr - got;
}

/* Tells the tools of a live migration that the pages are dirty: see mark_dirty in xen/balloon.c. */
static int mark_dirty(const struct extents *e)
{
    static struct mmu_batch batch;
    int rc = 0;

    for (uint64_t i = 0; !rc && i < e->nr; i++)
        if (!mfn_eq(extents_mfn(e, i), INVALID_MFN))
            rc = mmu_batch_m2p(&batch, extents_mfn(e, i), to_pfn(e->first + i));
    return rc ? rc : mmu_batch_flush(&batch);
}

/* A PFN without a frame is the balloon's. */
static int give_pfn(struct extents *e, uint64_t i)
{
    struct domain *d = e->t->d;
    uint64_t pfn = e->first + i;

    if (!mfn_eq(extents_mfn(e, i), INVALID_MFN))
        return frame_pool_add(&d->frame_pool, pfn, pfn + 1);
    d->balloon.nr_pages--;
    return pfn_runs_add(&d->balloon.empty, pfn, pfn + 1);
}

void extents_close(struct extents *e)
{
    struct test *t = e->t;
    uint64_t missing = regain(e);
    int rc = mark_dirty(e);

    CHECK_RC(rc, 0, "mmu_update (MMU_MACHPHYS_UPDATE) of %lu frames of this domain", e->nr);
    rc = 0;
    if (!missing)
        rc = frame_pool_add(&t->d->frame_pool, e->first, e->first + e->nr);
    for (uint64_t i = 0; missing && !rc && i < e->nr; i++)
        rc = give_pfn(e, i);
    if (rc)
        panic("self-test %s: return of PFNs [0x%lx, 0x%lx): result is %d (%s), expected 0",
              t->test->name, e->first, e->first + e->nr, rc, errno_name(rc));
    if (missing)
        test_error(t, "XENMEM_populate_physmap at the end: %lu PFNs got no frame, expected 0",
                   missing);
    room_drop(e->room, e->spot);
    room_free(e->room, e->out, e->nr_list_pages);
    room_free(e->room, e->list, e->nr_list_pages);
    if (e->room == &e->own)
        room_close(e->room);
}
