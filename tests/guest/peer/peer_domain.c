/* SPDX-License-Identifier: MIT */
#include "tests/guest/peer/peer_domain.h"

#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#include <xen/memory.h>

/*
 * Xen refuses another version of struct xen_domctl or xen_sysctl with EACCES, and no hypercall
 * tells the version, so each one is tried. The parts that are used here changed only once: struct
 * xen_domctl_createdomain got grant_opts.
 *
 *      Xen     4.13  4.14  4.15  4.16  4.17  4.18  4.19  4.20  4.21  4.22
 *      domctl  0x12  0x12  0x13  0x14  0x15  0x16  0x17  0x17  0x17  0x18
 *      sysctl  0x12  0x13  0x13  0x14  0x15  0x15  0x15  0x15  0x16  0x16
 */
#define FIRST_VERSION    0x12
#define LAST_DOMCTL      0x18
#define LAST_SYSCTL      0x16
#define GRANT_OPTS_SINCE 0x14

/* Xen has less free memory than this: it may be unable to create a domain. */
#define SCARCE_BYTES ((uint64_t)4 << 20)

/* struct xen_sysctl with struct xen_sysctl_availheap */
#define SYSCTL_AVAILHEAP 9
struct availheap {
    uint32_t cmd, interface_version, min_bitwidth, max_bitwidth;
    int32_t node;
    uint64_t avail_bytes;
    uint8_t rest[128];
};

uint64_t peer_xen_free_bytes(void)
{
    for (uint32_t version = FIRST_VERSION; version <= LAST_SYSCTL; version++) {
        struct availheap op = {.cmd = SYSCTL_AVAILHEAP, .interface_version = version, .node = -1};

        if (!HYPERVISOR_any(__HYPERVISOR_sysctl, (uintptr_t)&op, 0, 0, 0))
            return op.avail_bytes;
    }
    return UINT64_MAX;
}

long peer_domctl_of(const struct peer *p, domid_t id, enum peer_cmd cmd, struct peer_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = p->version;
    op->domain = id;
    return HYPERVISOR_any(__HYPERVISOR_domctl, (uintptr_t)op, 0, 0, 0);
}

long peer_domctl(const struct peer *p, enum peer_cmd cmd, struct peer_domctl *op)
{
    return peer_domctl_of(p, p->id, cmd, op);
}

/* A domain ID of 0 in the request: Xen chooses the ID. */
static long create(struct peer *p)
{
    struct peer_domctl op;
    long rc;

    for (p->version = FIRST_VERSION; p->version <= LAST_DOMCTL; p->version++) {
        op = (struct peer_domctl){
            .u.create = {
                         .handle = PEER_HANDLE,
                         .max_vcpus = 1,
                         .max_evtchn_port = PEER_LAST_PORT,
                         .max_grant_frames = (int32_t)p->max_grant_frames,
                         .max_maptrack_frames = -1,
                         .grant_opts = p->version >= GRANT_OPTS_SINCE ? 1 : 0,
                         }
        };
        rc = peer_domctl_of(p, 0, PEER_CREATE, &op);
        if (rc != -EACCES)
            break;
    }
    p->id = op.domain;
    return rc;
}

/* Creates the domain. False: none was created. */
static bool create_or_skip(struct peer *p)
{
    struct test *t = p->t;
    long rc = create(p);

    if (rc == -EACCES)
        test_skip(
            t,
            "Xen accepts no version of domctl from 0x%x to 0x%x (EACCES), or XSM/FLASK denies "
            "XEN_DOMCTL_createdomain",
            FIRST_VERSION, LAST_DOMCTL);
    else if (rc == -EPERM || rc == -ENOSYS || (rc && t->d->host.has_flask))
        test_skip(t, "Xen does not let this domain create a domain (%s)", errno_name((int)rc));
    else if (rc == -ENOMEM && peer_xen_free_bytes() < SCARCE_BYTES)
        test_skip(t, "Xen has no memory for a second domain");
    else if (rc == -EINVAL && p->max_grant_frames > PEER_GRANT_FRAMES)
        test_skip(t,
                  "Xen creates no domain with a grant table of %u frames: gnttab_max_frames= "
                  "allows fewer",
                  p->max_grant_frames);
    else
        CHECK_RC(rc, 0, "XEN_DOMCTL_createdomain, interface version 0x%x", p->version);
    return !rc;
}

