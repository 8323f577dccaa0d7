/* SPDX-License-Identifier: MIT */
#include "mm/heap.h"

#include "lib/errno.h"
#include "lib/panic.h"
#include "lib/string.h"

void heap_init(struct heap *h, struct pagetable *pt, uint64_t base)
{
    *h = (struct heap){.pt = pt, .next = base};
}

static int map_page(struct heap *h, uint64_t va)
{
    mfn_t mfn;
    int rc = frame_pool_alloc(h->pt->frame_pool, &mfn);

    if (rc)
        return rc;
    rc = pt_map(h->pt, va, mfn, PTE_RW);
    if (!rc)
        return 0;

    int failed = frame_pool_free(h->pt->frame_pool, mfn);

    if (failed)
        panic("heap: cannot return MFN 0x%lx to the frame pool: %d (%s), after mapping it at 0x%lx "
              "failed: %d (%s)",
              mfn.v, failed, errno_name(failed), va, rc, errno_name(rc));
    return rc;
}

/*
 * Frees the page tables for [@start, @end) that are empty, except for the level 1 table of the next
 * address, which the next allocation needs.
 */
static void release_tables(struct heap *h, uint64_t start, uint64_t end)
{
    uint64_t kept = ROUND_DOWN(h->next, level_bytes(2)), kept_end = kept + level_bytes(2);

    pt_drop_tables(h->pt, start, min_u64(end, kept));
    pt_drop_tables(h->pt, max_u64(start, kept_end), end);
}

/* Unmaps [@start, @end), and gives the frames to the pool. */
static void unmap_pages(struct heap *h, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end; va += PAGE_SIZE) {
        mfn_t mfn;

        int rc = pt_unmap(h->pt, va, &mfn);

        if (rc)
            panic("heap: cannot unmap the heap page at 0x%lx: %d (%s)", va, rc, errno_name(rc));
        rc = frame_pool_free(h->pt->frame_pool, mfn);
        if (rc)
            panic("heap: cannot return MFN 0x%lx, unmapped from 0x%lx, to the frame pool: %d (%s)",
                  mfn.v, va, rc, errno_name(rc));
    }
}

void *heap_alloc(struct heap *h, uint64_t len_bytes)
{
    uint64_t base = h->next, len = ROUND_UP(len_bytes, PAGE_SIZE);

    for (uint64_t done = 0; done < len; done += PAGE_SIZE) {
        if (map_page(h, base + done)) {
            unmap_pages(h, base, base + done);
            /* One page more: its tables may have been made before no frame was free. */
            release_tables(h, base, base + done + PAGE_SIZE);
            return NULL;
        }
    }
    h->next += len + PAGE_SIZE; /* the guard */
    return memset((void *)(uintptr_t)base, 0, len);
}

void *heap_map(struct heap *h, mfn_t mfn, uint64_t flags)
{
    uint64_t va = h->next;

    if (pt_map(h->pt, va, mfn, flags))
        return NULL;
    h->next += 2 * PAGE_SIZE; /* the page and its guard */
    return (void *)(uintptr_t)va;
}

int heap_unmap(struct heap *h, void *page, mfn_t *mfn)
{
    uint64_t va = (uintptr_t)page;
    int rc = pt_unmap(h->pt, va, mfn);

    if (!rc)
        release_tables(h, va, va + PAGE_SIZE);
    return rc;
}

void heap_free(struct heap *h, void *page, uint64_t len_bytes)
{
    uint64_t start = (uintptr_t)page;

    if (!page)
        return;
    unmap_pages(h, start, start + len_bytes);
    release_tables(h, start, start + len_bytes);
}
