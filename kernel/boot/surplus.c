/* SPDX-License-Identifier: MIT */
#include "kernel/boot/surplus.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "mm/mmu_batch.h"

#include "kernel/progress.h"

/*
 * Gives the frame of @pfn, which is in use, a free PFN below @end. The frame of that PFN gets the
 * P2M entry of @pfn, by which it goes to Xen.
 */
static int exchange(struct domain *d, uint64_t pfn, uint64_t end)
{
    struct pfn_run to = pfn_runs_find(&d->frame_pool.free, 0, end);
    uint64_t *list = d->p2m.list, used = list[pfn];
    struct mmu_update update = {mfn_to_maddr(to_mfn(used)) | MMU_MACHPHYS_UPDATE, to.start};
    int rc =
        to.start == to.end ? -ENOMEM : frame_pool_exclude(&d->frame_pool, to.start, to.start + 1);

    if (rc)
        return rc;
    list[pfn] = list[to.start];
    list[to.start] = used;
    return (int)HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF);
}

/*
 * Makes the frames of the PFNs [@start, @end) free, and removes them from the pool. The heap has
 * taken some from the end. A page table holds MFNs, so a frame in use may get another PFN.
 */
static int free_tail(struct domain *d, uint64_t start, uint64_t end)
{
    uint64_t pfn = start;
    int rc = 0;

    while (!rc && pfn < end) {
        struct pfn_run free = pfn_runs_find(&d->frame_pool.free, pfn, end);

        if (pfn == free.start) {
            rc = frame_pool_exclude(&d->frame_pool, pfn, free.end);
            pfn = free.end;
        } else {
            rc = exchange(d, pfn++, start);
        }
    }
    return rc;
}

/* Gives the frames of the PFNs [@start, @end) to Xen. Returns the number that Xen took. */
static uint64_t release(const struct domain *d, uint64_t start, uint64_t end)
{
    static uint64_t mfns[MMU_BATCH];
    struct progress progress;
    uint64_t nr_released = 0;

    progress_start(&progress, "plan", "pages", end - start);
    for (uint64_t pfn = start, nr; pfn < end; pfn += nr) {
        nr = min_u64(end - pfn, MMU_BATCH);
        for (uint64_t i = 0; i < nr; i++)
            mfns[i] = p2m_get_ram(&d->p2m, to_pfn(pfn + i)).v;
        nr_released += host_release(mfns, nr);
        progress_at(&progress, nr_released);
    }
    return nr_released;
}

int surplus_release(struct domain *d)
{
    const struct boot_info *b = &d->boot;
    uint64_t nr_pages = b->nr_pages, room = ranges_count(&d->p2m.ranges, RANGE_RAM, UINT64_MAX);
    uint64_t ramdisk_end = b->ramdisk_pfn + boot_info_ramdisk_pages(b), nr_released;
    int rc;

    if (room >= nr_pages)
        return 0;
    /* these are known by PFN */
    rc = max_u64(ramdisk_end, b->list_pfn + b->nr_list_pfns) > room ? -ENOMEM
                                                                    : free_tail(d, room, nr_pages);
    if (rc) {
        printk(LOG_ERROR,
               "plan: the E820 map has 0x%lx pages of RAM, too few for nr_pages 0x%lx: %d (%s)\n",
               room, nr_pages, rc, errno_name(rc));
        return rc;
    }
    nr_released = release(d, room, nr_pages);
    d->boot.nr_pages = room;
    printk(LOG_WARN,
           "plan: %lu of %lu pages of this domain have no PFN in the RAM of the E820 map; %lu of "
           "these pages were given to Xen\n",
           nr_pages - room, nr_pages, nr_released);
    return 0;
}
