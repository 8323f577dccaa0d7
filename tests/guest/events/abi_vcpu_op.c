/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_vcpu_op (<xen/vcpu.h>): what Xen tells of a vCPU, and the calls that Xen must refuse.
 *
 * A kernel counts the time that other domains took from it by VCPUOP_get_runstate_info. Without
 * these tests the times could be wrong, or a call for a vCPU that does not exist could reach Xen's
 * tables. A vcpu_info that crosses the end of its page lets Xen write into the next frame, which
 * may belong to another domain.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/vcpu_time.h"

#include <xen/vcpu.h>

#define ENXIO    6  /* <xen/errno.h> */
#define UNKNOWN  62 /* Xen's commands are lower */
#define LAST_CMD VCPUOP_register_vcpu_time_memory_area

/* The four times grow between two readings, no faster than the clock. */
static void check_times(struct test *t, const struct vcpu_runstate_info *a,
                        const struct vcpu_runstate_info *b, uint64_t past_ns)
{
    for (size_t i = 0; i < ARRAY_SIZE(a->time); i++)
        CHECK(
            b->time[i] >= a->time[i] && b->time[i] - a->time[i] <= past_ns + SLACK_NS,
            "VCPUOP_get_runstate_info of vCPU 0: time[%lu] was %lu, then %lu; expected an increase "
            "of at most %lu",
            i, a->time[i], b->time[i], past_ns);
}

/* A sleep counts as blocked, from one scheduling to the next, which is the entry of the new state.
 */
TEST_RULE(abi_runstate,
          "VCPUOP_get_runstate_info: the caller is running, and the time it slept counts as "
          "RUNSTATE_blocked")
{
    uint64_t slept = 0;

    for (unsigned int i = 0; i < MAX_SLEEPS && slept < SLEEP_NS / 4 && t->result == TEST_SUCCESS;
         i++) {
        uint32_t version = clock_version(t);
        uint64_t start = clock_ns(), until = start + SLEEP_NS;
        struct vcpu_runstate_info a = vcpu_runstate(t, 0), b;
        uint64_t early, past;
        evtchn_port_t none = 0;

        CHECK_RC(poll_ports(&none, 0, until), 0, "SCHEDOP_poll of 0 ports");
        b = vcpu_runstate(t, 0);
        CHECK_EQ((uint64_t)a.state, RUNSTATE_running, "runstate of vCPU 0 before SCHEDOP_poll");
        CHECK_EQ((uint64_t)b.state, RUNSTATE_running, "runstate of vCPU 0 after SCHEDOP_poll");
        early = clock_early_ns(t, b.state_entry_time, version);
        CHECK(
            !early,
            "VCPUOP_get_runstate_info of vCPU 0: state_entry_time is 0x%lx, which is %lu ns after "
            "the system time, expected at most %u ns after",
            b.state_entry_time, early, SLACK_NS);
        past = clock_ns() - start;
        if (clock_version(t) == version) /* also when the clock was read for @past */
            check_times(t, &a, &b, past);
        slept = b.time[RUNSTATE_blocked] - a.time[RUNSTATE_blocked];
    }
    CHECK(slept >= SLEEP_NS / 4,
          "SCHEDOP_poll for 2 ms, %u times: time[RUNSTATE_blocked] of vCPU 0 grew by %lu ns in the "
          "last one, expected >= 500000 ns",
          MAX_SLEEPS, slept);
}

TEST_RULE(abi_vcpu_absent, "each vcpu_op for a vCPU that does not exist fails with ENOENT")
{
    static uint64_t zero[8]; /* an argument that Xen could read */
    unsigned int absent = t->d->host.nr_vcpus;

    for (unsigned int cmd = 0; cmd <= LAST_CMD; cmd++) {
        CHECK_RC(HYPERVISOR_vcpu_op(cmd, absent, zero), -ENOENT, "vcpu_op %u of absent vCPU %u",
                 cmd, absent);
        CHECK_RC(HYPERVISOR_vcpu_op(cmd, UINT32_MAX, zero), -ENOENT,
                 "vcpu_op %u of vCPU UINT32_MAX", cmd);
    }
}

TEST_RULE(abi_vcpu_self,
          "vCPU 0 is up, VCPUOP_up of it changes nothing, and an unknown vcpu_op fails with "
          "ENOSYS")
{
    struct vcpu_get_physid id = {0};
    long rc;

    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_is_up, 0, NULL), 1, "VCPUOP_is_up of vCPU 0");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_up, 0, NULL), 0, "VCPUOP_up of vCPU 0, which is up");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_is_up, 0, NULL), 1,
             "VCPUOP_is_up of vCPU 0 after VCPUOP_up");
    CHECK_RC(HYPERVISOR_vcpu_op(UNKNOWN, 0, &id), -ENOSYS, "vcpu_op 62");
    CHECK_RC(HYPERVISOR_vcpu_op(UINT32_MAX, 0, &id), -ENOSYS, "vcpu_op UINT32_MAX");
    rc = HYPERVISOR_vcpu_op(VCPUOP_get_physid, 0, &id);
    if (rc) /* only with dom0_vcpus_pin has a vCPU of dom0 one */
        CHECK_RC(rc, -EINVAL, "VCPUOP_get_physid of vCPU 0");
    CHECK(rc || boot_info_is_initdomain(&t->d->boot),
          "VCPUOP_get_physid by a domU: result is 0, expected -22 (EINVAL)");
}

