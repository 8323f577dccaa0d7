/* SPDX-License-Identifier: MIT */
#include "mm/foreign.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

void foreign_init(struct foreign_window *w, struct pagetable *pt, uint64_t base, uint64_t len_bytes)
{
    *w = (struct foreign_window){.pt = pt, .base = base, .end = base + len_bytes};
}

const struct foreign_range *foreign_find(const struct foreign_window *w, uint64_t va, uint64_t *i)
{
    for (const struct foreign_range *r = w->first; r; r = r->next) {
        *i = (va - r->pages) / PAGE_SIZE;
        if (va >= r->pages && *i < r->nr)
            return r;
    }
    return NULL;
}

/* The layout of a range of @nr pages: requests in its buffer, bytes of its head, all bytes. */
static uint64_t nr_requests(uint64_t nr)
{
    return min_u64(nr, FOREIGN_BATCH);
}

static uint64_t head_bytes(uint64_t nr)
{
    return ROUND_UP(sizeof(struct foreign_range) + nr * sizeof(union foreign_page) +
                        nr_requests(nr) * FOREIGN_REQUEST_BYTES,
                    PAGE_SIZE);
}

static uint64_t range_bytes(uint64_t nr)
{
    return head_bytes(nr) + PAGE_SIZE + nr * PAGE_SIZE + PAGE_SIZE;
}

/* The link to insert a range of @len_bytes at, and its address in *@start; NULL: no gap fits. */
static struct foreign_range **find_gap(struct foreign_window *w, uint64_t len_bytes,
                                       uint64_t *start)
{
    struct foreign_range **link = &w->first;

    *start = w->base;
    for (; *link; link = &(*link)->next) {
        if ((*link)->start - *start >= len_bytes)
            return link;
        *start = (*link)->end;
    }
    return w->end - *start >= len_bytes ? link : NULL;
}

/*
 * Frees the tables of a range that was removed from the list. A table that the range below also
 * needs stays, even if it is empty at the moment. A table that the range above also needs is not
 * empty: it maps the head of that range.
 */
static void drop_tables(struct foreign_window *w, uint64_t start, uint64_t end)
{
    for (const struct foreign_range *r = w->first; r && r->end <= start; r = r->next)
        start = max_u64(start, ROUND_UP(r->end, level_bytes(2)));
    pt_drop_tables(w->pt, start, end);
}

/* Unmaps and frees the first @len_bytes of a head, and frees the tables of the range. */
static void unmake(struct foreign_window *w, uint64_t start, uint64_t len_bytes, uint64_t end)
{
    for (uint64_t va = start; va < start + len_bytes; va += PAGE_SIZE) {
        mfn_t mfn;

        int unmapped = pt_unmap(w->pt, va, &mfn);
        int rc = unmapped ? unmapped : frame_pool_free(w->pt->frame_pool, mfn);

        if (rc)
            panic("foreign mappings: cannot %s the descriptor page at 0x%lx of the foreign range "
                  "[0x%lx, 0x%lx): %d (%s)",
                  unmapped ? "unmap" : "free", va, start, end, rc, errno_name(rc));
        w->nr_frames--;
    }
    drop_tables(w, start, end);
}

/* Maps the head of a range and makes the tables of the whole range. */
static int make(struct foreign_window *w, uint64_t start, uint64_t len_bytes, uint64_t end)
{
    uint64_t done = 0;
    int rc = 0;

    for (; !rc && done < len_bytes; done += rc ? 0 : PAGE_SIZE) {
        mfn_t mfn;

        rc = frame_pool_alloc(w->pt->frame_pool, &mfn);
        if (rc)
            break;
        rc = pt_map(w->pt, start + done, mfn, PTE_RW);
        int failed = rc ? frame_pool_free(w->pt->frame_pool, mfn) : 0;

        if (failed)
            panic("foreign mappings: cannot return MFN 0x%lx to the frame pool: %d (%s); the "
                  "mapping of this MFN as a page of range descriptors at 0x%lx had failed: %d (%s)",
                  mfn.v, failed, errno_name(failed), start + done, rc, errno_name(rc));
        w->nr_frames += rc == 0;
    }
    if (!rc)
        rc = pt_make_tables(w->pt, start + len_bytes, end);
    if (rc)
        unmake(w, start, done, end);
    return rc;
}

int foreign_reserve(struct foreign_window *w, enum foreign_kind kind, domid_t domain, uint64_t nr,
                    const struct foreign_owner *owner, struct foreign_range **range)
{
    struct foreign_range **link, *r;
    uint64_t start, head;
    int rc;

    if (!nr || nr > (w->end - w->base) / PAGE_SIZE)
        return -ENOSPC;
    link = find_gap(w, range_bytes(nr), &start);
    if (!link)
        return -ENOSPC;
    head = head_bytes(nr);
    rc = make(w, start, head, start + range_bytes(nr));
    if (rc)
        return rc;
    r = (struct foreign_range *)(uintptr_t)start;
    memset(r->page, 0xff, nr * sizeof(r->page[0]));
    *r = (struct foreign_range){
        .next = *link,
        .start = start,
        .end = start + range_bytes(nr),
        .pages = start + head + PAGE_SIZE,
        .nr = nr,
        .kind = kind,
        .domain = domain,
        .owner = owner,
        .requests = &r->page[nr],
        .nr_requests = nr_requests(nr),
    };
    *link = r;
    w->nr_ranges++;
    *range = r;
    return 0;
}

