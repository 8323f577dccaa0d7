/* SPDX-License-Identifier: MIT */
#include "tests/guest/foreign_room.h"

#include "lib/errno.h"
#include "lib/number.h"
#include "lib/panic.h"

#include "arch/x86/probe.h"

#include "xen/xenstore.h"

#define WINDOW_BASE  (FOREIGN_BASE + level_bytes(4) / 2)
#define WINDOW_BYTES level_bytes(3)

/* Addresses left to the kernel's heap: the grant table's records grow there during a test. */
#define HEAP_GAP level_bytes(3)

/* Frames of a struct self_grant: two pages, two range heads, and their page tables. */
#define SELF_GRANT_PAGES 24

/* The number of this domain. xenstore has it, too, if no event channel port is free. */
static domid_t own_number(void)
{
    domid_t self = host_domid();
    struct xs_reply reply;
    uint64_t number;

    if (self == DOMID_INVALID && xenstore_is_connected() && !xs_read(0, "domid", &reply) &&
        number_parse_decimal(reply.data, reply.len_bytes, DOMID_FIRST_RESERVED - 1, &number))
        self = (domid_t)number;
    return self;
}

bool has_grant_table(struct test *t)
{
    if (t->d->grants.table)
        return true;
    test_skip(t, "Xen gives this domain no grant table");
    return false;
}

static void nothing(void *context)
{
    (void)context;
}

/* Can this domain open one more port, as host_domid() does? */
static bool can_open_port(struct test *t)
{
    evtchn_port_t port;

    if (!ipi_open(t, nothing, NULL, &port))
        return false;
    evtchn_close(port);
    return true;
}

/* A frame of the room that a grant entry cannot hold; INVALID_MFN if there is none. */
static mfn_t frame_past_entry(const struct room *r)
{
    struct frame_cursor cursor = {.frame_pool = &r->pool};
    mfn_t mfn;

    while (r->t->d->grants.version == 1 && !frame_pool_next(&cursor, &mfn))
        if (mfn.v > UINT32_MAX)
            return mfn;
    return INVALID_MFN;
}

bool foreign_room_open(struct foreign_room *fr, struct test *t, uint64_t nr_pages)
{
    if (!room_open(&fr->room, t, nr_pages))
        return false;
    heap_init(&fr->room.heap, &fr->room.pt, t->d->heap.next + HEAP_GAP);
    foreign_init(&fr->window, &fr->room.pt, WINDOW_BASE, WINDOW_BYTES);
    fr->self = own_number();
    if (fr->self == DOMID_INVALID && !can_open_port(t)) {
        foreign_room_close(fr);
        return false;
    }
    CHECK(fr->self < DOMID_FIRST_RESERVED, "ID of this domain is 0x%x, expected less than 0x%x",
          fr->self, DOMID_FIRST_RESERVED);
    return true;
}

/* Skips the test if this domain cannot grant each frame of the room. */
static bool can_grant(struct foreign_room *fr)
{
    struct test *t = fr->room.t;
    mfn_t wide;

    if (!has_grant_table(t))
        return false;
    wide = frame_past_entry(&fr->room);
    if (mfn_eq(wide, INVALID_MFN))
        return true;
    test_skip(t, "the grant table has version 1, which cannot hold MFN 0x%lx", wide.v);
    return false;
}

bool foreign_room_open_to_grant(struct foreign_room *fr, struct test *t, uint64_t nr_pages)
{
    if (!foreign_room_open(fr, t, nr_pages))
        return false;
    if (can_grant(fr))
        return true;
    foreign_room_close(fr);
    return false;
}

bool foreign_room_has_maptrack(struct foreign_room *fr)
{
    struct foreign_range *r = foreign_room_range(fr, FOREIGN_GRANT, fr->self, 1);
    void *page = room_alloc(&fr->room, 1);
    uint32_t ref = foreign_room_grant(fr, page, true);
    int16_t status;

    (void)!grant_map(r, 0, &ref, &status, 1, true);
    foreign_room_drop(fr, r);
    if (ref)
        foreign_room_end_grant(fr, ref);
    room_free(&fr->room, page, 1);
    return status != GNTST_no_space;
}

