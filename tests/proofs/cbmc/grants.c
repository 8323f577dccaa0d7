/* SPDX-License-Identifier: MIT */
/*
 * xen/grants.c with a table of one frame in which Xen and a hostile grantee have left any flags and
 * any status: no access is out of bounds, a refused end changes no record, and an ended reference
 * is free. PROOF is the check_ function that main calls.
 */
#include "proof.h"

#include <xen/grant_table.h>

/* The table has one frame, of VERSION. */
#if VERSION == 1
static grant_entry_v1_t table_frame[4096 / sizeof(grant_entry_v1_t)];
#else
static grant_entry_v2_t table_frame[4096 / sizeof(grant_entry_v2_t)];
#endif
static grant_status_t status_frame[4096 / sizeof(grant_status_t)];

/* At each atomic operation a peer and Xen have written anything. */
static uint16_t fetched;
static uint16_t fetch(uint16_t *p, uint16_t value)
{
    __CPROVER_havoc_object(status_frame);
    *p = value;
    fetched = nondet_u16();
    return fetched;
}
#define __atomic_fetch_and(p, value, order) fetch(p, value)
#define __atomic_fetch_or(p, value, order)  fetch(p, value)
#define __atomic_store_n(p, value, order)   (void)fetch(p, value)

#define volatile
#include "xen/grants.c"
#undef volatile

#define USED     9 /* the reference that is granted, the deferred one, and the first free one */
#define DEFERRED 11
#define FREE     12

static struct grants g;
static struct grant_record records[ARRAY_SIZE(table_frame)];
static struct {
    struct foreign_range range;
    union foreign_page page[1];
} table, status;
static uint64_t nr_added; /* PFNs that went to the frame pool */

int frame_pool_add(struct frame_pool *f, uint64_t start, uint64_t end)
{
    (void)f;
    PROVE(end == start + 1);
    if (nondet_bool())
        return -ENOMEM;
    nr_added++;
    return 0;
}

/* One reference is granted, one is deferred, all others are free. Any entry has any contents. */
static void any_state(void)
{
    __CPROVER_havoc_object(table_frame);
    __CPROVER_havoc_object(status_frame);
    g.version = VERSION;
    g.nr_frames = g.max_frames = 1;
    g.table = &table.range;
    g.status = &status.range;
    g.table->pages = (uintptr_t)table_frame;
    g.status->pages = (uintptr_t)status_frame;
    g.table->nr_mapped = nondet_u32() % 2;
    g.status->nr_mapped = nondet_u32() % 2;
    g.records[0] = records;
    g.free = FREE;
    records[USED] = (struct grant_record){.pfn = nondet_u64(), .state = RECORD_USED};
    records[USED].readonly = nondet_bool();
    records[USED].dropped = nondet_bool();
    records[DEFERRED] = (struct grant_record){.pfn = nondet_u64(), .state = RECORD_DEFERRED};
    ASSUME(records[USED].pfn != INVALID_ENTRY && records[DEFERRED].pfn != INVALID_ENTRY);
    g.deferred = DEFERRED;
    g.nr_used = g.nr_deferred = 1;
    g.nr_dropped = records[USED].dropped;
}

/* Did Xen mark @ref as in use at the moment at which the permission was revoked? */
static bool was_in_use(uint32_t ref)
{
    return (VERSION == 1 ? fetched : status_frame[ref]) & IN_USE;
}

/* No number is taken for a reference that is not one of this state, and none leads past the
 * records. */
void check_find(void)
{
    uint32_t ref = nondet_u32();
    enum record_state state = nondet_u32();
    const struct grant_record *record;

    any_state();
    ASSUME(state <= RECORD_DEFERRED);
    record = find_record(&g, ref, state);
    if (state == RECORD_USED)
        PROVE(record == (ref == USED ? &records[USED] : NULL));
    if (state == RECORD_DEFERRED)
        PROVE(record == (ref == DEFERRED ? &records[DEFERRED] : NULL));
    PROVE(!record || (ref >= GNTTAB_NR_RESERVED_ENTRIES && record == &records[ref]));
}

void check_end(void)
{
    bool dropped;
    int rc;

    any_state();
    dropped = records[USED].dropped;
    rc = grant_end(&g, USED);
    PROVE(rc || dropped || !was_in_use(USED));
    PROVE(rc == 0 || rc == -EBUSY);
    PROVE(g.nr_used == (rc ? 1 : 0) && g.nr_deferred == 1 && !nr_added);
    PROVE(records[USED].state == (rc ? RECORD_USED : RECORD_FREE));
    PROVE(records[DEFERRED].state == RECORD_DEFERRED && g.deferred == DEFERRED);
    PROVE(rc ? g.free == FREE : g.free == USED && records[USED].next == FREE);
}

/* The grant is ended and its page is in the pool, or it is deferred. */
void check_end_page(void)
{
    bool dropped;

    any_state();
    dropped = records[USED].dropped;
    PROVE(grant_end_page(&g, USED) == 0 && g.nr_used == 0);
    PROVE(!nr_added || dropped || !was_in_use(USED));
    PROVE(g.nr_deferred + nr_added == 2);
    PROVE(records[DEFERRED].state == RECORD_DEFERRED);
    if (nr_added)
        PROVE(records[USED].state == RECORD_FREE && g.free == USED && g.deferred == DEFERRED);
    else
        PROVE(records[USED].state == RECORD_DEFERRED && g.deferred == USED &&
              records[USED].next == DEFERRED);
}

/* A later try to end the deferred grant, and the functions that only read. */
void check_deferred(void)
{
    any_state();
    PROVE(grant_is_dropped(&g, USED) == records[USED].dropped);
    PROVE(!records[USED].dropped || !grant_in_use(&g, USED));
    PROVE(end_deferred(&g, DEFERRED) == (nr_added == 1));
    PROVE(!nr_added || !was_in_use(DEFERRED));
    PROVE(g.nr_deferred + nr_added == 1 && g.nr_used == 1);
    PROVE(records[USED].state == RECORD_USED);
    PROVE(records[DEFERRED].state == (nr_added ? RECORD_FREE : RECORD_DEFERRED));
    PROVE(g.free == (nr_added ? DEFERRED : FREE));
}

int main(void)
{
    PROOF();
    REACHED();
    return 0;
}
