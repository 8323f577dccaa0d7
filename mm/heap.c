/* SPDX-License-Identifier: MIT */
#include "mm/heap.h"

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
    if (rc && frame_pool_free(h->pt->frame_pool, mfn))
        panic("frame 0x%lx can neither be mapped nor be given back", mfn.v);
    return rc;
}

void *heap_alloc(struct heap *h, uint64_t len_bytes)
{
    uint64_t base = h->next, len = ROUND_UP(len_bytes, PAGE_SIZE);

    for (uint64_t done = 0; done < len; done += PAGE_SIZE) {
        if (map_page(h, base + done)) {
            heap_free(h, (void *)(uintptr_t)base, done);
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

void heap_free(struct heap *h, void *page, uint64_t len_bytes)
{
    for (uint64_t done = 0; page && done < len_bytes; done += PAGE_SIZE) {
        uint64_t va = (uintptr_t)page + done;
        mfn_t mfn;

        if (pt_unmap(h->pt, va, &mfn) || frame_pool_free(h->pt->frame_pool, mfn))
            panic("heap page 0x%lx cannot be given back: not mapped, or free already", va);
    }
}
