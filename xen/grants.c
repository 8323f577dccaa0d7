/* SPDX-License-Identifier: MIT */
#include "xen/grants.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

enum record_state { RECORD_FREE, RECORD_USED, RECORD_DEFERRED };

/* An element of the side table. */
struct grant_record {
    uint64_t pfn;
    uint32_t next; /* the next reference in the list free or deferred; 0: none */
    uint8_t state;
    bool readonly;
    bool dropped; /* the entry is empty, because this domain is a new one since the grant */
};

#define PER_FRAME_V1 (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define PER_FRAME_V2 (PAGE_SIZE / sizeof(grant_entry_v2_t))
#define PER_STATUS   (PAGE_SIZE / sizeof(grant_status_t))
#define IN_USE       (GTF_reading | GTF_writing)

static uint32_t per_frame(const struct grants *g)
{
    return g->version == 1 ? PER_FRAME_V1 : PER_FRAME_V2;
}

static struct grant_record *record_of(const struct grants *g, uint32_t ref)
{
    return &g->records[ref / per_frame(g)][ref % per_frame(g)];
}

/* The record of @ref; NULL if @ref is not a reference of grant_access in the state @state. */
static struct grant_record *find_record(const struct grants *g, uint32_t ref,
                                        enum record_state state)
{
    struct grant_record *record;

    if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref >= g->nr_frames * per_frame(g))
        return NULL;
    record = record_of(g, ref);
    return record->state == state ? record : NULL;
}

static volatile grant_entry_v1_t *entry_v1(const struct grants *g, uint32_t ref)
{
    return (volatile grant_entry_v1_t *)(uintptr_t)foreign_va(g->table, 0) + ref;
}

static volatile grant_entry_v2_t *entry_v2(const struct grants *g, uint32_t ref)
{
    return (volatile grant_entry_v2_t *)(uintptr_t)foreign_va(g->table, 0) + ref;
}

static volatile uint16_t *flags_of(const struct grants *g, uint32_t ref)
{
    return g->version == 1 ? &entry_v1(g, ref)->flags : &entry_v2(g, ref)->hdr.flags;
}

/* The flags with which Xen marks that the grant is in use. */
static uint16_t status_of(const struct grants *g, uint32_t ref)
{
    const volatile grant_status_t *status;

    if (g->version == 1)
        return entry_v1(g, ref)->flags;
    status = (const volatile grant_status_t *)(uintptr_t)foreign_va(g->status, 0);
    return status[ref];
}

/*
 * Is the grant table mapped? False if Xen has no grant table for this domain, or if the table could
 * not be set up again after a suspend. In the second case the state of the grants is unknown, so no
 * grant can begin or end.
 */
static bool is_up(const struct grants *g)
{
    uint32_t nr = g->nr_frames * per_frame(g);

    return g->table && g->table->nr_mapped >= g->nr_frames &&
           (g->version == 1 || (g->status && g->status->nr_mapped >= DIV_ROUND_UP(nr, PER_STATUS)));
}

/* Checks that an entry can hold @mfn, the frame of @pfn. Prints why a frame is too high for it. */
static int check_mfn(const struct grants *g, domid_t domain, uint64_t pfn, mfn_t mfn)
{
    if (!mfn_valid(mfn))
        return -EINVAL;
    if (g->version != 1 || mfn.v <= UINT32_MAX)
        return 0;
    printk(LOG_WARN,
           "grants: PFN 0x%lx is not granted to domain %u: MFN 0x%lx does not fit the 32 bits of a "
           "version 1 entry\n",
           pfn, domain, mfn.v);
    return -ERANGE;
}

static uint16_t permission(const struct grant_record *record)
{
    return GTF_permit_access | (record->readonly ? GTF_readonly : 0);
}

/* Writes the flags last: they make the entry valid (<xen/grant_table.h>). */
static void write_entry(const struct grants *g, uint32_t ref, const struct grant_record *record,
                        domid_t domain, mfn_t mfn)
{
    if (g->version == 1) {
        entry_v1(g, ref)->domid = domain;
        entry_v1(g, ref)->frame = (uint32_t)mfn.v;
    } else {
        entry_v2(g, ref)->full_page.hdr.domid = domain;
        entry_v2(g, ref)->full_page.frame = mfn.v;
    }
    store_barrier();
    *flags_of(g, ref) = permission(record);
}

/*
 * Revokes the permission. True if the grant was not in use. In version 1 Xen's use marks are in the
 * same 16 bits and must stay there: one atomic AND. In version 2 the use marks are in the status
 * frame: the flags are cleared first, then the status is read. A grantee that has the page mapped
 * may map it again until its last unmap: Xen does not read the entry then.
 */
static bool revoke_v1(const struct grants *g, uint32_t ref)
{
    return !(__atomic_fetch_and(flags_of(g, ref), IN_USE, __ATOMIC_SEQ_CST) & IN_USE);
}

