/* SPDX-License-Identifier: MIT */
#include "tests/guest/grants/grant_steps.h"

#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "xen/host.h"

/*
 * Is Xen a debug build? Such a Xen sets a software bit of its own in the PTE of a grant
 * (_PAGE_GNTTAB in asm/x86_64/page.h).
 */
#define PTE_GNTTAB ((uint64_t)1 << 62)

bool grant_xen_is_debug(struct grant_room *g)
{
    struct spot at = room_spot(&g->fr.room);
    struct grant_mapping m = {
        .addr = at.va, .flags = GNTMAP_host_map | GNTMAP_readonly, .ref = GRANT_FIRST};
    uint64_t pte = 0;

    grant_give(g, GRANT_FIRST, at.mfn, true);
    if (grant_must_map(g, &m, "a valid grant")) {
        pte = grant_pte(g, at.va);
        grant_must_unmap(g, &m, "a valid mapping");
    }
    grant_drop(g, at);
    return pte & PTE_GNTTAB;
}

void grant_room_each(struct test *t, uint64_t nr_pages, void (*check)(struct grant_room *g))
{
    static struct grant_room g;

    if (!grant_room_open(&g, t, nr_pages))
        return;
    g.first = true;
    g.more = !grant_xen_is_debug(&g);
    for (unsigned int version = 1; version <= 2; version++) {
        if (!grant_room_use(&g, version))
            continue;
        check(&g);
        g.first = g.more = false;
    }
    grant_room_close(&g);
}

int16_t grant_map_from(struct grant_room *g, struct grant_mapping *m, domid_t domain)
{
    struct test *t = g->fr.room.t;
    struct gnttab_map_grant_ref op = {
        .host_addr = m->addr,
        .flags = m->flags,
        .ref = m->ref,
        .dom = domain,
        .status = NO_STATUS,
    };

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0,
             "GNTTABOP_map_grant_ref of reference %u at 0x%lx, flags 0x%x", m->ref, m->addr,
             m->flags);
    m->handle = op.handle;
    m->bus = op.dev_bus_addr;
    return op.status;
}

int16_t grant_map_at(struct grant_room *g, struct grant_mapping *m)
{
    return grant_map_from(g, m, g->fr.self);
}

int16_t grant_unmap_at(struct grant_room *g, uint64_t addr, uint64_t bus, grant_handle_t handle)
{
    struct test *t = g->fr.room.t;
    struct gnttab_unmap_grant_ref op = {
        .host_addr = addr,
        .dev_bus_addr = bus,
        .handle = handle,
        .status = NO_STATUS,
    };

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0,
             "GNTTABOP_unmap_grant_ref at 0x%lx, bus address 0x%lx, handle 0x%x", addr, bus,
             handle);
    return op.status;
}

/* The bus address is for a device mapping only: 0 leaves a device mapping in place. */
static int16_t unmap_mapping(struct grant_room *g, const struct grant_mapping *m)
{
    return grant_unmap_at(g, m->addr, m->flags & GNTMAP_device_map ? m->bus : 0, m->handle);
}

bool grant_must_map(struct grant_room *g, struct grant_mapping *m, const char *what)
{
    struct test *t = g->fr.room.t;
    int16_t status = grant_map_at(g, m);

    CHECK_GNTST(status, GNTST_okay,
                "GNTTABOP_map_grant_ref, %s: reference %u at 0x%lx, flags 0x%x, table version %u",
                what, m->ref, m->addr, m->flags, g->version);
    return status == GNTST_okay;
}

void grant_must_refuse(struct grant_room *g, struct grant_mapping *m, int16_t status,
                       const char *what)
{
    struct test *t = g->fr.room.t;
    int16_t found = grant_map_at(g, m);

    CHECK_GNTST(found, status,
                "GNTTABOP_map_grant_ref, %s: reference %u at 0x%lx, flags 0x%x, table version %u",
                what, m->ref, m->addr, m->flags, g->version);
    if (found == GNTST_okay)
        (void)unmap_mapping(g, m);
}

void grant_must_unmap(struct grant_room *g, const struct grant_mapping *m, const char *what)
{
    struct test *t = g->fr.room.t;

    CHECK_GNTST(unmap_mapping(g, m), GNTST_okay,
                "GNTTABOP_unmap_grant_ref, %s: handle 0x%x at 0x%lx, flags of the mapping 0x%x, "
                "table version %u",
                what, m->handle, m->addr, m->flags, g->version);
}

/* GNTTABOP_copy of 8 bytes between a frame of this domain, by its number, and a grant. */
static int16_t copy_8(struct grant_room *g, struct gnttab_copy op)
{
    struct test *t = g->fr.room.t;

    op.len = 8;
    op.status = NO_STATUS;
    CHECK_RC(grant_copy(&op, 1), 0, "GNTTABOP_copy of 8 bytes, flags 0x%x", op.flags);
    return op.status;
}

int16_t grant_copy_to(struct grant_room *g, mfn_t from, uint32_t ref)
{
    return copy_8(g, (struct gnttab_copy){
                         .source = {.u.gmfn = from.v, .domid = DOMID_SELF},
                         .dest = {.u.ref = ref,     .domid = g->fr.self},
                         .flags = GNTCOPY_dest_gref,
    });
}