/* Gives the new domain a vCPU and frames. */
static bool furnish(struct peer *p, unsigned int nr)
{
    struct peer_domctl op = {.u.max_vcpus = 1};
    struct test *t = p->t;
    uint64_t list[PEER_MAX_FRAMES];
    long rc = peer_domctl(p, PEER_MAX_VCPUS, &op);

    if (rc == -ENOMEM && peer_xen_free_bytes() < SCARCE_BYTES) {
        test_skip(t, "Xen has no memory for a vCPU of a second domain");
        return false;
    }
    CHECK_RC(rc, 0, "XEN_DOMCTL_max_vcpus, 1 vCPU, domain %u", p->id);
    peer_set_max_pages(p, nr);
    for (unsigned int i = 0; i < nr; i++)
        list[i] = PEER_PFN + i;
    rc = peer_reservation(XENMEM_populate_physmap, p->id, list, nr, 0);
    if (rc != nr && peer_xen_free_bytes() < SCARCE_BYTES) {
        test_skip(t, "Xen has no memory for %u pages of a second domain", nr);
        return false;
    }
    CHECK_RC(rc, nr, "extents done by XENMEM_populate_physmap of %u pages for domain %u", nr,
             p->id);
    if (rc != nr)
        return false;
    p->nr = nr;
    for (unsigned int i = 0; i < nr; i++) {
        p->mfn[i] = to_mfn(list[i]);
        rc = peer_show(p->window, p->mfn[i], PTE_RW, p->id);
        CHECK_RC(rc, 0, "update_va_mapping_otherdomain, writable, of MFN 0x%lx of domain %u",
                 p->mfn[i].v, p->id);
        if (rc)
            return false;
        memset((void *)p->window.va, 0, PAGE_SIZE);
        peer_unmap(p, p->window);
    }
    return true;
}

bool peer_open(struct peer *p, struct test *t, unsigned int nr, uint64_t room_pages)
{
    return peer_open_granting(p, t, nr, room_pages, PEER_GRANT_FRAMES);
}

bool peer_open_granting(struct peer *p, struct test *t, unsigned int nr, uint64_t room_pages,
                        unsigned int max_grant_frames)
{
    *p = (struct peer){.t = t, .self = host_domid(), .max_grant_frames = max_grant_frames};
    if (!boot_info_is_initdomain(&t->d->boot) || p->self == DOMID_INVALID) {
        test_skip(t, "this domain may not create a domain, or has no event channel");
        return false;
    }
    if (!room_open(&p->room, t, room_pages))
        return false;
    p->window = room_spot(&p->room);
    if (create_or_skip(p)) {
        if (furnish(p, nr))
            return true;
        peer_close(p);
    } else {
        room_drop(&p->room, p->window);
        room_close(&p->room);
    }
    return false;
}

void peer_close(struct peer *p)
{
    struct peer_info info;

    if (peer_read_info(p, &info) && !(info.flags & PEER_DYING))
        peer_destroy(p);
    peer_check_gone(p, "at the end of the test");
    room_drop(&p->room, p->window);
    room_close(&p->room);
}

bool peer_read_info(const struct peer *p, struct peer_info *info)
{
    struct peer_domctl op = {0};
    struct test *t = p->t;
    long rc = peer_domctl(p, PEER_GET_INFO, &op);

    *info = op.u.info;
    if (rc != -ESRCH)
        CHECK_RC(rc, 0, "XEN_DOMCTL_getdomaininfo of domain %u", p->id);
    return !rc && op.domain == p->id; /* Xen tells of the next domain if there is none of this ID */
}

struct peer_info peer_info_of(const struct peer *p, const char *when)
{
    struct peer_info info;
    struct test *t = p->t;

    if (peer_read_info(p, &info))
        return info;
    test_fail(t, "%s: domain %u does not exist, expected that it exists", when, p->id);
    return (struct peer_info){0};
}

void peer_set_max_pages(const struct peer *p, uint64_t nr_pages)
{
    struct peer_domctl op = {.u.max_memkb = nr_pages * (PAGE_SIZE / 1024)};
    struct test *t = p->t;

    CHECK_RC(peer_domctl(p, PEER_MAX_MEM, &op), 0, "XEN_DOMCTL_max_mem of %lu pages", nr_pages);
}

void peer_check_pages(const struct peer *p, uint64_t nr_pages, bool dying, const char *when)
{
    struct peer_info info = peer_info_of(p, when);
    struct test *t = p->t;

    CHECK_EQ(info.tot_pages, nr_pages, "%s: tot_pages of domain %u by getdomaininfo", when, p->id);
    CHECK_EQ(info.flags & PEER_DYING, dying ? PEER_DYING : 0,
             "%s: XEN_DOMINF_dying of domain %u by getdomaininfo", when, p->id);
}

void peer_destroy(const struct peer *p)
{
    struct peer_domctl op = {0};
    struct test *t = p->t;

    CHECK_RC(peer_domctl(p, PEER_DESTROY, &op), 0, "XEN_DOMCTL_destroydomain of domain %u", p->id);
}

void peer_check_gone(const struct peer *p, const char *when)
{
    struct peer_info info;
    struct test *t = p->t;

    if (peer_read_info(p, &info))
        test_fail(t,
                  "%s: domain %u still exists (flags 0x%x, %lu pages), expected none: a reference "
                  "to one of its frames was not dropped",
                  when, p->id, info.flags, info.tot_pages);
}

