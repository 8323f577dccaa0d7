/* SPDX-License-Identifier: MIT */
/*
 * Without these a Xen that trusts a guest's pointers, or takes a number that it does not know for
 * one that it does, would look like any other. The public headers say of every hypercall that it
 * fails with a negative errno; what is held here is which, and that nothing was written on the way.
 * An unchecked pointer into Xen's own area is how guests broke out by XSA-212 ("broken check in
 * memory_exchange() permits PV guest breakout"); XENMEM_exchange is among what is tried.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define NONCANONICAL 0x0000800000000000
/* Of what HYPERVISOR_VIRT_START to _END is, past the M2P: no guest may read it, let alone write. */
#define XEN_AREA (HYPERVISOR_VIRT_START + ((uint64_t)3 << 40))
/* What no Xen has: the tables of hypercalls and of commands end far below. */
#define UNKNOWN 62

/* Where a pointer may not point. */
enum bad { BAD_UNMAPPED, BAD_CROSSING, BAD_XEN, BAD_M2P, BAD_NONCANONICAL, NR_BAD };

static const char *const bad_names[NR_BAD] = {
    [BAD_UNMAPPED] = "an unmapped page",
    [BAD_CROSSING] = "a page whose next one is unmapped",
    [BAD_XEN] = "Xen's own area",
    [BAD_M2P] = "the M2P",
    [BAD_NONCANONICAL] = "a non-canonical address",
};

/* A hypercall whose argument number @pointer, from 1 on, is an address. */
struct row {
    const char *name;
    unsigned int number, pointer;
    uint64_t args[4];
};

#define OP(name) __HYPERVISOR_##name

static const struct row rows[] = {
    {"current_reservation",  OP(memory_op),        2, {XENMEM_current_reservation}    },
    {"machphys_mapping",     OP(memory_op),        2, {XENMEM_machphys_mapping}       },
    {"exchange",             OP(memory_op),        2, {XENMEM_exchange}               },
    {"extraversion",         OP(xen_version),      2, {XENVER_extraversion}           },
    {"get_features",         OP(xen_version),      2, {XENVER_get_features}           },
    {"event status",         OP(event_channel_op), 2, {EVTCHNOP_status}               },
    {"event send",           OP(event_channel_op), 2, {EVTCHNOP_send}                 },
    {"get_runstate_info",    OP(vcpu_op),          3, {VCPUOP_get_runstate_info, 0}   },
    {"set_singleshot_timer", OP(vcpu_op),          3, {VCPUOP_set_singleshot_timer, 0}},
    {"mmu_update",           OP(mmu_update),       1, {0, 1, 0, DOMID_SELF}           },
    {"mmuext_op",            OP(mmuext_op),        1, {0, 1, 0, DOMID_SELF}           },
    {"poll",                 OP(sched_op),         2, {SCHEDOP_poll}                  },
    {"watchdog",             OP(sched_op),         2, {SCHEDOP_watchdog}              },
    {"multicall",            OP(multicall),        1, {0, 1}                          },
};

static const struct row rows_of_dom0[] = {
    {"machine_memory_map", OP(memory_op),  2, {XENMEM_machine_memory_map}},
    {"console write",      OP(console_io), 3, {CONSOLEIO_write, 8}       },
};

static void try_row(struct test *t, const struct row *row, const uint64_t *bad)
{
    uint64_t a[4];

    memcpy(a, row->args, sizeof(a));
    for (unsigned int b = 0; b < NR_BAD; b++) {
        a[row->pointer - 1] = bad[b];
        CHECK_RC(HYPERVISOR_any(row->number, a[0], a[1], a[2], a[3]), -EFAULT, "%s at %s",
                 row->name, bad_names[b]);
    }
}

TEST(abi_pointers, "a hypercall refuses a pointer to what is not the guest's to read or write")
{
    uint64_t pages = host_current_pages(), bad[NR_BAD];
    struct room r;
    uint8_t *page;

    if (!room_open(&r, t, 16))
        return;
    page = room_alloc(&r, 1);
    memset(page, 0xff, PAGE_SIZE); /* what is read of it is no count, and no command */
    bad[BAD_UNMAPPED] = (uintptr_t)page + PAGE_SIZE;
    bad[BAD_CROSSING] = (uintptr_t)page + PAGE_SIZE - 1;
    bad[BAD_XEN] = XEN_AREA;
    bad[BAD_M2P] = HYPERVISOR_VIRT_START;
    bad[BAD_NONCANONICAL] = NONCANONICAL;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        try_row(t, &rows[i], bad);
    for (size_t i = 0; i < ARRAY_SIZE(rows_of_dom0) && boot_info_is_initdomain(&t->d->boot); i++)
        try_row(t, &rows_of_dom0[i], bad);
    CHECK(host_current_pages() == pages, "the domain had 0x%lx pages, and now 0x%lx", pages,
          host_current_pages());
    room_free(&r, page, 1);
    room_close(&r);
}

/* A structure that can be read, and whose answer cannot be written: our own text. */
TEST(abi_readonly, "what Xen writes for a guest, the guest's own rights let it write")
{
    struct evtchn_status *status = (struct evtchn_status *)image_start;
    uint64_t before[8];

    memcpy(before, image_start, sizeof(before));
    CHECK_RC(HYPERVISOR_xen_version(XENVER_extraversion, image_start), -EFAULT,
             "extraversion into text");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_machphys_mapping, image_start), -EFAULT,
             "machphys_mapping into text");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, image_start), -EFAULT,
             "get_runstate_info into text");
    CHECK(HYPERVISOR_event_channel_op(EVTCHNOP_status, status) < 0, "event status into text");
    CHECK(!memcmp(before, image_start, sizeof(before)), "text has changed");
}