int16_t grant_copy_from(struct grant_room *g, uint32_t ref, mfn_t to)
{
    return copy_8(g, (struct gnttab_copy){
                         .source = {.u.ref = ref,   .domid = g->fr.self},
                         .dest = {.u.gmfn = to.v, .domid = DOMID_SELF},
                         .flags = GNTCOPY_source_gref,
    });
}

struct gnttab_query_size grant_query_size(struct test *t, domid_t domain, int16_t expected)
{
    struct gnttab_query_size q = {.dom = domain, .status = NO_STATUS};

    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_query_size, &q, 1), 0,
             "GNTTABOP_query_size of domain 0x%x", domain);
    CHECK_GNTST(q.status, expected, "GNTTABOP_query_size of domain 0x%x", domain);
    return q;
}

uint32_t grant_end_of_table(struct grant_room *g)
{
    uint32_t nr_frames = grant_query_size(g->fr.room.t, DOMID_SELF, GNTST_okay).nr_frames;

    return nr_frames * (uint32_t)(PAGE_SIZE / (g->version == 1 ? sizeof(grant_entry_v1_t)
                                                               : sizeof(grant_entry_v2_t)));
}

uint64_t grant_pte(struct grant_room *g, uint64_t va)
{
    return pt_walk(&g->fr.room.pt, va).pte;
}

uint64_t grant_pte_maddr(struct grant_room *g, uint64_t va)
{
    struct pt_entry e = pt_walk(&g->fr.room.pt, va);

    return mfn_to_maddr(e.table) + e.index * sizeof(e.pte);
}

void grant_check_no_pte(struct grant_room *g, uint64_t va, const char *when)
{
    struct test *t = g->fr.room.t;

    CHECK_EQ(grant_pte(g, va), 0, "%s, table version %u: PTE of address 0x%lx", when, g->version,
             va);
}

bool grant_check_untyped(struct grant_room *g, mfn_t mfn, const char *when)
{
    struct test *t = g->fr.room.t;
    int rc = pt_pin(mfn, 1);

    CHECK_RC(rc, 0, "%s: pin as L1 of MFN 0x%lx, which no mapping has writable now", when, mfn.v);
    if (!rc)
        CHECK_RC(pt_unpin(mfn), 0, "%s: unpin of MFN 0x%lx", when, mfn.v);
    return rc == 0;
}

void *grant_page(struct grant_room *g, struct spot *s)
{
    struct test *t = g->fr.room.t;

    *s = room_spot(&g->fr.room);
    CHECK_RC(spot_show(*s, s->mfn, PTE_RW), 0, "update_va_mapping of 0x%lx, writable", s->va);
    return (void *)s->va;
}

void grant_page_drop(struct grant_room *g, struct spot s)
{
    memset((void *)s.va, 0, PAGE_SIZE);
    grant_drop(g, s);
}

void grant_drop(struct grant_room *g, struct spot s)
{
    struct test *t = g->fr.room.t;

    CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", s.va);
    if (grant_check_untyped(g, s.mfn, "at the end of the test"))
        room_drop(&g->fr.room, s);
}

struct granted granted_open(struct grant_room *g, uint32_t ref, uint32_t flags)
{
    struct room *r = &g->fr.room;
    struct granted a = {.g = g, .frame = room_spot(r), .at = room_spot(r), .other = room_spot(r)};

    a.m = (struct grant_mapping){.addr = a.at.va, .flags = flags, .ref = ref};
    if (flags & GNTMAP_contains_pte)
        a.m.addr = grant_pte_maddr(g, a.at.va);
    grant_give(g, ref, a.frame.mfn, false);
    return a;
}

void granted_close(struct granted *a)
{
    grant_check_no_pte(a->g, a->at.va, "no grant mapped");
    grant_check_marks(a->g, a->m.ref, 0, "no grant mapped");
    grant_drop(a->g, a->other);
    grant_drop(a->g, a->at);
    grant_drop(a->g, a->frame);
}

bool grant_refill(struct test *t, uint64_t pfn, mfn_t *mfn)
{
    uint64_t extent = pfn;
    uint64_t got = host_populate(&extent, 1);
    void *page;

    CHECK_EQ(got, 1, "extents done by XENMEM_populate_physmap of PFN 0x%lx, which has no frame,",
             pfn);
    if (!got) {
        t->d->balloon.nr_pages--;
        (void)!pfn_runs_add(&t->d->balloon.empty, pfn, pfn + 1);
        return false;
    }
    *mfn = to_mfn(extent);
    page = fixmap_map(&t->d->fixmap, FIXMAP_SCRATCH, *mfn, PTE_RW);
    CHECK(
        page,
        "fixmap_map of MFN 0x%lx, which XENMEM_populate_physmap returned: result is NULL, expected "
        "an address",
        mfn->v);
    if (page)
        memset(page, 0, PAGE_SIZE);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
    CHECK_RC(p2m_set(&t->d->p2m, to_pfn(pfn), *mfn), 0, "p2m_set of PFN 0x%lx", pfn);
    return true;
}
