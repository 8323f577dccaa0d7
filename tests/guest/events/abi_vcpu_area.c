/* SPDX-License-Identifier: MIT */
/*
 * Memory of the guest into which Xen writes: VCPUOP_register_runstate_memory_area and
 * VCPUOP_register_vcpu_time_memory_area of <xen/vcpu.h>.
 *
 * A kernel reads there how long its vCPU was preempted, and user mode reads the time. Without these
 * tests Xen could stop to update an area, or go on to write into one that the guest has replaced
 * and uses for something else. (Xen xen/common/domain.c, xen/arch/x86/domain.c, time.c.)
 *
 * The areas are static: a Xen that writes into an old area then damages nothing.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/vcpu_time.h"

#include <xen/vcpu.h>

#define PATTERN      0x5a
#define NONCANONICAL 0x0000800000000000
#define MAX_READINGS 1000 /* of an area that Xen changes meanwhile */
/* Between HYPERVISOR_VIRT_START and _END, behind the M2P. */
#define XEN_AREA (HYPERVISOR_VIRT_START + ((uint64_t)3 << 40))

static struct vcpu_runstate_info runstates[2];
static struct vcpu_time_info times[2];

static long register_runstate(unsigned int vcpu, uint64_t address)
{
    struct vcpu_register_runstate_memory_area arg = {.addr.p = address};

    return HYPERVISOR_vcpu_op(VCPUOP_register_runstate_memory_area, vcpu, &arg);
}

static long register_time(unsigned int vcpu, uint64_t address)
{
    struct vcpu_register_time_memory_area arg = {.addr.p = address};

    return HYPERVISOR_vcpu_op(VCPUOP_register_vcpu_time_memory_area, vcpu, &arg);
}

static bool is_pattern(const void *area, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        if (((const volatile uint8_t *)area)[i] != PATTERN)
            return false;
    return true;
}

/*
 * Blocks vCPU 0 for 1 ms, and until Xen has scheduled the vCPU after @since_ns. That may take more
 * than one sleep: another processor's clock may be behind (abi_alarm.h).
 */
static void sleep(struct test *t, uint64_t since_ns)
{
    evtchn_port_t none = 0;
    unsigned int i = 0;

    do
        CHECK_RC(poll_ports(&none, 0, clock_ns() + (NS_PER_MS << i)), 0, "SCHEDOP_poll of 0 ports");
    while (vcpu_runstate(t, 0).state_entry_time <= since_ns && ++i < MAX_SLEEPS);
}

/*
 * The area is what Xen knew when it scheduled vCPU 0: of the times only the one of the state
 * "running" may have grown since. Xen may schedule the vCPU between the readings, on a busy host
 * many times in a row: then the readings are repeated.
 */
static void check_runstate_area(struct test *t, const struct vcpu_runstate_info *area,
                                const char *when)
{
    struct vcpu_runstate_info a, now, again = vcpu_runstate(t, 0);
    unsigned int tries = 0;

    do {
        now = again;
        barrier();
        a = *area;
        barrier();
        again = vcpu_runstate(t, 0);
    } while (again.state_entry_time != now.state_entry_time && ++tries < MAX_READINGS);
    CHECK_EQ(a.state_entry_time, now.state_entry_time,
             "%s: runstate area of vCPU 0: state_entry_time", when);
    CHECK_EQ((uint64_t)a.state, RUNSTATE_running, "%s: runstate area of vCPU 0: state", when);
    CHECK_EQ(a.time[RUNSTATE_blocked], now.time[RUNSTATE_blocked],
             "%s: runstate area of vCPU 0: time[RUNSTATE_blocked]", when);
    CHECK_EQ(a.time[RUNSTATE_runnable], now.time[RUNSTATE_runnable],
             "%s: runstate area of vCPU 0: time[RUNSTATE_runnable]", when);
    CHECK(a.time[RUNSTATE_running] <= now.time[RUNSTATE_running],
          "%s: runstate area of vCPU 0: time[RUNSTATE_running] is %lu, expected <= %lu, that of a "
          "later VCPUOP_get_runstate_info",
          when, a.time[RUNSTATE_running], now.time[RUNSTATE_running]);
}