/* XENMEM_exchange: @out is where the new frames' numbers go. Nothing may be exchanged. */
static void try_exchange(struct test *t, struct spot s, uint64_t out, const char *what)
{
    uint64_t in = s.mfn.v;
    struct xen_memory_exchange x = {
        .in = {.nr_extents = 1, .domid = DOMID_SELF},
        .out = {.nr_extents = 1, .domid = DOMID_SELF},
    };
    pfn_t pfn = m2p_get(&t->d->host.m2p, s.mfn);

    set_xen_guest_handle(x.in.extent_start, &in);
    set_xen_guest_handle(x.out.extent_start, (uint64_t *)out);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EFAULT, "exchange, numbers to %s", what);
    CHECK(x.nr_exchanged == 0, "%lu frames were exchanged for %s", x.nr_exchanged, what);
    CHECK(m2p_get(&t->d->host.m2p, s.mfn).v == pfn.v, "the frame was taken for %s", what);
}

TEST(abi_extents, "memory_op refuses lists of extents in Xen's area, and none is done")
{
    uint64_t pages = host_current_pages();
    struct xen_memory_reservation grow = {.nr_extents = 1, .domid = DOMID_SELF};
    struct room r;
    struct spot s;

    if (!room_open(&r, t, 16))
        return;
    s = room_spot(&r);
    try_exchange(t, s, XEN_AREA, "Xen's own area");
    try_exchange(t, s, HYPERVISOR_VIRT_START, "the M2P");
    try_exchange(t, s, NONCANONICAL, "a non-canonical address");
    /* these count what they have done, and so say 0 */
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, (void *)s.va), 0, "populate, nowhere");
    set_xen_guest_handle(grow.extent_start, (uint64_t *)XEN_AREA);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &grow), 0, "populate from Xen's area");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &grow), 0, "release from there");
    set_xen_guest_handle(grow.extent_start, (uint64_t *)s.va);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &grow), 0, "populate from nowhere");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &grow), 0, "release from nowhere");
    CHECK(host_current_pages() == pages, "the domain had 0x%lx pages, and now 0x%lx", pages,
          host_current_pages());
    room_drop(&r, s);
    room_close(&r);
}

TEST(abi_numbers, "numbers of hypercalls and of commands that Xen does not know are -ENOSYS")
{
    static const uint64_t numbers[] = {UNKNOWN, 1000, 0xffffffff,
                                       (uint64_t)1 << 32 | __HYPERVISOR_xen_version, UINT64_MAX};
    struct mmuext_op op = {.cmd = 1000};
    uint64_t zero[8] = {0};

    if (shim_is_between(t))
        return;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        CHECK_RC(HYPERVISOR_any(numbers[i], 0, 0, 0, 0), -ENOSYS, "hypercall 0x%lx", numbers[i]);
    CHECK_RC(HYPERVISOR_memory_op(UNKNOWN, zero), -ENOSYS, "memory_op %d", UNKNOWN);
    CHECK_RC(HYPERVISOR_xen_version(UNKNOWN, zero), -ENOSYS, "xen_version %d", UNKNOWN);
    CHECK_RC(HYPERVISOR_event_channel_op(UNKNOWN, zero), -ENOSYS, "event_channel_op %d", UNKNOWN);
    CHECK_RC(HYPERVISOR_vcpu_op(UNKNOWN, 0, zero), -ENOSYS, "vcpu_op %d", UNKNOWN);
    CHECK_RC(HYPERVISOR_sched_op(UNKNOWN, zero), -ENOSYS, "sched_op %d", UNKNOWN);
    CHECK_RC(HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), -ENOSYS, "mmuext_op %u", op.cmd);
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_is_up, t->d->host.nr_vcpus, NULL), -ENOENT,
             "a vCPU that is not there");
    if (boot_info_is_initdomain(&t->d->boot))
        CHECK_RC(HYPERVISOR_console_io(UNKNOWN, 0, NULL), -ENOSYS, "console_io %d", UNKNOWN);
}

TEST(abi_zero, "a count of 0 is carried out: nothing is done, and 0 is the answer")
{
    struct xen_memory_reservation none = {.domid = DOMID_SELF};
    unsigned int done = 7;
    uint64_t zero[2] = {0};

    CHECK_RC(HYPERVISOR_mmu_update((struct mmu_update *)zero, 0, &done, DOMID_SELF), 0,
             "mmu_update of none");
    CHECK(done == 0, "mmu_update of none has done %u", done);
    done = 7;
    CHECK_RC(HYPERVISOR_mmuext_op((struct mmuext_op *)zero, 0, &done, DOMID_SELF), 0,
             "mmuext_op of none");
    CHECK(done == 0, "mmuext_op of none has done %u", done);
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)zero, 0, 0, 0), 0,
             "multicall of none");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &none), 0, "populate_physmap of none");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &none), 0,
             "decrease_reservation of none");
    if (boot_info_is_initdomain(&t->d->boot))
        CHECK_RC(HYPERVISOR_console_io(CONSOLEIO_write, 0, (char *)zero), 0, "write of nothing");
}
