/* SPDX-License-Identifier: MIT */
/*
 * Arguments that a hypercall must refuse: pointers, numbers of commands, counts of 0.
 *
 * Without these tests a Xen that follows an unchecked guest pointer, or takes an unknown number for
 * a known one, would look like any other Xen. By the public headers a hypercall fails with a
 * negative errno. The tests check which errno, and that Xen has written nothing. With an unchecked
 * pointer into Xen's own area a guest could take over the host (abi_exchange.c).
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
/* Between HYPERVISOR_VIRT_START and _END, behind the M2P: a guest may neither read nor write it. */
#define XEN_AREA (HYPERVISOR_VIRT_START + ((uint64_t)3 << 40))
/* Not the number of any hypercall or command: Xen's numbers are lower. */
#define UNKNOWN 62

/* Addresses that a hypercall must refuse. */
enum bad { BAD_UNMAPPED, BAD_CROSSING, BAD_XEN, BAD_M2P, BAD_NONCANONICAL, NR_BAD };

static const char *const bad_names[NR_BAD] = {
    [BAD_UNMAPPED] = "in an unmapped page",
    [BAD_CROSSING] = "the last byte before an unmapped page",
    [BAD_XEN] = "in Xen's own area",
    [BAD_M2P] = "in the M2P",
    [BAD_NONCANONICAL] = "non-canonical",
};

/* A hypercall whose argument number @pointer, counted from 1, is an address. */
struct row {
    const char *name;
    uint16_t number, pointer, args[4];
};

#define OP(name) __HYPERVISOR_##name

static const struct row rows[] = {
    {"XENMEM_current_reservation",  OP(memory_op),        2, {XENMEM_current_reservation}    },
    {"XENMEM_machphys_mapping",     OP(memory_op),        2, {XENMEM_machphys_mapping}       },
    {"XENMEM_exchange",             OP(memory_op),        2, {XENMEM_exchange}               },
    {"XENVER_extraversion",         OP(xen_version),      2, {XENVER_extraversion}           },
    {"XENVER_get_features",         OP(xen_version),      2, {XENVER_get_features}           },
    {"EVTCHNOP_status",             OP(event_channel_op), 2, {EVTCHNOP_status}               },
    {"EVTCHNOP_send",               OP(event_channel_op), 2, {EVTCHNOP_send}                 },
    {"VCPUOP_get_runstate_info",    OP(vcpu_op),          3, {VCPUOP_get_runstate_info, 0}   },
    {"VCPUOP_set_singleshot_timer", OP(vcpu_op),          3, {VCPUOP_set_singleshot_timer, 0}},
    {"mmu_update",                  OP(mmu_update),       1, {0, 1, 0, DOMID_SELF}           },
    {"mmuext_op",                   OP(mmuext_op),        1, {0, 1, 0, DOMID_SELF}           },
    {"SCHEDOP_poll",                OP(sched_op),         2, {SCHEDOP_poll}                  },
    {"SCHEDOP_watchdog",            OP(sched_op),         2, {SCHEDOP_watchdog}              },
    {"multicall",                   OP(multicall),        1, {0, 1}                          },
};

static const struct row rows_of_dom0[] = {
    {"XENMEM_machine_memory_map", OP(memory_op),  2, {XENMEM_machine_memory_map}},
    {"CONSOLEIO_write",           OP(console_io), 3, {CONSOLEIO_write, 8}       },
};

static void try_row(struct test *t, const struct row *row, const uint64_t *bad)
{
    uint64_t a[4];

    for (size_t i = 0; i < ARRAY_SIZE(a); i++)
        a[i] = row->args[i];
    for (unsigned int b = 0; b < NR_BAD; b++) {
        a[row->pointer - 1] = bad[b];
        CHECK_RC(HYPERVISOR_any(row->number, a[0], a[1], a[2], a[3]), -EFAULT,
                 "%s, argument %u is 0x%lx (%s)", row->name, row->pointer, bad[b], bad_names[b]);
    }
}

TEST(abi_pointers, "a hypercall fails with EFAULT for a pointer that the guest may not use")
{
    uint64_t pages = host_current_pages(), bad[NR_BAD];
    struct room r;
    uint8_t *page;

    if (!room_open(&r, t, 16))
        return;
    page = room_alloc(&r, 1);
    memset(page, 0xff, PAGE_SIZE); /* Xen reads no valid count or command here */
    bad[BAD_UNMAPPED] = (uintptr_t)page + PAGE_SIZE;
    bad[BAD_CROSSING] = (uintptr_t)page + PAGE_SIZE - 1;
    bad[BAD_XEN] = XEN_AREA;
    bad[BAD_M2P] = HYPERVISOR_VIRT_START;
    bad[BAD_NONCANONICAL] = NONCANONICAL;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        try_row(t, &rows[i], bad);
    for (size_t i = 0; i < ARRAY_SIZE(rows_of_dom0) && boot_info_is_initdomain(&t->d->boot); i++)
        try_row(t, &rows_of_dom0[i], bad);
    CHECK_EQ(host_current_pages(), pages, "after self-test %s: XENMEM_current_reservation",
             t->test->name);
    room_free(&r, page, 1);
    room_close(&r);
}

static void check_output(struct test *t, long rc, const char *name)
{
    CHECK_RC(rc, -EFAULT, "%s with its output in read-only .text at %p", name, (void *)image_start);
}