static bool revoke_v2(const struct grants *g, uint32_t ref)
{
    __atomic_store_n(flags_of(g, ref), 0, __ATOMIC_SEQ_CST);
    return !(status_of(g, ref) & IN_USE);
}

static bool revoke(const struct grants *g, uint32_t ref)
{
    if (record_of(g, ref)->dropped)
        return true;
    if (!is_up(g))
        return false;
    return g->version == 1 ? revoke_v1(g, ref) : revoke_v2(g, ref);
}

/* @g->mfns as an array of the type that Xen writes. */
static uint64_t *frame_list(struct grants *g)
{
    _Static_assert(sizeof(mfn_t) == sizeof(uint64_t), "mfn_t is not the size of xen_pfn_t");
    return (uint64_t *)g->mfns;
}

/* Maps those of the @nr frames in @g->mfns that are not mapped in @r yet. */
static int map_frames(struct grants *g, struct foreign_range *r, uint64_t nr)
{
    uint64_t have = r->nr_mapped;

    return nr > have ? foreign_map(g->window, r, have, g->mfns + have, nr - have, PTE_RW) : 0;
}

/* Requests @nr frames of the table and the status frames for them, and maps both. */
static int map_table(struct grants *g, uint32_t nr)
{
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = nr};
    struct gnttab_get_status_frames get = {.dom = DOMID_SELF};
    int rc;

    set_xen_guest_handle(setup.frame_list, frame_list(g));
    rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    if (!rc && setup.status)
        rc = setup.status == GNTST_permission_denied ? -EPERM : -ENOSPC;
    if (!rc)
        rc = map_frames(g, g->table, nr);
    if (rc || g->version == 1)
        return rc;

    get.nr_frames = (uint32_t)DIV_ROUND_UP(nr * per_frame(g), PER_STATUS);
    set_xen_guest_handle(get.frame_list, frame_list(g));
    rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_get_status_frames, &get, 1);
    if (!rc && get.status)
        rc = get.status == GNTST_permission_denied ? -EPERM : -ENOSPC;
    return rc ? rc : map_frames(g, g->status, get.nr_frames);
}

/*
 * Adds a frame to the table. The side table is allocated first, because a frame that Xen has added
 * cannot be returned.
 */
static int grow(struct grants *g)
{
    uint64_t len_bytes = per_frame(g) * sizeof(struct grant_record);
    uint32_t frame = g->nr_frames, first = frame * per_frame(g);
    int rc;

    if (frame == g->max_frames)
        return -ENOSPC;
    if (!g->records[frame]) {
        g->records[frame] = heap_alloc(g->heap, len_bytes);
        if (!g->records[frame])
            return -ENOMEM;
        g->nr_record_frames += DIV_ROUND_UP(len_bytes, PAGE_SIZE);
    }
    rc = map_table(g, frame + 1);
    if (rc)
        return rc;
    g->nr_frames++;
    for (uint32_t i = per_frame(g); i-- > 0;) { /* The lowest reference becomes the list's head. */
        if (first + i < GNTTAB_NR_RESERVED_ENTRIES)
            break;
        g->records[frame][i].next = g->free;
        g->free = first + i;
    }
    return 0;
}

static void set_version(struct grants *g, uint32_t version)
{
    struct gnttab_set_version set = {.version = version};

    /* An error means version 1: this Xen has no version 2, or does not allow it. */
    g->version = HYPERVISOR_grant_table_op(GNTTABOP_set_version, &set, 1) ? 1 : version;
}

static uint32_t nr_refs(const struct grants *g)
{
    return g->nr_frames * per_frame(g);
}

/*
 * Before a suspend: no grant may be in use, and no page table may map a frame of Xen. If the table
 * is not up, only Xen knows which grants are in use, so it is asked for the table once more.
 */
static int unmap_for_suspend(struct foreign_range *r, void *context)
{
    struct grants *g = context;

    if (r == g->table && !is_up(g) && g->nr_used + g->nr_deferred > g->nr_dropped)
        (void)!map_table(g, g->nr_frames);
    for (uint32_t ref = 0; r == g->table && ref < nr_refs(g); ref++)
        if (record_of(g, ref)->state != RECORD_FREE && grant_in_use(g, ref))
            return -EBUSY;
    return foreign_unmap(g->window, r, 0, r->nr);
}

/*
 * Drops the grants whose entries are empty: all of them in a new domain, whose table is empty or
 * could not be mapped. The old domain may also have been resumed as if it were new (fast=0 in Xen
 * tools/libs/guest/xg_resume.c): then the entries still exist, perhaps with Xen's use marks, and
 * the grants stay in force.
 */
