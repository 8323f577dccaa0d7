/* SPDX-License-Identifier: MIT */
#include "tests/guest/grants/grant_room.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#define PER_STATUS (PAGE_SIZE / sizeof(grant_status_t))

static volatile grant_entry_v1_t *entry_v1(const struct grant_room *g, uint32_t ref)
{
    return (volatile grant_entry_v1_t *)(uintptr_t)foreign_va(g->fr.room.t->d->grants.table, 0) +
           ref;
}

static volatile grant_entry_v2_t *entry_v2(const struct grant_room *g, uint32_t ref)
{
    return (volatile grant_entry_v2_t *)(uintptr_t)foreign_va(g->fr.room.t->d->grants.table, 0) +
           ref;
}

static volatile uint16_t *flags_of(const struct grant_room *g, uint32_t ref)
{
    return g->version == 1 ? &entry_v1(g, ref)->flags : &entry_v2(g, ref)->hdr.flags;
}

/* Reads the MFNs of the first @nr status frames. */
static int read_status_frames(uint64_t *mfns, uint32_t nr)
{
    struct gnttab_get_status_frames get = {.dom = DOMID_SELF, .nr_frames = nr, .status = NO_STATUS};
    long rc;

    set_xen_guest_handle(get.frame_list, mfns);
    rc = HYPERVISOR_grant_table_op(GNTTABOP_get_status_frames, &get, 1);
    return rc ? (int)rc : get.status ? -EIO : 0;
}

/* Maps the first status frame at the room's own address. */
static int map_status(struct grant_room *g)
{
    uint64_t mfn;
    int rc = read_status_frames(&mfn, 1);

    return rc ? rc : spot_show(g->status, to_mfn(mfn), PTE_RW);
}

/* Maps the status frames of a kernel whose table has version 2, as it had them mapped before. */
static int map_kernel_status(struct grants *k)
{
    uint64_t nr = DIV_ROUND_UP(k->nr_frames * (PAGE_SIZE / sizeof(grant_entry_v2_t)), PER_STATUS);
    int rc = read_status_frames((uint64_t *)k->mfns, (uint32_t)nr);

    return rc ? rc : foreign_map(k->window, k->status, 0, k->mfns, nr, PTE_RW);
}

/* Xen frees the status frames with the change to version 1: no page table may map one (XSA-255). */
static int unmap_all_status(struct grant_room *g)
{
    struct grants *k = &g->fr.room.t->d->grants;
    int rc = spot_show(g->status, INVALID_MFN, 0);

    if (!rc && k->version == 2)
        rc = foreign_unmap(k->window, k->status, 0, k->status->nr);
    return rc;
}

static int change_version(struct grant_room *g, unsigned int version)
{
    struct grants *k = &g->fr.room.t->d->grants;
    struct gnttab_set_version set = {.version = version};
    int rc = version == 1 ? unmap_all_status(g) : 0;

    if (!rc)
        rc = (int)HYPERVISOR_grant_table_op(GNTTABOP_set_version, &set, 1);
    if (rc)
        return rc;
    g->version = version;
    if (version == 2 && k->version == 2)
        rc = map_kernel_status(k);
    return rc || version == 1 ? rc : map_status(g);
}

/* Version 2 is not allowed with Xen's option gnttab=max-ver:1, or by the domain's configuration. */
static bool allows_version_2(const struct grants *k)
{
    struct gnttab_set_version set = {.version = 2};
    long rc;

    if (k->version == 2)
        return true;
    rc = HYPERVISOR_grant_table_op(GNTTABOP_set_version, &set, 1);
    if (!rc) {
        set.version = 1;
        rc = HYPERVISOR_grant_table_op(GNTTABOP_set_version, &set, 1);
    }
    return !rc;
}

bool grant_room_begin(struct grant_room *g, struct spot status)
{
    struct test *t = g->fr.room.t;
    const struct grants *k = &t->d->grants;

    if (k->nr_used || k->nr_deferred) {
        test_skip(t, "this domain has %u grants, which a change of the table's version would clear",
                  k->nr_used + k->nr_deferred);
        return false;
    }
    g->version = k->version;
    g->can_version_2 = allows_version_2(k);
    g->status = status;
    if (g->version == 2)
        CHECK_RC(map_status(g), 0, "mapping of the first grant status frame");
    return true;
}

bool grant_room_open(struct grant_room *g, struct test *t, uint64_t nr_pages)
{
    struct spot status;

    if (!foreign_room_open_to_map(&g->fr, t, nr_pages))
        return false;
    status = room_spot(&g->fr.room);
    if (grant_room_begin(g, status))
        return true;
    room_drop(&g->fr.room, status);
    foreign_room_close(&g->fr);
    return false;
}