bool foreign_room_maps_grants(struct foreign_room *fr)
{
    struct test *t = fr->room.t;

    if (!can_grant(fr))
        return false;
    if (boot_info_is_shim(&t->d->boot))
        test_skip(t, "the PV shim does not map grants for its guest");
    else if (!foreign_room_has_maptrack(fr))
        test_skip(t, "Xen cannot record a grant mapping (GNTST_no_space)");
    else
        return true;
    return false;
}

bool foreign_room_open_to_map(struct foreign_room *fr, struct test *t, uint64_t nr_pages)
{
    if (!foreign_room_open(fr, t, nr_pages))
        return false;
    if (foreign_room_maps_grants(fr))
        return true;
    foreign_room_close(fr);
    return false;
}

void foreign_room_close(struct foreign_room *fr)
{
    struct test *t = fr->room.t;

    CHECK(!fr->window.first && !fr->window.nr_ranges && !fr->window.nr_frames,
          "after foreign_release of all foreign ranges of self-test %s: %lu ranges and %lu frames "
          "of range records are left, first range %p, expected 0, 0, NULL",
          t->test->name, fr->window.nr_ranges, fr->window.nr_frames, (void *)fr->window.first);
    room_close(&fr->room);
}

struct foreign_range *foreign_room_range(struct foreign_room *fr, enum foreign_kind kind,
                                         domid_t domain, uint64_t nr)
{
    struct foreign_range *r;
    int rc = foreign_reserve(&fr->window, kind, domain, nr, NULL, &r);

    if (rc)
        panic("self-test: foreign_reserve of %lu pages: result is %d (%s), expected 0 (success)",
              nr, rc, errno_name(rc));
    return r;
}

void foreign_room_drop(struct foreign_room *fr, struct foreign_range *r)
{
    struct test *t = fr->room.t;

    uint64_t va = foreign_va(r, 0);

    foreign_room_unmap(fr, r, 0, r->nr);
    CHECK_RC(foreign_release(&fr->window, r), 0, "foreign_release of the foreign range at 0x%lx",
             va);
}

pfn_t foreign_room_pfn(struct foreign_room *fr, const void *page)
{
    return m2p_get(&fr->room.t->d->host.m2p, pt_mfn(&fr->room.pt, (uintptr_t)page));
}

uint32_t foreign_room_grant(struct foreign_room *fr, const void *page, bool readonly)
{
    return foreign_room_grant_pfn(fr, foreign_room_pfn(fr, page), readonly);
}

uint32_t foreign_room_grant_pfn(struct foreign_room *fr, pfn_t pfn, bool readonly)
{
    struct test *t = fr->room.t;
    uint32_t ref = 0;

    CHECK_RC(grant_access(&t->d->grants, fr->self, pfn, readonly, &ref), 0,
             "grant_access to domain %u, PFN 0x%lx", fr->self, pfn.v);
    return ref;
}

void foreign_room_end_grant(struct foreign_room *fr, uint32_t ref)
{
    struct test *t = fr->room.t;

    CHECK_RC(grant_end(&t->d->grants, ref), 0, "grant_end of reference %u, %s", ref, "not mapped");
}

bool foreign_room_map(struct foreign_room *fr, struct foreign_range *r, uint64_t i, uint32_t ref,
                      bool readonly)
{
    struct test *t = fr->room.t;
    int16_t status;
    int rc = grant_map(r, i, &ref, &status, 1, readonly);

    CHECK_RC(rc, 0, "grant_map of reference %u at 0x%lx, %s (Xen's status: %s)", ref,
             foreign_va(r, i), readonly ? "read-only" : "read-write", grant_status_name(status));
    return !rc;
}

void foreign_room_map_fails(struct foreign_room *fr, struct foreign_range *r, uint64_t i,
                            uint32_t ref, int expected)
{
    struct test *t = fr->room.t;
    int16_t status;

    CHECK_RC(grant_map(r, i, &ref, &status, 1, false), expected,
             "grant_map of reference %u at 0x%lx, read-write", ref, foreign_va(r, i));
    CHECK(status != GNTST_okay,
          "grant_map of reference %u at 0x%lx: status is GNTST_okay, expected an error", ref,
          foreign_va(r, i));
}

