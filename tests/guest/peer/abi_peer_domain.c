/* SPDX-License-Identifier: MIT */
/*
 * The life of a domain, as a toolstack sees it through HYPERVISOR_domctl (<xen/domctl.h>).
 *
 * Without these tests Xen could report a wrong state of a domain, start a domain that must stay
 * paused, accept a vCPU context that crashes the host, or let a hypercall act on the wrong domain
 * when the domain that it names is gone. Only a toolstack would notice, after hours.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/peer/peer_domain.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>

#define ROOM_PAGES 24
#define NR_FRAMES  4

TEST_RULE(abi_peer_create, "XEN_DOMCTL_getdomaininfo reports a new domain as it was created")
{
    static const uint8_t handle[16] = PEER_HANDLE;
    struct peer_domctl op = {.u.create = {.max_vcpus = 1}};
    struct peer_info info;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    info = peer_info_of(&p, "after XEN_DOMCTL_createdomain");
    CHECK_EQ(info.domain, p.id, "ID of the new domain by getdomaininfo");
    CHECK_EQ(info.flags & (PEER_PAUSED | PEER_HVM | PEER_DYING), PEER_PAUSED,
             "flags paused (0x8), HVM (0x2) and dying (0x1) of the new domain");
    CHECK_EQ(info.tot_pages, NR_FRAMES, "tot_pages of the new domain");
    CHECK_EQ(info.max_pages, NR_FRAMES, "max_pages of the new domain after XEN_DOMCTL_max_mem");
    CHECK_EQ(info.outstanding_pages, 0, "outstanding_pages of the new domain");
    CHECK_EQ(info.nr_online_vcpus, 0, "nr_online_vcpus of the new domain");
    CHECK_EQ(info.max_vcpu_id, 0, "max_vcpu_id of the new domain, which has one vCPU");
    CHECK_EQ(info.cpu_time, 0, "cpu_time of the new domain, which never ran");
    for (unsigned int i = 0; i < sizeof(handle); i++)
        CHECK_EQ(info.handle[i], handle[i], "byte %u of the handle of domain %u", i, p.id);
    CHECK_RC(peer_domctl(&p, PEER_CREATE, &op), -EEXIST,
             "XEN_DOMCTL_createdomain with the ID of domain %u, which exists", p.id);
    op.u.max_vcpus = 2;
    CHECK_RC(peer_domctl(&p, PEER_MAX_VCPUS, &op), -EINVAL,
             "XEN_DOMCTL_max_vcpus of 2 for domain %u, created with 1", p.id);
    peer_close(&p);
}

static void check_paused(const struct peer *p, bool paused, const char *when)
{
    struct test *t = p->t;

    CHECK_EQ(peer_info_of(p, when).flags & PEER_PAUSED, paused ? PEER_PAUSED : 0,
             "%s: XEN_DOMINF_paused of domain %u", when, p->id);
}

static void step(const struct peer *p, enum peer_cmd cmd, long expected, bool paused,
                 const char *what)
{
    struct peer_domctl op = {0};
    struct test *t = p->t;

    CHECK_RC(peer_domctl(p, cmd, &op), expected, "%s of domain %u", what, p->id);
    check_paused(p, paused, what);
}

/* The vCPU of the peer has no context and is down: the peer does not run while it is unpaused. */
TEST_RULE(abi_peer_pause, "pausedomain and unpausedomain count: a domain runs when the count is 0")
{
    struct peer_domctl op = {0};
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    check_paused(&p, true, "after XEN_DOMCTL_createdomain");
    step(&p, PEER_PAUSE, 0, true, "pausedomain, to count 2");
    step(&p, PEER_UNPAUSE, 0, true, "unpausedomain, to count 1");
    step(&p, PEER_UNPAUSE, 0, false, "unpausedomain, to count 0");
    step(&p, PEER_UNPAUSE, -EINVAL, false, "unpausedomain at count 0");
    step(&p, PEER_PAUSE, 0, true, "pausedomain, from count 0 to 1");
    CHECK_RC(peer_domctl_of(&p, p.self, PEER_PAUSE, &op), -EINVAL,
             "XEN_DOMCTL_pausedomain of the calling domain");
    CHECK_RC(peer_domctl_of(&p, p.self, PEER_DESTROY, &op), -EINVAL,
             "XEN_DOMCTL_destroydomain of the calling domain");
    peer_close(&p);
}

/* <xen/domctl.h>: the reason of a shutdown is in bits 23:16 of the flags. */
#define SHUTDOWN_FLAGS(reason) (PEER_SHUTDOWN | (uint32_t)(reason) << 16)

TEST_RULE(
    abi_peer_shutdown,
    "SCHEDOP_remote_shutdown shuts down the domain that it names, resumedomain ends the shutdown")
{
    struct sched_remote_shutdown shutdown = {.reason = SHUTDOWN_suspend};
    struct peer_domctl op = {0};
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    shutdown.domain_id = p.id;
    CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &shutdown), 0,
             "SCHEDOP_remote_shutdown of domain %u, reason 2 (suspend)", p.id);
    CHECK_EQ(peer_info_of(&p, "after SCHEDOP_remote_shutdown").flags & SHUTDOWN_FLAGS(0xff),
             SHUTDOWN_FLAGS(SHUTDOWN_suspend),
             "shutdown flag (0x4) and reason (bits 23:16) of domain %u after "
             "SCHEDOP_remote_shutdown",
             p.id);
    CHECK_RC(peer_domctl(&p, PEER_RESUME, &op), 0, "XEN_DOMCTL_resumedomain of domain %u", p.id);
    CHECK_EQ(peer_info_of(&p, "after XEN_DOMCTL_resumedomain").flags & PEER_SHUTDOWN, 0,
             "shutdown flag (0x4) of domain %u after XEN_DOMCTL_resumedomain", p.id);
    peer_close(&p);
    CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &shutdown), -ESRCH,
             "SCHEDOP_remote_shutdown of domain %u, which is gone", p.id);
}