static void drop_grants(struct grants *g)
{
    for (uint32_t ref = 0; ref < nr_refs(g); ref++) {
        struct grant_record *record = record_of(g, ref);

        if (record->state == RECORD_FREE || record->dropped || (is_up(g) && *flags_of(g, ref)))
            continue;
        record->dropped = true;
        g->nr_dropped++;
    }
    grants_poll(g); /* nobody uses the page of a deferred grant that was dropped */
}

static int remap_after_suspend(struct foreign_range *r, void *context, bool new_domain)
{
    struct grants *g = context;
    unsigned int version = g->version;
    int rc;

    if (r->nr_mapped)
        return 0; /* The range of the status frames, which was mapped with the table. */
    if (new_domain)
        set_version(g, version);
    rc = g->version == version ? map_table(g, g->nr_frames) : -ENOSYS;
    g->version = version; /* The layout of the side table depends on the version. */
    if (new_domain)
        drop_grants(g);
    return rc;
}

int grants_start(struct grants *g, unsigned int version)
{
    struct gnttab_query_size query = {.dom = DOMID_SELF};
    int rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_query_size, &query, 1);

    if (rc || query.status)
        return rc ? rc : -ENOSYS;
    g->max_frames = (uint32_t)min_u64(query.max_nr_frames, GRANT_MAX_FRAMES);
    set_version(g, version);
    g->owner = (struct foreign_owner){"grants", unmap_for_suspend, remap_after_suspend, g};
    rc = foreign_reserve(g->window, FOREIGN_FRAME, DOMID_SELF, g->max_frames, &g->owner, &g->table);
    if (!rc && g->version == 2)
        rc = foreign_reserve(g->window, FOREIGN_FRAME, DOMID_SELF,
                             DIV_ROUND_UP(g->max_frames * per_frame(g), PER_STATUS), &g->owner,
                             &g->status);
    return rc ? rc : grow(g);
}

int grant_access(struct grants *g, domid_t domain, pfn_t pfn, bool readonly, uint32_t *ref)
{
    mfn_t mfn = p2m_get_ram(g->p2m, pfn);
    struct grant_record *record;
    int rc = is_up(g) ? check_mfn(g, domain, pfn.v, mfn) : -ENOSYS;

    if (!rc && !g->free)
        rc = grow(g);
    if (rc)
        return rc;
    *ref = g->free;
    record = record_of(g, *ref);
    g->free = record->next;
    *record = (struct grant_record){.pfn = pfn.v, .state = RECORD_USED, .readonly = readonly};
    g->nr_used++;
    write_entry(g, *ref, record, domain, mfn);
    return 0;
}

bool grant_is_dropped(const struct grants *g, uint32_t ref)
{
    const struct grant_record *record = find_record(g, ref, RECORD_USED);

    return record && record->dropped;
}

bool grant_in_use(const struct grants *g, uint32_t ref)
{
    if (ref < nr_refs(g) && record_of(g, ref)->dropped)
        return false;
    return !is_up(g) || status_of(g, ref) & IN_USE;
}

static void free_record(struct grants *g, uint32_t ref)
{
    g->nr_dropped -= record_of(g, ref)->dropped;
    *record_of(g, ref) = (struct grant_record){.next = g->free};
    g->free = ref;
}

int grant_end(struct grants *g, uint32_t ref)
{
    struct grant_record *record = find_record(g, ref, RECORD_USED);

    if (!record)
        return -EINVAL;
    if (grant_in_use(g, ref))
        return -EBUSY;
    if (!revoke(g, ref)) { /* The grantee mapped the page meanwhile: restore the permission. */
        if (is_up(g))
            __atomic_fetch_or(flags_of(g, ref), permission(record), __ATOMIC_SEQ_CST);
        return -EBUSY;
    }
    free_record(g, ref);
    g->nr_used--;
    return 0;
}

/* True if the grant has ended and its page is in the pool. The pool may have no room for a run. */
static bool end_deferred(struct grants *g, uint32_t ref)
{
    uint64_t pfn = record_of(g, ref)->pfn;

    if (!revoke(g, ref) || frame_pool_add(g->pool, pfn, pfn + 1))
        return false;
    free_record(g, ref);
    g->nr_deferred--;
    return true;
}

int grant_end_page(struct grants *g, uint32_t ref)
{
    struct grant_record *record = find_record(g, ref, RECORD_USED);

    if (!record)
        return -EINVAL;
    record->state = RECORD_DEFERRED;
    g->nr_used--;
    g->nr_deferred++;
    if (end_deferred(g, ref))
        return 0;
    record->next = g->deferred;
    g->deferred = ref;
    return 0;
}

uint32_t grants_poll(struct grants *g)
{
    uint32_t *link = &g->deferred;

    while (*link) {
        uint32_t ref = *link, next = record_of(g, ref)->next;

        if (end_deferred(g, ref))
            *link = next;
        else
            link = &record_of(g, ref)->next;
    }
    return g->nr_deferred;
}

int grant_copy(struct gnttab_copy *ops, unsigned int nr)
{
    return (int)HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, nr);
}