/* Xen 4.14, 4.17 and 4.19 have different errnos for a bad offset: EINVAL is one of them. */
struct info_row {
    const char *what;
    uint32_t offset;
    int other;
};

/* A vcpu_info can be registered once. Xen then refuses any other one, with EINVAL or EBUSY. */
static bool info_registered;

static void try_info(struct test *t, unsigned int vcpu, mfn_t mfn, const struct info_row *row)
{
    struct vcpu_register_vcpu_info arg = {.mfn = mfn.v, .offset = row->offset};
    long rc = HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, vcpu, &arg);

    if (rc != row->other && !(info_registered && rc == -EBUSY))
        CHECK_RC(rc, -EINVAL, "VCPUOP_register_vcpu_info of vCPU %u, MFN 0x%lx, offset 0x%x (%s)",
                 vcpu, mfn.v, row->offset, row->what);
}

/*
 * Of the last vCPU: if that is not vCPU 0, the kernel does not depend on its vcpu_info.
 */
TEST_RULE(abi_vcpu_info_refused,
          "VCPUOP_register_vcpu_info refuses a vcpu_info that crosses a page, and "
          "a frame that is not writable")
{
    static const struct info_row rows[] = {
        {"crosses the end of the page", PAGE_SIZE - sizeof(struct vcpu_info) + 8, -ENXIO},
        {"in the last 8 bytes",         PAGE_SIZE - 8,                            -ENXIO},
        {"behind the page",             PAGE_SIZE,                                -ENXIO},
        {"far behind the page",         UINT32_MAX - 7,                           -ENXIO},
        {"not aligned",                 4,                                        -ENXIO},
    };
    static const struct info_row past = {"past all memory", 0, -EINVAL};
    static const struct info_row table = {"a page table", 0, -EACCES};
    unsigned int vcpu = t->d->host.nr_vcpus - 1;
    uint32_t version;
    struct spot s;

    if (!spot_open(t, &s))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        try_info(t, vcpu, s.mfn, &rows[i]);
    try_info(t, vcpu, to_mfn((uint64_t)1 << 40), &past);
    try_info(t, vcpu, t->d->pt.root, &table);
    version = clock_version(t);
    CHECK(version % 2 == 0,
          "after refused calls of VCPUOP_register_vcpu_info: vcpu_info[0].time.version is 0x%x, "
          "expected an even number",
          version);
    spot_close(s);
}

/*
 * Registers the place in shared_info where the vcpu_info is already. So the kernel and the other
 * tests still find it there.
 */
static long register_in_place(const struct test *t, unsigned int vcpu)
{
    struct vcpu_register_vcpu_info arg = {
        .mfn = maddr_to_mfn(t->d->boot.shared_info).v,
        .offset = offsetof(struct shared_info, vcpu_info) + vcpu * sizeof(struct vcpu_info),
    };

    return HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_info, vcpu, &arg);
}

static void check_registered(struct test *t, unsigned int vcpu, evtchn_port_t port)
{
    volatile struct vcpu_info *info = &t->d->shared->vcpu_info[vcpu];
    uint64_t selector = info->evtchn_pending_sel;
    long rc;

    CHECK(selector >> port / 64 & 1,
          "after VCPUOP_register_vcpu_info of vCPU %u, port 0x%x pending: evtchn_pending_sel is "
          "0x%lx, expected bit %u to be set",
          vcpu, port, selector, port / 64);
    CHECK_EQ((uint64_t)info->evtchn_upcall_pending, 1,
             "after VCPUOP_register_vcpu_info of vCPU %u, port 0x%x pending: evtchn_upcall_pending",
             vcpu, port);
    rc = register_in_place(t, vcpu);
    if (rc != -EBUSY) /* Xen 4.19 and later */
        CHECK_RC(rc, -EINVAL, "second VCPUOP_register_vcpu_info of vCPU %u", vcpu);
}

/*
 * Port @port of @vcpu is pending, but the selector and the upcall flag are lost, as can happen
 * while a vcpu_info moves: Xen sets both in the old vcpu_info after Xen has copied it.
 */
static void try_lost(struct test *t, struct events *e, evtchn_port_t port, unsigned int vcpu)
{
    volatile struct vcpu_info *info = &t->d->shared->vcpu_info[vcpu];
    bool again = info_registered;
    long rc;

    event_mask(t, e, port, false);
    check_port(t, port_send(port), 0, "EVTCHNOP_send", port);
    info->evtchn_pending_sel = 0;
    info->evtchn_upcall_pending = 0;
    rc = register_in_place(t, vcpu);
    info_registered = true;
    if (again && rc) {
        test_skip(t,
                  "an earlier run has registered the vcpu_info of vCPU %u, which Xen allows once",
                  vcpu);
    } else {
        CHECK_RC(rc, 0, "VCPUOP_register_vcpu_info of vCPU %u at its place in shared_info", vcpu);
        check_registered(t, vcpu, port);
    }
    event_mask(t, e, port, true);
    event_ack(t, e, port, vcpu);
}

TEST_RULE(abi_vcpu_info_set,
          "VCPUOP_register_vcpu_info loses no event: a pending port is in evtchn_pending_sel")
{
    unsigned int vcpu = event_vcpus(t) - 1;
    evtchn_port_t port;
    struct events e;

    if (!port_opened(t, port_ipi(vcpu, &port), "EVTCHNOP_bind_ipi"))
        return;
    events_quiet(t);
    events_read(t, &e);
    try_lost(t, &e, port, vcpu);
    events_restore(t);
    check_port(t, port_close(port), 0, "EVTCHNOP_close", port);
}
