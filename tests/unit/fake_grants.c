/* SPDX-License-Identifier: MIT */
/*
 * Xen's side of the guest's grant table, and the guest's grant_table_op calls. The checks and their
 * order are those that the comments of Xen's common/grant_table.c and <xen/grant_table.h> describe.
 */
#include "tests/unit/fake_grants.h"

#include "arch/x86/hypercall.h"

#include "tests/unit/fake_peer.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>

#define MAX_FRAMES 1024
#define PER_V1     (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define PER_V2     (PAGE_SIZE / sizeof(grant_entry_v2_t))
#define PER_STATUS (PAGE_SIZE / sizeof(grant_status_t))

struct fake_grants fake_grants;

static struct {
    unsigned int version; /* 0: the builder has not set up the table yet */
    uint32_t nr_frames, nr_status;
    uint64_t frames[MAX_FRAMES], status[MAX_FRAMES];
} table;

/* The entries that the toolstack makes for the guest: the console page and the xenstore page. */
static const struct fake_entry reserved[GNTTAB_NR_RESERVED_ENTRIES] = {
    [GNTTAB_RESERVED_CONSOLE] = {GTF_permit_access, 0, 0x4242},
    [GNTTAB_RESERVED_XENSTORE] = {GTF_permit_access, 0, 0x4243},
};

uint64_t fake_take_frame(enum fake_owner owner)
{
    static uint64_t at;

    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        struct fake_frame *f;

        at = (at + fake.nr_mfns - 1) %
             fake.nr_mfns; /* downward, while other allocations go upward */
        f = fake_frame(fake.first_mfn + at);
        if (!f->foreign || f->owner != FAKE_NOBODYS || fake.first_mfn + at == fake.shared)
            continue;
        f->owner = owner;
        memset(fake_ram(fake.first_mfn + at), 0, PAGE_SIZE);
        return fake.first_mfn + at;
    }
    fail_msg("the fake machine has no frame without an owner left");
    return 0;
}

static grant_entry_v1_t *entry_v1(uint32_t ref)
{
    return (grant_entry_v1_t *)fake_ram(table.frames[ref / PER_V1]) + ref % PER_V1;
}

static grant_entry_v2_t *entry_v2(uint32_t ref)
{
    return (grant_entry_v2_t *)fake_ram(table.frames[ref / PER_V2]) + ref % PER_V2;
}

static uint32_t nr_entries(void)
{
    return table.nr_frames * (table.version == 2 ? PER_V2 : PER_V1);
}

struct fake_entry fake_grants_entry(uint32_t ref)
{
    if (ref >= nr_entries())
        return (struct fake_entry){0, 0, 0};
    if (table.version == 2)
        return (struct fake_entry){entry_v2(ref)->hdr.flags, entry_v2(ref)->hdr.domid,
                                   entry_v2(ref)->full_page.frame};
    return (struct fake_entry){entry_v1(ref)->flags, entry_v1(ref)->domid, entry_v1(ref)->frame};
}

static void set_entry(uint32_t ref, const struct fake_entry *e)
{
    if (table.version == 2) {
        entry_v2(ref)->full_page.frame = e->frame;
        entry_v2(ref)->hdr.domid = e->domid;
        entry_v2(ref)->hdr.flags = e->flags;
    } else {
        *entry_v1(ref) = (grant_entry_v1_t){e->flags, e->domid, (uint32_t)e->frame};
    }
}

uint16_t *fake_grants_status(uint32_t ref)
{
    if (ref >= nr_entries())
        return NULL;
    if (table.version == 2)
        return (uint16_t *)fake_ram(table.status[ref / PER_STATUS]) + ref % PER_STATUS;
    return &entry_v1(ref)->flags;
}

static void grow(uint32_t nr)
{
    while (table.nr_frames < nr)
        table.frames[table.nr_frames++] = fake_take_frame(FAKE_XENS);
    while (table.version == 2 && table.nr_status < DIV_ROUND_UP(nr_entries(), PER_STATUS))
        table.status[table.nr_status++] = fake_take_frame(FAKE_XENS);
}

/* Sets up the grant table as the builder does. */
static void begin(void)
{
    if (table.version)
        return;
    table.version = 1;
    grow(1);
    for (uint32_t ref = 0; ref < ARRAY_SIZE(reserved); ref++)
        set_entry(ref, &reserved[ref]);
}

bool fake_grants_reserved_untouched(void)
{
    for (uint32_t ref = 0; table.version && ref < ARRAY_SIZE(reserved); ref++) {
        struct fake_entry e = fake_grants_entry(ref);

        if (e.flags != reserved[ref].flags || e.domid != reserved[ref].domid ||
            e.frame != reserved[ref].frame)
            return false;
    }
    return true;
}

unsigned int fake_grants_version(void)
{
    return table.version;
}

