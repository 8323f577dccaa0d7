/* SPDX-License-Identifier: MIT */
#include "tests/guest/abi_room.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "xen/watchdog.h"

/* Number of M2P entries that foreign_frame reads at most, at equal distances. */
#define MAX_LOOKS ((uint64_t)1 << 20)

/* Holes of the M2P between two calls of watchdog_kick: a read of a hole is a page fault. */
#define HOLES_STEP 4096

/* Number of runs of PFNs that a room may consist of: inject=map:holes fragments the frame pool. */
#define MAX_RUNS   64

#define SPOT_PAGES 16

static void check_or_panic(const struct room *r, int rc, const char *what, uint64_t value)
{
    if (rc)
        panic("self-test %s: %s 0x%lx: result is %d (%s), expected 0", r->t->test->name, what,
              value, rc, errno_name(rc));
}

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
    test_error(t,
               "self-test %s: %lu frames could not be reserved; the frame pool has %lu free frames",
               t->test->name, nr_pages, d->frame_pool.free.nr_pfns);
    return false;
}

void room_close(struct room *r)
{
    struct domain *d = r->t->d;

    d->pt.nr_tables += r->pt.nr_tables; /* the tables stay in use for these addresses */
    check_or_panic(r, frame_pool_release(&d->frame_pool, &r->pool),
                   "frame_pool_release, number of frames", r->pool.free.nr_pfns);
}

void *room_alloc(struct room *r, uint64_t nr)
{
    void *page;

    page = heap_alloc(&r->heap, nr * PAGE_SIZE);
    check_or_panic(r, page ? 0 : -ENOMEM, "heap_alloc, number of pages", nr);
    return page;
}

/* Not heap_free: it also drops a page table that is empty now, but in which a spot has an entry. */
void room_free(struct room *r, void *page, uint64_t nr)
{
    for (uint64_t i = 0; i < nr; i++) {
        uintptr_t va = (uintptr_t)page + i * PAGE_SIZE;
        mfn_t mfn;

        check_or_panic(r, pt_unmap(&r->pt, va, &mfn), "pt_unmap of address", va);
        check_or_panic(r, frame_pool_free(&r->pool, mfn), "frame_pool_free of MFN", mfn.v);
    }
}

struct spot room_spot(struct room *r)
{
    struct spot s = {.va = (uintptr_t)room_alloc(r, 1)};

    check_or_panic(r, pt_unmap(&r->pt, s.va, &s.mfn), "pt_unmap of address", s.va);
    return s;
}

void room_drop(struct room *r, struct spot s)
{
    check_or_panic(r, spot_show(s, INVALID_MFN, 0), "update_va_mapping of address", s.va);
    check_or_panic(r, frame_pool_free(&r->pool, s.mfn), "frame_pool_free of MFN", s.mfn.v);
}

static struct room spot_room;

bool spot_open(struct test *t, struct spot *s)
{
    if (!room_open(&spot_room, t, SPOT_PAGES))
        return false;
    *s = room_spot(&spot_room);
    return true;
}

void spot_close(struct spot s)
{
    room_drop(&spot_room, s);
    room_close(&spot_room);
}

int spot_show(struct spot s, mfn_t mfn, uint64_t flags)
{
    uint64_t pte = flags ? pte_make(mfn, flags) : 0;

    return (int)HYPERVISOR_update_va_mapping(s.va, pte, UVMF_INVLPG);
}

/* Marsaglia's xorshift generator with Vigna's multiplier (xorshift64*). */
uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * 0x2545f4914f6cdd1d;
}

struct mmu_update m2p_update(mfn_t mfn, uint64_t pfn)
{
    return (struct mmu_update){.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = pfn};
}

unsigned int l4_empty_slot(struct domain *d)
{
    unsigned int i = 1;

    while (pt_read(&d->pt, d->pt.root, PT_LEVELS, i))
        i++;
    return i;
}

/*
 * Does @mfn, whose M2P entry is @pfn, belong to another domain? True if PFN @pfn of this domain has
 * no frame, or has another frame whose M2P entry is @pfn too. (A damaged P2M list gives false here;
 * other tests detect that.)
 */