static void check_runstate_other(struct test *t)
{
    struct vcpu_runstate_info now;

    memset(runstates, PATTERN, sizeof(runstates));
    CHECK_RC(register_runstate(1, (uintptr_t)&runstates[1]), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 1");
    now = vcpu_runstate(t, 1);
    CHECK_EQ((uint64_t)runstates[1].state, (uint64_t)now.state,
             "runstate area of vCPU 1, just registered by vCPU 0: state");
    CHECK_EQ(runstates[1].state_entry_time, now.state_entry_time,
             "runstate area of vCPU 1, just registered by vCPU 0: state_entry_time");
    CHECK(is_pattern(&runstates[0], sizeof(runstates[0])),
          "VCPUOP_register_runstate_memory_area of vCPU 1: Xen has written to the former area of "
          "vCPU 0 at 0x%lx, expected no store",
          (uintptr_t)&runstates[0]);
    CHECK_RC(register_runstate(1, 0), 0, "VCPUOP_register_runstate_memory_area of vCPU 1: none");
}

TEST_RULE(abi_runstate_area,
          "Xen updates the runstate area of a vCPU each time it schedules the vCPU, and "
          "never again after another area was registered")
{
    uint64_t entry;

    memset(runstates, PATTERN, sizeof(runstates));
    CHECK_RC(register_runstate(0, (uintptr_t)&runstates[0]), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 0");
    check_runstate_area(t, &runstates[0], "just registered");
    entry = runstates[0].state_entry_time;
    sleep(t, entry);
    check_runstate_area(t, &runstates[0], "after SCHEDOP_poll");
    CHECK(runstates[0].state_entry_time > entry,
          "runstate area of vCPU 0: state_entry_time after SCHEDOP_poll is 0x%lx, expected > 0x%lx",
          runstates[0].state_entry_time, entry);

    CHECK_RC(register_runstate(0, (uintptr_t)&runstates[1]), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 0, second area");
    memset(&runstates[0], PATTERN, sizeof(runstates[0]));
    CHECK_RC(register_runstate(0, XEN_AREA), -EFAULT,
             "VCPUOP_register_runstate_memory_area at Xen's address 0x%lx", XEN_AREA);
    CHECK_RC(register_runstate(0, NONCANONICAL), -EFAULT,
             "VCPUOP_register_runstate_memory_area at non-canonical 0x%lx", NONCANONICAL);
    sleep(t, vcpu_runstate(t, 0).state_entry_time);
    CHECK(is_pattern(&runstates[0], sizeof(runstates[0])),
          "after VCPUOP_register_runstate_memory_area of a second area of vCPU 0: Xen has written "
          "to the first area at 0x%lx, expected no store",
          (uintptr_t)&runstates[0]);
    check_runstate_area(t, &runstates[1], "second area, after SCHEDOP_poll");

    CHECK_RC(register_runstate(0, 0), 0, "VCPUOP_register_runstate_memory_area of vCPU 0: none");
    memset(runstates, PATTERN, sizeof(runstates));
    sleep(t, vcpu_runstate(t, 0).state_entry_time);
    CHECK(is_pattern(runstates, sizeof(runstates)),
          "after VCPUOP_register_runstate_memory_area of vCPU 0 at 0 (none): Xen has written to a "
          "former area, at 0x%lx or 0x%lx, expected no store",
          (uintptr_t)&runstates[0], (uintptr_t)&runstates[1]);
    if (event_vcpus(t) > 1)
        check_runstate_other(t);
}

static long runstate_flag(unsigned int cmd)
{
    return HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_runstate_update_flag, 0, 0);
}

/*
 * <xen/vcpu.h>: XEN_RUNSTATE_UPDATE, the highest bit of state_entry_time, is set "only as long as
 * the update is in progress". A reader that waits until the bit is 0 would wait for ever.
 */
TEST_RULE(abi_runstate_update_flag,
          "with VMASST_TYPE_runstate_update_flag, XEN_RUNSTATE_UPDATE is 0 after each update of "
          "the runstate area")
{
    volatile struct vcpu_runstate_info *area = &runstates[0];
    long rc = runstate_flag(VMASST_CMD_enable);

    if (rc) {
        test_skip(t, "Xen refuses VMASST_TYPE_runstate_update_flag (%s)", errno_name((int)rc));
        return;
    }
    memset(runstates, PATTERN, sizeof(runstates));
    CHECK_RC(register_runstate(0, (uintptr_t)&runstates[0]), 0,
             "VCPUOP_register_runstate_memory_area of vCPU 0");
    sleep(t, vcpu_runstate(t, 0).state_entry_time);
    CHECK(!(area->state_entry_time & XEN_RUNSTATE_UPDATE),
          "runstate area of vCPU 0 after SCHEDOP_poll, with runstate_update_flag: "
          "state_entry_time is 0x%lx, expected a value without bit 63",
          area->state_entry_time);
    check_runstate_area(t, &runstates[0], "with runstate_update_flag, after SCHEDOP_poll");
    CHECK_RC(register_runstate(0, 0), 0, "VCPUOP_register_runstate_memory_area of vCPU 0: none");
    CHECK_RC(runstate_flag(VMASST_CMD_disable), 0,
             "vm_assist(VMASST_CMD_disable, runstate_update_flag)");
}

/* Registering an area makes Xen update the record in shared_info and the area. */
static void check_time_area(struct test *t, const struct vcpu_time_info *area, uint32_t before,
                            const char *when)
{
    const volatile struct vcpu_time_info *record = &t->d->shared->vcpu_info[0].time;
    struct vcpu_time_info a, now;
    unsigned int tries = 0;
    uint32_t version;

    do { /* Xen updates both each second, too */
        version = record->version;
        barrier();
        now = *record;
        a = *area;
        barrier();
    } while (record->version != version && ++tries < MAX_READINGS);
    CHECK_EQ(a.version, now.version, "%s: time area of vCPU 0: version", when);
    CHECK(a.version % 2 == 0 && a.version != before,
          "%s: time area of vCPU 0: version is 0x%x, expected an even number other than 0x%x, the "
          "version before the registration",
          when, a.version, before);
    CHECK_EQ(a.tsc_timestamp, now.tsc_timestamp, "%s: time area of vCPU 0: tsc_timestamp", when);
    CHECK_EQ(a.system_time, now.system_time, "%s: time area of vCPU 0: system_time", when);
    CHECK_EQ(a.tsc_to_system_mul, now.tsc_to_system_mul,
             "%s: time area of vCPU 0: tsc_to_system_mul", when);
    CHECK_EQ((uint64_t)a.tsc_shift, (uint64_t)now.tsc_shift, "%s: time area of vCPU 0: tsc_shift",
             when);
}

TEST_RULE(abi_time_area,
          "Xen writes the time record of a vCPU to its registered area, and never again after "
          "another area was registered")
{
    uint32_t version = clock_version(t);

    memset(times, PATTERN, sizeof(times));
    CHECK_RC(register_time(0, (uintptr_t)&times[0]), 0,
             "VCPUOP_register_vcpu_time_memory_area of vCPU 0");
    check_time_area(t, &times[0], version, "just registered");
    CHECK_RC(register_time(0, (uintptr_t)&times[1]), 0,
             "VCPUOP_register_vcpu_time_memory_area of vCPU 0, second area");
    version = times[0].version;
    CHECK_RC(register_time(0, (uintptr_t)&times[1]), 0,
             "VCPUOP_register_vcpu_time_memory_area of vCPU 0, second area, once more");
    CHECK_EQ(times[0].version, version,
             "after a second area was registered: version in the first time area of vCPU 0");
    check_time_area(t, &times[1], version, "second area");
    CHECK_RC(register_time(0, XEN_AREA), -EFAULT,
             "VCPUOP_register_vcpu_time_memory_area at Xen's address 0x%lx", XEN_AREA);
    CHECK_RC(register_time(0, NONCANONICAL), -EFAULT,
             "VCPUOP_register_vcpu_time_memory_area at non-canonical 0x%lx", NONCANONICAL);
    CHECK_RC(register_time(0, 0), 0, "VCPUOP_register_vcpu_time_memory_area of vCPU 0: none");
    version = times[1].version;
    sleep(t, vcpu_runstate(t, 0).state_entry_time);
    CHECK_EQ(times[1].version, version,
             "after VCPUOP_register_vcpu_time_memory_area of vCPU 0 at 0 (none): version in the "
             "second time area");
    version = clock_version(t);
    CHECK(version % 2 == 0,
          "after VCPUOP_register_vcpu_time_memory_area of vCPU 0 at 0 (none): "
          "vcpu_info[0].time.version is 0x%x, expected an even number",
          version);
}
