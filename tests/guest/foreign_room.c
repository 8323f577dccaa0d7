/* SPDX-License-Identifier: MIT */
#include "tests/guest/foreign_room.h"

#include "lib/errno.h"
#include "lib/panic.h"

#define WINDOW_BASE  (FOREIGN_BASE + level_bytes(4) / 2)
#define WINDOW_BYTES level_bytes(3)

/* Addresses for the kernel's heap, from which the grant table's book grows meanwhile. */
#define HEAP_GAP level_bytes(3)

bool share_open(struct foreign_room *s, struct test *t, uint64_t nr_pages)
{
    if (!t->d->grants.table) {
        test_skip(t, "this Xen has no grant table for us");
        return false;
    }
    if (!room_open(&s->room, t, nr_pages))
        return false;
    heap_init(&s->room.heap, &s->room.pt, t->d->heap.next + HEAP_GAP);
    foreign_init(&s->window, &s->room.pt, WINDOW_BASE, WINDOW_BYTES);
    s->self = host_domid();
    CHECK(s->self < DOMID_FIRST_RESERVED, "our domain's number is %u, which is none", s->self);
    return true;
}

bool share_open_maps(struct foreign_room *s, struct test *t, uint64_t nr_pages)
{
    if (boot_info_is_shim(&t->d->boot)) {
        test_skip(t, "the PV shim maps no grants for its guest");
        return false;
    }
    return share_open(s, t, nr_pages);
}

void share_close(struct foreign_room *s)
{
    struct test *t = s->room.t;

    CHECK(!s->window.first && !s->window.nr_ranges && !s->window.nr_frames,
          "%lu ranges of %lu frames are left in the window", s->window.nr_ranges,
          s->window.nr_frames);
    room_close(&s->room);
}

struct foreign_range *share_range(struct foreign_room *s, enum foreign_kind kind, domid_t domain,
                                  uint64_t nr)
{
    struct foreign_range *r;
    int rc = foreign_reserve(&s->window, kind, domain, nr, NULL, &r);

    if (rc)
        panic("a test's range of %lu pages cannot be reserved: %d (%s)", nr, rc, errno_name(rc));
    return r;
}

void share_drop(struct foreign_room *s, struct foreign_range *r)
{
    struct test *t = s->room.t;
    int rc = r->kind == FOREIGN_GRANT ? grant_unmap(r, 0, r->nr)
                                      : foreign_unmap(&s->window, r, 0, r->nr);

    CHECK(!rc, "a range of %lu pages cannot be unmapped: %d (%s)", r->nr, rc, errno_name(rc));
    rc = foreign_release(&s->window, r);
    CHECK(!rc, "a range cannot be released: %d (%s)", rc, errno_name(rc));
}

pfn_t share_pfn(struct foreign_room *s, const void *page)
{
    return m2p_get(&s->room.t->d->host.m2p, pt_mfn(&s->room.pt, (uintptr_t)page));
}

uint32_t share_grant(struct foreign_room *s, const void *page, bool readonly)
{
    struct test *t = s->room.t;
    uint32_t ref = 0;
    int rc = grant_access(&t->d->grants, s->self, share_pfn(s, page), readonly, &ref);

    CHECK(!rc, "a page cannot be granted to ourselves, domain %u: %d (%s)", s->self, rc,
          errno_name(rc));
    return ref;
}

void share_end(struct foreign_room *s, uint32_t ref)
{
    struct test *t = s->room.t;
    int rc = grant_end(&t->d->grants, ref);

    CHECK(!rc, "grant %u cannot be ended: %d (%s)", ref, rc, errno_name(rc));
}

uint64_t *share_page(const struct foreign_range *r, uint64_t i)
{
    return (uint64_t *)(uintptr_t)foreign_va(r, i);
}

uint64_t share_pte(struct foreign_room *s, const struct foreign_range *r, uint64_t i)
{
    return pt_walk(&s->room.pt, foreign_va(r, i)).pte;
}

void share_check_empty(struct foreign_room *s, const struct foreign_range *r, uint64_t i)
{
    struct test *t = s->room.t;
    uint64_t pte = share_pte(s, r, i);

    CHECK(!pte, "the entry of page %lu is %016lx, expected 0", i, pte);
    CHECK(!foreign_is_mapped(r, i), "page %lu is mapped by the books", i);
}