static bool is_elsewhere(const struct domain *d, uint64_t pfn, uint64_t mfn)
{
    mfn_t own = p2m_get_ram(&d->p2m, to_pfn(pfn));

    return mfn_eq(own, INVALID_MFN) || (own.v != mfn && m2p_get(&d->host.m2p, own).v == pfn);
}

mfn_t foreign_frame(const struct domain *d, mfn_t from)
{
    const struct m2p *m2p = &d->host.m2p;
    uint64_t step = m2p->nr / MAX_LOOKS + 1, mfns_per_2m = level_bytes(2) / sizeof(uint64_t), pfn;
    uint64_t nr_holes = 0;

    for (uint64_t mfn = from.v; mfn < m2p->nr; mfn += step) {
        if (probe_read(&m2p->table[mfn], &pfn)) { /* a hole: the M2P has whole 2 MiB pages */
            mfn = ROUND_UP(mfn + 1, mfns_per_2m) - step;
            if (++nr_holes % HOLES_STEP == 0)
                watchdog_kick();
        } else if (pfn < m2p->nr && is_elsewhere(d, pfn, mfn))
            return to_mfn(mfn);
    }
    return INVALID_MFN;
}

mfn_t xen_frame(struct domain *d)
{
    uint64_t pte = pt_read(&d->pt, d->pt.root, PT_LEVELS, pte_index(HYPERVISOR_VIRT_START, 4));

    return pte_present(pte) ? pte_mfn(pte) : INVALID_MFN;
}

bool shim_is_between(struct test *t)
{
    if (!boot_info_is_shim(&t->d->boot))
        return false;
    test_skip(t, "the PV shim, not Xen, handles the hypercalls of this domain");
    return true;
}

void check_frame(struct test *t, long rc, long expected, const char *step, mfn_t mfn)
{
    CHECK_RC(rc, expected, "%s, MFN 0x%lx", step, mfn.v);
}

void check_frame_refused(struct test *t, long rc, const char *step, mfn_t mfn)
{
    CHECK(rc < 0, "%s, MFN 0x%lx: result is %ld, expected a negative errno", step, mfn.v, rc);
}

unsigned int ports_open(evtchn_port_t *highest)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = 1};
    unsigned int nr = 0;
    long rc;

    *highest = 0;
    /* -EINVAL: past the last port that Xen has ever allocated for this domain */
    while (!(rc = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status))) {
        if (status.status != EVTCHNSTAT_closed) {
            *highest = status.port;
            nr++;
        }
        status.port++;
    }
    return rc == -EACCES ? PORTS_UNKNOWN : nr;
}

bool ports_are_used_up(struct test *t, long rc)
{
    evtchn_port_t highest;
    unsigned int nr = rc == -ENOSPC ? ports_open(&highest) : 0;

    if (nr == PORTS_UNKNOWN)
        test_skip(t, "Xen allows this domain no more event channels (ENOSPC); XSM/FLASK denies "
                     "EVTCHNOP_status, which tells how many are open");
    else if (nr && nr == evtchn_count())
        test_skip(t, "Xen allows this domain only %u event channels", highest);
    else
        return false;
    return true;
}

bool ipi_open(struct test *t, evtchn_handler_t handler, void *context, evtchn_port_t *port)
{
    int rc = evtchn_bind_ipi(handler, context, port);

    if (rc && !ports_are_used_up(t, rc))
        test_error(t, "EVTCHNOP_bind_ipi of vCPU 0: result is %d (%s), expected 0", rc,
                   errno_name(rc));
    return rc == 0;
}

void check_e820_entry(struct test *t, const char *map, size_t i, const struct e820_entry *found,
                      const struct e820_entry *expected)
{
    CHECK(!memcmp(found, expected, sizeof(*found)),
          "%s: entry %lu is [0x%lx, +0x%lx) type %u, expected [0x%lx, +0x%lx) type %u", map, i,
          found->addr, found->len_bytes, found->type, expected->addr, expected->len_bytes,
          expected->type);
}
