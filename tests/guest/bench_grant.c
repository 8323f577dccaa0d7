/* SPDX-License-Identifier: MIT */
/*
 * A benchmark, run by bench/grant with bench=grant: what it costs to map a granted page and to
 * unmap it again, here and as it was done before there were windows like ours (Linux's
 * alloc_xenballooned_pages(), until 5.9). There, each foreign page took the place of one of RAM:
 *
 *      here      map, unmap
 *      the old   give a frame back to Xen, P2M entry ~0     decrease_reservation
 *      way       map, P2M entry the foreign frame
 *                unmap, P2M entry ~0
 *                ask Xen for a frame, P2M entry that        populate_physmap
 *
 * Both ways map with the same code at the same addresses; that the old way would have to take each
 * of its frames out of the kernel's own mapping before, and put it back, is not counted. The M2P is
 * Xen's in both. The pages are our own, granted to ourselves: to Xen that is the same work.
 */
#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/cpu.h"

#include "xen/watchdog.h"

#include "tests/guest/foreign_room.h"

#define NR_PAGES   512 /* granted, mapped and unmapped in each round */
#define NR_ROUNDS  4
#define ROOM_PAGES (NR_PAGES + NR_PAGES + 128)

struct bench {
    struct foreign_room s;
    struct foreign_range *r;
    uint32_t refs[NR_PAGES];
    int16_t status[NR_PAGES];
    uint64_t pfns[NR_PAGES];    /* of RAM, for the old way */
    uint64_t extents[NR_PAGES]; /* as Xen takes and gives them */
};

static void map_and_unmap(struct bench *b, uint64_t first, uint64_t nr)
{
    struct test *t = b->s.room.t;

    CHECK(!grant_map(b->r, first, b->refs + first, b->status, nr, false), "a page is not mapped");
    CHECK(!grant_unmap(b->r, first, nr), "a page is not unmapped");
}

static void here(struct bench *b, uint64_t first, uint64_t nr)
{
    map_and_unmap(b, first, nr);
}

static void set_pfn(struct bench *b, uint64_t pfn, mfn_t mfn)
{
    struct test *t = b->s.room.t;

    CHECK(!p2m_set(&t->d->p2m, to_pfn(pfn), mfn), "PFN 0x%lx cannot be set", pfn);
}

static void old_way(struct bench *b, uint64_t first, uint64_t nr)
{
    const struct gnttab_map_grant_ref *ops = b->r->requests;
    struct test *t = b->s.room.t;
    const uint64_t *pfns = b->pfns + first;

    for (uint64_t i = 0; i < nr; i++) {
        b->extents[i] = p2m_get_ram(&t->d->p2m, to_pfn(pfns[i])).v;
        set_pfn(b, pfns[i], INVALID_MFN);
    }
    CHECK(host_release(b->extents, nr) == nr, "Xen does not take %lu frames", nr);
    CHECK(!grant_map(b->r, first, b->refs + first, b->status, nr, false), "a page is not mapped");
    for (uint64_t i = 0; i < nr; i++)
        set_pfn(b, pfns[i], maddr_to_mfn(ops[i].dev_bus_addr));
    CHECK(!grant_unmap(b->r, first, nr), "a page is not unmapped");
    for (uint64_t i = 0; i < nr; i++) {
        set_pfn(b, pfns[i], INVALID_MFN);
        b->extents[i] = pfns[i];
    }
    CHECK(host_populate(b->extents, nr) == nr, "Xen does not give %lu frames", nr);
    for (uint64_t i = 0; i < nr; i++)
        set_pfn(b, pfns[i], to_mfn(b->extents[i]));
}

/* Ticks for a page, by @way in batches of @batch; in tenths. The first round is not counted. */
static uint64_t measure(struct bench *b, void (*way)(struct bench *, uint64_t, uint64_t),
                        uint64_t batch)
{
    uint64_t start = 0;

    for (unsigned int round = 0; round <= NR_ROUNDS; round++) {
        if (round == 1)
            start = tsc();
        for (uint64_t i = 0; i < NR_PAGES; i += batch)
            way(b, i, batch);
    }
    return (tsc() - start) * 10 / (NR_ROUNDS * NR_PAGES);
}

static void print_all(struct bench *b)
{
    static const uint64_t batches[] = {1, 32, 512};

    print("{\"report\":\"bench_grant\",\"version\":%u,\"pages\":%d,\"rounds\":%d,\"batches\":[",
          b->s.room.t->d->grants.version, NR_PAGES, NR_ROUNDS);
    for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
        uint64_t window = measure(b, here, batches[i]), old = measure(b, old_way, batches[i]);

        print("%s{\"batch\":%lu,\"window\":%lu.%lu,\"old\":%lu.%lu}", i ? "," : "", batches[i],
              window / 10, window % 10, old / 10, old % 10);
        watchdog_kick();
    }
    print("]}\n");
}

/* Frames of the room that nobody maps, for the old way to give away: their PFNs. */
static bool cut_frames(struct bench *b)
{
    uint64_t nr = 0;

    fixmap_unmap_all(&b->s.room.t->d->fixmap);
    while (nr < NR_PAGES) {
        struct pfn_run run = frame_pool_alloc_run(&b->s.room.pool, NR_PAGES - nr);

        if (run.start == run.end)
            return false;
        for (uint64_t pfn = run.start; pfn < run.end; pfn++)
            b->pfns[nr++] = pfn;
    }
    return true;
}

BENCH(grant, "ticks to map a granted page and unmap it, in the foreign window and by the balloon")
{
    static struct bench bench;
    struct bench *b = &bench;
    void *pages;

    if (!share_open_maps(&b->s, t, ROOM_PAGES))
        return;
    pages = room_alloc(&b->s.room, NR_PAGES);
    b->r = share_range(&b->s, FOREIGN_GRANT, b->s.self, NR_PAGES);
    for (uint64_t i = 0; i < NR_PAGES; i++)
        b->refs[i] = share_grant(&b->s, (uint8_t *)pages + i * PAGE_SIZE, false);
    if (cut_frames(b))
        print_all(b);
    else
        test_error(t, "no %d frames for the old way", NR_PAGES);
    for (uint64_t i = 0; i < NR_PAGES; i++) {
        share_end(&b->s, b->refs[i]);
        if (b->pfns[i] && frame_pool_add(&b->s.room.pool, b->pfns[i], b->pfns[i] + 1))
            test_fail(t, "PFN 0x%lx cannot be given back", b->pfns[i]);
    }
    share_drop(&b->s, b->r);
    room_free(&b->s.room, pages, NR_PAGES);
    share_close(&b->s);
}