uint32_t fake_grants_frames(void)
{
    return table.nr_frames;
}

static uint32_t max_frames(void)
{
    return fake_grants.max_frames ? fake_grants.max_frames : 64;
}

static long query_size(struct gnttab_query_size *op)
{
    if (op->dom != DOMID_SELF)
        fail_msg("GNTTABOP_query_size: domain is %u, expected DOMID_SELF", op->dom);
    op->nr_frames = table.nr_frames;
    op->max_nr_frames = max_frames();
    op->status = GNTST_okay;
    return 0;
}

/* A change of the version clears the table. Xen refuses it only if an entry is in use. */
static long set_version(struct gnttab_set_version *op)
{
    if (op->version != 1 && op->version != 2)
        return -XEN_EINVAL;
    if (op->version == 2 && fake_grants.no_version_2)
        return -XEN_ENOSYS;
    if (op->version == table.version)
        return 0;
    if (fake_peer_mappings())
        return -XEN_EBUSY;
    for (uint32_t ref = ARRAY_SIZE(reserved); ref < nr_entries(); ref++)
        if (fake_grants_entry(ref).flags)
            fail_msg("GNTTABOP_set_version while entry %u is a valid grant", ref);
    for (uint32_t i = 0; i < table.nr_frames; i++)
        memset(fake_ram(table.frames[i]), 0, PAGE_SIZE);
    table.version = op->version;
    grow(table.nr_frames);
    for (uint32_t ref = 0; ref < ARRAY_SIZE(reserved); ref++)
        set_entry(ref, &reserved[ref]);
    return 0;
}

static long setup_table(struct gnttab_setup_table *op)
{
    if (op->dom != DOMID_SELF)
        fail_msg("GNTTABOP_setup_table: domain is %u, expected DOMID_SELF", op->dom);
    op->status = fake_grants.setup_status;
    if (op->nr_frames > max_frames())
        op->status = GNTST_general_error;
    if (op->status)
        return 0;
    grow(op->nr_frames);
    for (uint32_t i = 0; i < op->nr_frames; i++)
        op->frame_list.p[i] = table.frames[i];
    return 0;
}

static long get_status_frames(struct gnttab_get_status_frames *op)
{
    if (op->dom != DOMID_SELF)
        fail_msg("GNTTABOP_get_status_frames: domain is %u, expected DOMID_SELF", op->dom);
    op->status = fake_grants.get_status;
    if (table.version != 2 || op->nr_frames > table.nr_status)
        op->status = GNTST_general_error;
    for (uint32_t i = 0; !op->status && i < op->nr_frames; i++)
        op->frame_list.p[i] = table.status[i];
    return 0;
}

static long one_op(unsigned int cmd, void *op)
{
    switch (cmd) {
    case GNTTABOP_query_size:
        return query_size(op);
    case GNTTABOP_set_version:
        return set_version(op);
    case GNTTABOP_setup_table:
        return setup_table(op);
    case GNTTABOP_get_status_frames:
        return get_status_frames(op);
    }
    fail_msg("grant_table_op %u is unknown to the fake", cmd);
    return -XEN_ENOSYS;
}

long HYPERVISOR_grant_table_op(unsigned int cmd, void *ops, unsigned int nr)
{
    long rc = 0;

    if (fake_grants.none)
        return -XEN_ENOSYS;
    begin();
    if (fake_fails()) { /* after some of the operations, as Xen may */
        nr = fake.fail_after < nr ? fake.fail_after : nr;
        rc = fake.fail_with;
    }
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        fake_grants_map(ops, nr);
        return rc;
    case GNTTABOP_unmap_grant_ref:
        fake_grants_unmap(ops, nr);
        return rc;
    case GNTTABOP_copy:
        fake_grants_copy(ops, nr);
        return rc;
    }
    if (rc)
        return rc;
    check_equal("number of operations of one grant_table_op", nr, 1);
    return one_op(cmd, ops);
}

/* Frees all frames of the grant table. */
static void drop_table(void)
{
    for (uint32_t i = 0; fake.nr_mfns && i < table.nr_frames + table.nr_status; i++) {
        uint64_t mfn = i < table.nr_frames ? table.frames[i] : table.status[i - table.nr_frames];

        if (fake_frame(mfn)->refs)
            fail_msg("new domain: a frame of the old grant table is still mapped");
        fake_frame(mfn)->owner = FAKE_NOBODYS;
    }
    memset(&table, 0, sizeof(table));
}

void fake_grants_stop(void)
{
    memset(&table, 0, sizeof(table));
    memset(&fake_grants, 0, sizeof(fake_grants));
    fake_peer_forget();
}

void fake_grants_new_domain(uint64_t (*moved)(uint64_t mfn))
{
    check_true("grant entries of console and xenstore are untouched",
               fake_grants_reserved_untouched());
    drop_table();
    fake_peer_new_domain(moved);
}