int peer_show(struct spot s, mfn_t mfn, uint64_t flags, domid_t owner)
{
    return (int)HYPERVISOR_any(__HYPERVISOR_update_va_mapping_otherdomain, s.va,
                               pte_make(mfn, flags), UVMF_INVLPG, owner);
}

void peer_map(const struct peer *p, struct spot s, mfn_t mfn, uint64_t flags)
{
    struct test *t = p->t;

    CHECK_RC(peer_show(s, mfn, flags, p->id), 0,
             "update_va_mapping_otherdomain, %s, of MFN 0x%lx of domain %u",
             flags & PTE_W ? "writable" : "read-only", mfn.v, p->id);
}

void peer_unmap(const struct peer *p, struct spot s)
{
    struct test *t = p->t;

    CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", s.va);
}

void peer_check_word(const struct peer *p, struct spot s, uint64_t expected, const char *when)
{
    struct test *t = p->t;
    uint64_t value = 0;

    CHECK_RC(probe_read((const void *)s.va, &value), 0,
             "%s: read at 0x%lx, where a frame of domain %u is mapped", when, s.va, p->id);
    CHECK_EQ(value, expected, "%s: word 0 of the frame of domain %u that is mapped at 0x%lx", when,
             p->id, s.va);
}

uint64_t peer_word(const struct peer *p, mfn_t mfn, unsigned int w)
{
    uint64_t value = INVALID_ENTRY;

    peer_map(p, p->window, mfn, PTE_RO);
    (void)!probe_read((const uint64_t *)p->window.va + w, &value);
    peer_unmap(p, p->window);
    return value;
}

void peer_set_word(const struct peer *p, mfn_t mfn, unsigned int w, uint64_t value)
{
    struct test *t = p->t;

    peer_map(p, p->window, mfn, PTE_RW);
    CHECK_RC(probe_write((uint64_t *)p->window.va + w, value), 0,
             "write to word %u of MFN 0x%lx of domain %u", w, mfn.v, p->id);
    peer_unmap(p, p->window);
}

volatile struct grant_entry_v1 *peer_map_grant_table(const struct peer *p, struct spot s)
{
    uint64_t frame = 0;
    struct gnttab_setup_table op = {
        .dom = p->id, .nr_frames = PEER_GRANT_FRAMES, .status = NO_STATUS};
    struct test *t = p->t;
    int rc;

    set_xen_guest_handle(op.frame_list, &frame);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &op, 1), 0,
             "GNTTABOP_setup_table of 1 frame for domain %u", p->id);
    CHECK_GNTST(op.status, GNTST_okay, "GNTTABOP_setup_table of 1 frame for domain %u", p->id);
    if (op.status != GNTST_okay)
        return NULL;
    peer_map(p, s, to_mfn(frame), PTE_RW);
    rc = probe_write((void *)s.va, 0); /* entry 0, which nobody uses */
    CHECK_RC(rc, 0, "write to entry 0 of the grant table of domain %u", p->id);
    return rc ? NULL : (volatile struct grant_entry_v1 *)s.va;
}

void peer_grant(volatile struct grant_entry_v1 *entry, domid_t domain, mfn_t mfn, uint16_t flags)
{
    entry->domid = domain;
    entry->frame = (uint32_t)mfn.v;
    __atomic_store_n(&entry->flags, GTF_permit_access | flags, __ATOMIC_SEQ_CST);
}

bool peer_can_grant(const struct peer *p)
{
    for (unsigned int i = 0; i < p->nr; i++)
        if (p->mfn[i].v > UINT32_MAX) {
            test_skip(
                p->t,
                "domain %u has version 1 of the grant table, whose entries cannot hold MFN 0x%lx",
                p->id, p->mfn[i].v);
            return false;
        }
    return true;
}

long peer_mmuext(unsigned int cmd, mfn_t mfn, domid_t owner)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn.v};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, owner);
}

long peer_mmu_update(mfn_t table, unsigned int i, uint64_t pte, domid_t fd, domid_t pfd)
{
    struct mmu_update req = {
        .ptr = (mfn_to_maddr(table) + i * sizeof(pte)) | MMU_NORMAL_PT_UPDATE,
        .val = pte,
    };
    uint64_t domains = fd | (pfd == DOMID_SELF ? 0 : (uint64_t)(pfd + 1) << 16);

    return HYPERVISOR_any(__HYPERVISOR_mmu_update, (uintptr_t)&req, 1, 0, domains);
}

long peer_reservation(unsigned int cmd, domid_t id, uint64_t *list, uint64_t nr, unsigned int order)
{
    struct xen_memory_reservation r = {.nr_extents = nr, .extent_order = order, .domid = id};

    set_xen_guest_handle(r.extent_start, list);
    return HYPERVISOR_memory_op(cmd, &r);
}