int foreign_room_map_frames(struct foreign_room *fr, struct foreign_range *r, uint64_t i,
                            const mfn_t *mfns, uint64_t nr, uint64_t flags, int expected)
{
    struct test *t = fr->room.t;
    const char *rights = flags & PTE_W ? "read-write" : "read-only";
    int rc = foreign_map(&fr->window, r, i, mfns, nr, flags);

    if (expected != ANY_ERROR)
        CHECK_RC(rc, expected,
                 "foreign_map, %s, of %lu MFNs of domain 0x%x (at index %lu: MFN 0x%lx)", rights,
                 nr, r->domain, nr / 2, mfns[nr / 2].v);
    else if (rc >= 0)
        test_fail(t,
                  "foreign_map, %s, of %lu MFNs of domain 0x%x (at index %lu: MFN 0x%lx): result "
                  "is %d, expected an error",
                  rights, nr, r->domain, nr / 2, mfns[nr / 2].v, rc);
    return rc;
}

void foreign_room_unmap(struct foreign_room *fr, struct foreign_range *r, uint64_t first,
                        uint64_t nr)
{
    struct test *t = fr->room.t;
    bool is_grant = r->kind == FOREIGN_GRANT;
    int rc = is_grant ? grant_unmap(r, first, nr) : foreign_unmap(&fr->window, r, first, nr);

    CHECK_RC(rc, 0, "%s of %lu pages at 0x%lx", is_grant ? "grant_unmap" : "foreign_unmap", nr,
             foreign_va(r, first));
}

uint64_t *foreign_room_page(const struct foreign_range *r, uint64_t i)
{
    return (uint64_t *)(uintptr_t)foreign_va(r, i);
}

static uint64_t pte_of(struct foreign_room *fr, const struct foreign_range *r, uint64_t i)
{
    return pt_walk(&fr->room.pt, foreign_va(r, i)).pte;
}

void foreign_room_check_pte(struct foreign_room *fr, const struct foreign_range *r, uint64_t i,
                            mfn_t mfn, uint64_t set, uint64_t clear)
{
    struct test *t = fr->room.t;
    uint64_t pte = pte_of(fr, r, i);

    set &= pte_supported;
    CHECK(mfn_eq(pte_mfn(pte), mfn) && (pte & set) == set && !(pte & clear),
          "PTE of address 0x%lx is 0x%lx (MFN 0x%lx), expected MFN 0x%lx with bits 0x%lx set, bits "
          "0x%lx clear",
          foreign_va(r, i), pte, pte_mfn(pte).v, mfn.v, set, clear);
}

void foreign_room_check_word(struct foreign_room *fr, const struct foreign_range *r, uint64_t i,
                             unsigned int w, uint64_t expected)
{
    struct test *t = fr->room.t;

    CHECK_EQ(foreign_room_page(r, i)[w], expected, "word %u of the page mapped at 0x%lx", w,
             foreign_va(r, i));
}

void foreign_room_check_empty(struct foreign_room *fr, const struct foreign_range *r, uint64_t i)
{
    struct test *t = fr->room.t;

    CHECK_EQ(pte_of(fr, r, i), 0, "PTE of address 0x%lx, an unmapped page of a foreign range,",
             foreign_va(r, i));
    CHECK(!foreign_is_mapped(r, i),
          "frame that struct foreign_range records for address 0x%lx is 0x%lx, expected ~0 (not "
          "mapped)",
          foreign_va(r, i), r->page[i].frame);
}

void foreign_room_check_fault(struct foreign_room *fr, const uint64_t *at, const char *what)
{
    struct test *t = fr->room.t;
    uint64_t value;

    CHECK_RC(probe_read(at, &value), -EFAULT, "read of %s at %p", what, (const void *)at);
}

bool self_grant_open(struct self_grant *g, struct test *t, uint64_t nr)
{
    if (!foreign_room_open_to_map(&g->fr, t, SELF_GRANT_PAGES))
        return false;
    g->page = room_alloc(&g->fr.room, 1);
    g->r = foreign_room_range(&g->fr, FOREIGN_GRANT, g->fr.self, nr);
    g->ref = foreign_room_grant(&g->fr, g->page, false);
    return true;
}

void self_grant_close(struct self_grant *g)
{
    foreign_room_drop(&g->fr, g->r);
    if (g->ref)
        foreign_room_end_grant(&g->fr, g->ref);
    room_free(&g->fr.room, g->page, 1);
    foreign_room_close(&g->fr);
}