static void clear_entries(struct grant_room *g)
{
    for (uint32_t ref = GRANT_FIRST; ref < GRANT_END; ref++)
        *flags_of(g, ref) = 0;
}

void grant_room_end(struct grant_room *g)
{
    struct test *t = g->fr.room.t;
    unsigned int version = t->d->grants.version;

    clear_entries(g);
    if (g->version != version)
        CHECK_RC(change_version(g, version), 0,
                 "change of the grant table to version %u, which the kernel uses", version);
    CHECK_RC(spot_show(g->status, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0",
             g->status.va);
}

void grant_room_close(struct grant_room *g)
{
    grant_room_end(g);
    room_drop(&g->fr.room, g->status);
    foreign_room_close(&g->fr);
}

bool grant_room_use(struct grant_room *g, unsigned int version)
{
    struct test *t = g->fr.room.t;
    const struct domain *d = t->d;
    int rc;

    clear_entries(g);
    if (version == g->version)
        return true;
    if (version == 2 ? !g->can_version_2 : d->host.ram_end > UINT32_MAX)
        return false;
    rc = change_version(g, version);
    CHECK_RC(rc, 0,
             "GNTTABOP_set_version to %u, no unreserved grant in use, no status frame mapped",
             version);
    return !rc;
}

void grant_write(struct grant_room *g, uint32_t ref, uint16_t flags, domid_t domain, mfn_t mfn)
{
    *flags_of(g, ref) = 0;
    if (g->version == 1) {
        entry_v1(g, ref)->domid = domain;
        entry_v1(g, ref)->frame = (uint32_t)mfn.v;
    } else {
        entry_v2(g, ref)->full_page.hdr.domid = domain;
        entry_v2(g, ref)->full_page.pad0 = 0;
        entry_v2(g, ref)->full_page.frame = mfn.v;
    }
    store_barrier();
    *flags_of(g, ref) = flags;
}

mfn_t grant_no_frame(const struct grant_room *g)
{
    return to_mfn(g->version == 1 ? UINT32_MAX : ((uint64_t)1 << (PADDR_BITS - PAGE_SHIFT)) - 1);
}

void grant_give(struct grant_room *g, uint32_t ref, mfn_t mfn, bool readonly)
{
    grant_write(g, ref, GTF_permit_access | (readonly ? GTF_readonly : 0), g->fr.self, mfn);
}

void grant_write_part(struct grant_room *g, uint32_t ref, uint16_t flags, mfn_t mfn,
                      uint16_t offset, uint16_t len_bytes)
{
    grant_write(g, ref, 0, g->fr.self, mfn);
    entry_v2(g, ref)->sub_page.page_off = offset;
    entry_v2(g, ref)->sub_page.length = len_bytes;
    store_barrier();
    *flags_of(g, ref) = flags | GTF_sub_page;
}

void grant_write_transitive(struct grant_room *g, uint32_t ref, domid_t domain, uint32_t other)
{
    grant_write(g, ref, 0, g->fr.self, to_mfn(0));
    entry_v2(g, ref)->transitive.trans_domid = domain;
    entry_v2(g, ref)->transitive.gref = other;
    store_barrier();
    *flags_of(g, ref) = GTF_transitive;
}

domid_t grant_grantee(const struct grant_room *g, uint32_t ref)
{
    return g->version == 1 ? entry_v1(g, ref)->domid : entry_v2(g, ref)->hdr.domid;
}

mfn_t grant_frame(const struct grant_room *g, uint32_t ref)
{
    return to_mfn(g->version == 1 ? entry_v1(g, ref)->frame : entry_v2(g, ref)->full_page.frame);
}

uint16_t grant_flags(const struct grant_room *g, uint32_t ref)
{
    return *flags_of(g, ref);
}

uint16_t grant_marks(const struct grant_room *g, uint32_t ref)
{
    const volatile grant_status_t *status = (const volatile grant_status_t *)g->status.va;

    return (g->version == 1 ? *flags_of(g, ref) : status[ref]) & GRANT_WRITE;
}

void grant_write_marks(struct grant_room *g, uint32_t ref, uint16_t marks)
{
    ((volatile grant_status_t *)g->status.va)[ref] = marks;
}

void grant_check_marks(struct grant_room *g, uint32_t ref, uint16_t expected, const char *when)
{
    struct test *t = g->fr.room.t;

    CHECK_EQ(grant_marks(g, ref), expected,
             "%s: use marks (8: GTF_reading, 0x10: GTF_writing) of grant reference %u, table "
             "version %u,",
             when, ref, g->version);
}