/* EVTCHNOP_status has input in the same structure, which is readable. */
TEST(abi_readonly, "a hypercall never writes its output to a read-only page of the guest")
{
    uint64_t before[8];
    long rc;

    memcpy(before, image_start, sizeof(before));
    check_output(t, HYPERVISOR_xen_version(XENVER_extraversion, image_start),
                 "XENVER_extraversion");
    check_output(t, HYPERVISOR_memory_op(XENMEM_machphys_mapping, image_start),
                 "XENMEM_machphys_mapping");
    check_output(t, HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, image_start),
                 "VCPUOP_get_runstate_info");
    rc = HYPERVISOR_event_channel_op(EVTCHNOP_status, image_start);
    CHECK(rc < 0,
          "EVTCHNOP_status with its argument in read-only .text: result is %ld, expected a "
          "negative errno",
          rc);
    for (size_t i = 0; i < ARRAY_SIZE(before); i++)
        CHECK_EQ(((const uint64_t *)image_start)[i], before[i],
                 "after hypercalls with output in .text: word %lu of .text", i);
}

/* These commands return the number of extents that they have processed. */
static void try_extents(struct test *t, uint64_t list)
{
    struct xen_memory_reservation grow = {.nr_extents = 1, .domid = DOMID_SELF};

    set_xen_guest_handle(grow.extent_start, (uint64_t *)list);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &grow), 0,
             "extents done by XENMEM_populate_physmap, unreadable extent list at 0x%lx", list);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &grow), 0,
             "extents done by XENMEM_decrease_reservation, unreadable extent list at 0x%lx", list);
}

TEST(abi_extents,
     "XENMEM_populate_physmap and _decrease_reservation process no extent of an unreadable list")
{
    uint64_t pages = host_current_pages();
    struct spot s;

    if (!spot_open(t, &s)) /* s.va is not mapped */
        return;
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, (void *)s.va), 0,
             "extents done by XENMEM_populate_physmap, argument at unmapped 0x%lx", s.va);
    try_extents(t, XEN_AREA);
    try_extents(t, s.va);
    CHECK_EQ(host_current_pages(), pages, "after self-test %s: XENMEM_current_reservation",
             t->test->name);
    spot_close(s);
}

static void check_unknown(struct test *t, long rc, const char *name, unsigned int cmd)
{
    CHECK_RC(rc, -ENOSYS, "%s, unknown command %u", name, cmd);
}

TEST(abi_numbers, "each unknown hypercall number and command number fails with ENOSYS")
{
    static const uint64_t numbers[] = {UNKNOWN, 1000, 0xffffffff,
                                       (uint64_t)1 << 32 | __HYPERVISOR_xen_version, UINT64_MAX};
    struct mmuext_op op = {.cmd = 1000};
    uint64_t zero[8] = {0};

    if (shim_is_between(t))
        return;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        CHECK_RC(HYPERVISOR_any(numbers[i], 0, 0, 0, 0), -ENOSYS, "unknown hypercall 0x%lx",
                 numbers[i]);
    check_unknown(t, HYPERVISOR_memory_op(UNKNOWN, zero), "memory_op", UNKNOWN);
    check_unknown(t, HYPERVISOR_xen_version(UNKNOWN, zero), "xen_version", UNKNOWN);
    check_unknown(t, HYPERVISOR_event_channel_op(UNKNOWN, zero), "event_channel_op", UNKNOWN);
    check_unknown(t, HYPERVISOR_vcpu_op(UNKNOWN, 0, zero), "vcpu_op", UNKNOWN);
    check_unknown(t, HYPERVISOR_sched_op(UNKNOWN, zero), "sched_op", UNKNOWN);
    check_unknown(t, HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF), "mmuext_op", op.cmd);
    /* XSM/FLASK denies an unknown console_io command with EPERM before Xen looks at its number. */
    if (boot_info_is_initdomain(&t->d->boot) && !t->d->host.has_flask)
        check_unknown(t, HYPERVISOR_console_io(UNKNOWN, 0, NULL), "console_io", UNKNOWN);
}

TEST(abi_zero, "a hypercall with a count of 0 succeeds")
{
    struct xen_memory_reservation none = {.domid = DOMID_SELF};
    unsigned int done = 7;
    uint64_t zero[2] = {0};

    CHECK_RC(HYPERVISOR_mmu_update((struct mmu_update *)zero, 0, &done, DOMID_SELF), 0,
             "mmu_update of 0 requests");
    CHECK_EQ(done, 0, "after mmu_update of 0 requests: *pdone");
    done = 7;
    CHECK_RC(HYPERVISOR_mmuext_op((struct mmuext_op *)zero, 0, &done, DOMID_SELF), 0,
             "mmuext_op of 0 operations");
    CHECK_EQ(done, 0, "after mmuext_op of 0 operations: *pdone");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)zero, 0, 0, 0), 0,
             "multicall of 0 calls");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_populate_physmap, &none), 0,
             "XENMEM_populate_physmap of 0 extents");
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_decrease_reservation, &none), 0,
             "XENMEM_decrease_reservation of 0 extents");
    if (boot_info_is_initdomain(&t->d->boot))
        CHECK_RC(HYPERVISOR_console_io(CONSOLEIO_write, 0, (char *)zero), 0,
                 "CONSOLEIO_write of 0 bytes");
}