/* Each command of domctl that names a domain. */
static void try_domctls(const struct peer *p)
{
    static const enum peer_cmd cmds[] = {PEER_DESTROY,     PEER_PAUSE,      PEER_UNPAUSE,
                                         PEER_MAX_MEM,     PEER_MAX_VCPUS,  PEER_SET_CONTEXT,
                                         PEER_GET_CONTEXT, PEER_PAGE_TYPES, PEER_GET_INFO};
    struct test *t = p->t;

    for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
        struct peer_domctl op = {0};
        long rc = peer_domctl(p, cmds[i], &op);

        /* getdomaininfo tells of the next domain, if there is one */
        if (cmds[i] != PEER_GET_INFO || rc || op.domain == p->id)
            CHECK_RC(rc, -ESRCH, "XEN_DOMCTL command %u of domain %u, which is gone", cmds[i],
                     p->id);
    }
}

static void try_memory_ops(const struct peer *p)
{
    static const unsigned int counting[] = {XENMEM_populate_physmap, XENMEM_increase_reservation,
                                            XENMEM_decrease_reservation};
    struct xen_memory_exchange exchange = {
        .in = {.nr_extents = 1, .domid = p->id},
          .out = {.nr_extents = 1, .domid = p->id}
    };
    struct xen_foreign_memory_map map = {.domid = p->id};
    struct test *t = p->t;
    domid_t id = p->id;
    uint64_t list[1] = {p->mfn[0].v};

    CHECK_RC(HYPERVISOR_memory_op(XENMEM_current_reservation, &id), -ESRCH,
             "XENMEM_current_reservation of domain %u, which is gone", id);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_maximum_reservation, &id), -ESRCH,
             "XENMEM_maximum_reservation of domain %u, which is gone", id);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_set_memory_map, &map), -ESRCH,
             "XENMEM_set_memory_map of domain %u, which is gone", id);
    set_xen_guest_handle(exchange.in.extent_start, list);
    set_xen_guest_handle(exchange.out.extent_start, list);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &exchange), -ESRCH,
             "XENMEM_exchange of domain %u, which is gone", id);
    for (size_t i = 0; i < ARRAY_SIZE(counting); i++)
        CHECK_RC(peer_reservation(counting[i], id, list, 1, 0), 0,
                 "extents done by XENMEM command %u for domain %u, which is gone", counting[i], id);
}

static void try_ports(const struct peer *p)
{
    struct evtchn_alloc_unbound alloc = {.dom = p->id, .remote_dom = DOMID_SELF};
    struct evtchn_bind_interdomain bind = {.remote_dom = p->id, .remote_port = 1};
    struct evtchn_status status = {.dom = p->id, .port = 1};
    struct evtchn_reset reset = {.dom = p->id};
    struct test *t = p->t;

    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -ESRCH,
             "EVTCHNOP_alloc_unbound in domain %u, which is gone", p->id);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind), -ESRCH,
             "EVTCHNOP_bind_interdomain to domain %u, which is gone", p->id);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_status, &status), -ESRCH,
             "EVTCHNOP_status in domain %u, which is gone", p->id);
    CHECK_RC(HYPERVISOR_event_channel_op(EVTCHNOP_reset, &reset), -ESRCH,
             "EVTCHNOP_reset of domain %u, which is gone", p->id);
}

static void try_grants(const struct peer *p)
{
    uint64_t frame = 0;
    struct gnttab_setup_table setup = {.dom = p->id, .nr_frames = 1};
    struct gnttab_query_size size = {.dom = p->id};
    struct gnttab_get_version version = {.dom = p->id};
    struct test *t = p->t;
    long rc;

    set_xen_guest_handle(setup.frame_list, &frame);
    rc = HYPERVISOR_grant_table_op(GNTTABOP_setup_table, &setup, 1);
    CHECK_GNTST(rc ? (int16_t)rc : setup.status, GNTST_bad_domain,
                "GNTTABOP_setup_table of domain %u, which is gone", p->id);
    rc = HYPERVISOR_grant_table_op(GNTTABOP_query_size, &size, 1);
    CHECK_GNTST(rc ? (int16_t)rc : size.status, GNTST_bad_domain,
                "GNTTABOP_query_size of domain %u, which is gone", p->id);
    CHECK_RC(HYPERVISOR_grant_table_op(GNTTABOP_get_version, &version, 1), -ESRCH,
             "GNTTABOP_get_version of domain %u, which is gone", p->id);
}

/* abi_mmu_command tries an unknown FD, which Xen logs. */
static void try_mmu(const struct peer *p)
{
    struct test *t = p->t;

    CHECK_RC(peer_mmu_update(p->window.mfn, 0, 0, DOMID_SELF, p->id), -ESRCH,
             "mmu_update of a page table of domain %u, which is gone", p->id);
}

TEST_RULE(abi_peer_gone, "a hypercall that names a destroyed domain fails with ESRCH (bad_domain)")
{
    struct peer p;

    if (!peer_open(&p, t, 1, ROOM_PAGES))
        return;
    peer_destroy(&p);
    peer_check_gone(&p, "after XEN_DOMCTL_destroydomain");
    try_domctls(&p);
    try_memory_ops(&p);
    try_ports(&p);
    if (t->d->grants.table)
        try_grants(&p);
    try_mmu(&p);
    peer_close(&p);
}