int foreign_release(struct foreign_window *w, struct foreign_range *r)
{
    struct foreign_range **link = &w->first;
    uint64_t start = r->start, end = r->end, nr = r->nr;

    if (r->nr_mapped)
        return -EBUSY;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    w->nr_ranges--;
    unmake(w, start, head_bytes(nr), end);
    return 0;
}

/* Writes the first @n queued level 1 entries. *@done is the number of entries that Xen wrote. */
static int carry_out(struct foreign_range *r, uint64_t n, domid_t domain, unsigned int *done)
{
    *done = 0;
    return (int)HYPERVISOR_mmu_update(r->requests, (unsigned int)n, done, domain);
}

/* Makes request @n write @pte to the level 1 entry of page @i. */
static void queue(struct foreign_window *w, struct foreign_range *r, uint64_t n, uint64_t i,
                  uint64_t pte)
{
    struct pt_entry e = pt_walk(w->pt, foreign_va(r, i));
    struct mmu_update *req = (struct mmu_update *)r->requests + n;

    req->ptr = (mfn_to_maddr(e.table) + e.index * sizeof(uint64_t)) | MMU_NORMAL_PT_UPDATE;
    req->val = pte;
}

static int map_batch(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                     const mfn_t *mfns, uint64_t nr, uint64_t flags)
{
    unsigned int done;
    int rc;

    for (uint64_t i = 0; i < nr; i++)
        queue(w, r, i, first + i, pte_make(mfns[i], flags));
    rc = carry_out(r, nr, r->domain, &done);
    for (uint64_t i = 0; i < min_u64(done, nr); i++)
        r->page[first + i].frame = mfns[i].v;
    r->nr_mapped += min_u64(done, nr);
    return rc;
}

int foreign_map(struct foreign_window *w, struct foreign_range *r, uint64_t first,
                const mfn_t *mfns, uint64_t nr, uint64_t flags)
{
    int rc = 0;

    if (first > r->nr || nr > r->nr - first)
        return -ERANGE;
    for (uint64_t i = 0; i < nr; i++) {
        if (foreign_is_mapped(r, first + i))
            return -EEXIST;
        if (!mfn_valid(mfns[i]))
            return -EINVAL;
    }
    flags |= PTE_NX; /* This kernel never executes foreign pages. */
    if (r->kind == FOREIGN_MACHINE)
        flags |= PTE_UC;
    for (uint64_t done = 0, n; !rc && done < nr; done += n) {
        n = min_u64(nr - done, r->nr_requests);
        rc = map_batch(w, r, first + done, mfns + done, n, flags);
    }
    if (rc && foreign_unmap(w, r, first, nr))
        panic("foreign mappings: cannot unmap %lu pages from 0x%lx after mapping them failed: %d "
              "(%s)",
              nr, foreign_va(r, first), rc, errno_name(rc));
    return rc;
}

int foreign_unmap(struct foreign_window *w, struct foreign_range *r, uint64_t first, uint64_t nr)
{
    uint64_t i = first, end = first + nr;
    int rc = 0;

    if (first > r->nr || nr > r->nr - first)
        return -ERANGE;
    while (!rc && i < end) {
        uint64_t from = i, n = 0;
        unsigned int done = 0;

        for (; i < end && n < r->nr_requests; i++)
            if (foreign_is_mapped(r, i))
                queue(w, r, n++, i, 0);
        rc = n ? carry_out(r, n, DOMID_SELF, &done) : 0;
        r->nr_mapped -= done;
        for (uint64_t k = from; done; k++) {
            done -= foreign_is_mapped(r, k);
            r->page[k].frame = FOREIGN_NOTHING;
        }
    }
    pt_flush();
    return rc;
}

static int take_down(struct foreign_range *r)
{
    int rc;

    if (!r->owner)
        return r->nr_mapped ? -EBUSY : 0;
    rc = r->owner->unmap(r, r->owner->context);
    r->is_down = rc == 0;
    return rc;
}

int foreign_suspend(struct foreign_window *w, const struct foreign_range **who)
{
    for (struct foreign_range *r = w->first; r; r = r->next) {
        int rc = take_down(r);

        if (!rc)
            continue;
        *who = r;
        /* A range that fails here stays unmapped: its granter may have ended a grant meanwhile. */
        (void)foreign_resume(w, false);
        return rc;
    }
    return 0;
}

unsigned int foreign_resume(struct foreign_window *w, bool new_domain)
{
    unsigned int nr_failed = 0;

    for (struct foreign_range *r = w->first; r; r = r->next) {
        if (r->is_down && r->owner->remap(r, r->owner->context, new_domain))
            nr_failed++;
        r->is_down = false;
    }
    return nr_failed;
}
