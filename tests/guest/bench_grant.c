/* SPDX-License-Identifier: MIT */
/*
 * Benchmark, run by bench/grant with bench=grant: the ticks to map a granted page and to unmap it
 * again, by two methods.
 *
 *      window    map, unmap
 *
 *      old       give a frame back to Xen, P2M entry ~0     XENMEM_decrease_reservation
 *                map, P2M entry = the foreign frame
 *                unmap, P2M entry ~0
 *                ask Xen for a frame, P2M entry = its MFN   XENMEM_populate_physmap
 *
 * "window" is the foreign window (mm/foreign.h). "old" is what Linux did until 5.9
 * (alloc_xenballooned_pages()): each foreign page takes the place of a page of RAM.
 *
 * Both methods map with the same code, at the same addresses. Not measured: the old method must
 * also unmap each RAM page from the kernel mapping first, and map it again afterwards. Xen keeps
 * the M2P in both. The pages are granted to this domain itself, which is the same work for Xen.
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
    struct foreign_room fr;
    struct foreign_range *r;
    uint32_t refs[NR_PAGES];
    int16_t status[NR_PAGES];
    uint64_t pfns[NR_PAGES];    /* RAM PFNs, for the old method */
    uint64_t extents[NR_PAGES]; /* MFNs or PFNs, as the memory_op hypercalls take them */
};

/* Maps or unmaps pages [@first, @first + @nr) of the range. Only a failure costs more. */
static void map(struct bench *b, uint64_t first, uint64_t nr)
{
    struct test *t = b->fr.room.t;
    int rc = grant_map(b->r, first, b->refs + first, b->status, nr, false);

    if (rc)
        CHECK_RC(rc, 0, "%s of pages [%lu, %lu) of the benchmark's foreign range", "grant_map",
                 first, first + nr);
}

static void unmap(struct bench *b, uint64_t first, uint64_t nr)
{
    struct test *t = b->fr.room.t;
    int rc = grant_unmap(b->r, first, nr);

    if (rc)
        CHECK_RC(rc, 0, "%s of pages [%lu, %lu) of the benchmark's foreign range", "grant_unmap",
                 first, first + nr);
}

static void by_window(struct bench *b, uint64_t first, uint64_t nr)
{
    map(b, first, nr);
    unmap(b, first, nr);
}

static void set_pfn(struct bench *b, uint64_t pfn, mfn_t mfn)
{
    struct test *t = b->fr.room.t;
    int rc = p2m_set(&t->d->p2m, to_pfn(pfn), mfn);

    if (rc)
        CHECK_RC(rc, 0, "p2m_set of PFN 0x%lx to MFN 0x%lx", pfn, mfn.v);
}

static void by_old_method(struct bench *b, uint64_t first, uint64_t nr)
{
    const struct gnttab_map_grant_ref *ops = b->r->requests;
    struct test *t = b->fr.room.t;
    const uint64_t *pfns = b->pfns + first;
    uint64_t done;

    for (uint64_t i = 0; i < nr; i++) {
        b->extents[i] = p2m_get_ram(&t->d->p2m, to_pfn(pfns[i])).v;
        set_pfn(b, pfns[i], INVALID_MFN);
    }
    done = host_release(b->extents, nr);
    CHECK(done == nr, "XENMEM_decrease_reservation took %lu frames, expected %lu", done, nr);
    map(b, first, nr);
    for (uint64_t i = 0; i < nr; i++)
        set_pfn(b, pfns[i], maddr_to_mfn(ops[i].dev_bus_addr));
    unmap(b, first, nr);
    for (uint64_t i = 0; i < nr; i++) {
        set_pfn(b, pfns[i], INVALID_MFN);
        b->extents[i] = pfns[i];
    }
    done = host_populate(b->extents, nr);
    CHECK(done == nr, "XENMEM_populate_physmap gave %lu frames, expected %lu", done, nr);
    for (uint64_t i = 0; i < nr; i++)
        set_pfn(b, pfns[i], to_mfn(b->extents[i]));
}

/* Tenths of ticks for a page, by @method in batches of @batch. The first round is not measured. */
static uint64_t measure(struct bench *b, void (*method)(struct bench *, uint64_t, uint64_t),
                        uint64_t batch)
{
    uint64_t start = 0;

    for (unsigned int round = 0; round <= NR_ROUNDS; round++) {
        if (round == 1)
            start = tsc();
        for (uint64_t i = 0; i < NR_PAGES; i += batch)
            method(b, i, batch);
    }
    return (tsc() - start) * 10 / (NR_ROUNDS * NR_PAGES);
}

/* Prints after the last measurement, so that no diagnostic comes in the middle of the line. */
static void measure_all(struct bench *b)
{
    static const uint64_t batches[] = {1, 32, 512};
    uint64_t window[ARRAY_SIZE(batches)], old[ARRAY_SIZE(batches)];

    for (size_t i = 0; i < ARRAY_SIZE(batches); i++) {
        window[i] = measure(b, by_window, batches[i]);
        old[i] = measure(b, by_old_method, batches[i]);
        watchdog_kick();
    }
    print("{\"report\":\"bench_grant\",\"version\":%u,\"pages\":%d,\"rounds\":%d,\"batches\":[",
          b->fr.room.t->d->grants.version, NR_PAGES, NR_ROUNDS);
    for (size_t i = 0; i < ARRAY_SIZE(batches); i++)
        print("%s{\"batch\":%lu,\"window\":%lu.%lu,\"old\":%lu.%lu}", i ? "," : "", batches[i],
              window[i] / 10, window[i] % 10, old[i] / 10, old[i] % 10);
    print("]}\n");
}

/* Takes frames of the room that are mapped nowhere, for the old method to give to Xen. */
static bool take_frames(struct bench *b)
{
    uint64_t nr = 0;

    fixmap_unmap_all(&b->fr.room.t->d->fixmap);
    while (nr < NR_PAGES) {
        struct pfn_run run = frame_pool_alloc_run(&b->fr.room.pool, NR_PAGES - nr);

        if (run.start == run.end)
            return false;
        for (uint64_t pfn = run.start; pfn < run.end; pfn++)
            b->pfns[nr++] = pfn;
    }
    return true;
}

BENCH(grant,
      "TSC ticks to map and unmap a granted page: in the foreign window; in place of a RAM page")
{
    static struct bench bench;
    struct bench *b = &bench;
    void *pages;

    if (!foreign_room_open_to_map(&b->fr, t, ROOM_PAGES))
        return;
    pages = room_alloc(&b->fr.room, NR_PAGES);
    b->r = foreign_room_range(&b->fr, FOREIGN_GRANT, b->fr.self, NR_PAGES);
    for (uint64_t i = 0; i < NR_PAGES; i++)
        b->refs[i] = foreign_room_grant(&b->fr, (uint8_t *)pages + i * PAGE_SIZE, false);
    if (take_frames(b))
        measure_all(b);
    else
        test_error(t, "frame pool of the benchmark has fewer than %d frames left", NR_PAGES);
    for (uint64_t i = 0; i < NR_PAGES; i++) {
        foreign_room_end_grant(&b->fr, b->refs[i]);
        if (b->pfns[i])
            CHECK_RC(frame_pool_add(&b->fr.room.pool, b->pfns[i], b->pfns[i] + 1), 0,
                     "frame_pool_add of PFN 0x%lx", b->pfns[i]);
    }
    foreign_room_drop(&b->fr, b->r);
    room_free(&b->fr.room, pages, NR_PAGES);
    foreign_room_close(&b->fr);
}
