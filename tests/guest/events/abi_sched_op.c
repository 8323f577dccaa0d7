/* SPDX-License-Identifier: MIT */
/*
 * SCHEDOP_block, _yield, _watchdog, _pin_override and _remote_shutdown of <xen/sched.h>.
 *
 * A vCPU that is idle blocks. Without these tests Xen could let it sleep although an event is
 * pending
 * ("This avoids a 'wakeup waiting' race"), or wake it without an upcall. A guest could stop or miss
 * a watchdog that another part of it armed, or pin itself to a processor.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "xen/watchdog.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_alarm.h"
#include "tests/guest/events/abi_upcall.h"
#include "tests/guest/vcpu_time.h"

#include <xen/sched.h>

#define NR_WATCHDOGS 2 /* NR_DOMAIN_WATCHDOG_TIMERS of Xen xen/include/xen/sched.h */

/* SCHEDOP_block, which unmasks upcalls. Returns the time blocked. @step has the circumstances. */
static uint64_t block(struct test *t, const char *step)
{
    uint64_t blocked = vcpu_blocked_ns(t);

    upcalls_begin();
    CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_block, NULL), 0, "%s", step);
    upcalls_end(t, step);
    return vcpu_blocked_ns(t) - blocked;
}

TEST_RULE(abi_block,
          "SCHEDOP_block sleeps until an event comes, and delivers its upcall; with a pending "
          "event it does not sleep")
{
    struct alarm a;
    uint64_t at, blocked, early;
    uint32_t version;

    if (!alarm_open(&a, t))
        return;
    event_mask(t, &a.e, a.port, false);
    CHECK_RC(alarm_set(1, 0), 0, "VCPUOP_set_singleshot_timer, time in the past");
    if (alarm_wait(&a, clock_ns() + SLEEP_NS)) {
        /* If Xen blocks here, nothing wakes the vCPU: Xen's watchdog then ends the domain. */
        blocked = block(t, "SCHEDOP_block, upcall pending");
        CHECK(blocked == 0,
              "SCHEDOP_block with evtchn_upcall_pending set: the vCPU was blocked for %lu ns, "
              "expected 0",
              blocked);
    }
    alarm_drop(&a);
    at = clock_ns() + SLEEP_NS;
    version = clock_version(t);
    CHECK_RC(alarm_set(at, 0), 0, "VCPUOP_set_singleshot_timer");
    block(t, "SCHEDOP_block, no event pending");
    early = clock_early_ns(t, at, version);
    CHECK(alarm_fired(&a),
          "SCHEDOP_block, timer in 2 ms: no VIRQ_TIMER event after the return, expected one");
    CHECK(!early,
          "SCHEDOP_block, timer in 2 ms: returned %lu ns before the time of the timer, expected at "
          "most %u ns before",
          early, SLACK_NS);
    event_mask(t, &a.e, a.port, true);
    alarm_close(&a);
}

TEST_RULE(abi_yield,
          "SCHEDOP_yield returns 0 and does not block; an unknown sched_op fails with ENOSYS")
{
    static const unsigned int unknown[] = {8, 1000, (unsigned int)1 << 31, UINT32_MAX};
    uint64_t blocked = vcpu_blocked_ns(t), zero[4] = {0};

    CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_yield, NULL), 0, "SCHEDOP_yield");
    blocked = vcpu_blocked_ns(t) - blocked;
    CHECK(blocked == 0, "SCHEDOP_yield: the vCPU was blocked for %lu ns, expected 0", blocked);
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
        CHECK_RC(HYPERVISOR_sched_op(unknown[i], zero), -ENOSYS, "unknown sched_op 0x%x",
                 unknown[i]);
}

/*
 * The result is 32 bits wide: domain_watchdog() of Xen xen/common/sched/core.c returns the -ENOSPC
 * of a third watchdog as an unsigned 32-bit number, without sign extension.
 */
static int watchdog(uint32_t id, uint32_t seconds)
{
    struct sched_watchdog arg = {.id = id, .timeout = seconds};

    return (int)HYPERVISOR_sched_op(SCHEDOP_watchdog, &arg);
}

/* A watchdog of the test, number @id: a new time, the end, and then it no longer exists. */
static void check_watchdog(struct test *t, uint32_t id)
{
    CHECK_RC(watchdog(id, 2 * WATCHDOG_SECONDS), 0, "SCHEDOP_watchdog %u, new timeout", id);
    CHECK_RC(watchdog(id, 0), 0, "SCHEDOP_watchdog %u, timeout 0: stop", id);
    CHECK_RC(watchdog(id, 0), -EINVAL, "SCHEDOP_watchdog %u, stopped before: stop", id);
    CHECK_RC(watchdog(id, WATCHDOG_SECONDS), -EINVAL,
             "SCHEDOP_watchdog %u, stopped before: new timeout", id);
}

/* All watchdogs are in use. So when watchdog @id is stopped, a new one has the same number. */
static void check_same_watchdog(struct test *t, uint32_t id)
{
    CHECK_RC(watchdog(id, 0), 0, "SCHEDOP_watchdog %u, timeout 0: stop", id);
    CHECK_EQ((uint32_t)watchdog(0, WATCHDOG_SECONDS), id,
             "SCHEDOP_watchdog 0 while all watchdogs but number %u are in use: number of the new "
             "watchdog",
             id);
}

/* The kernel may have one of the watchdogs itself. So the test opens all that are left. */
TEST_RULE(abi_watchdog,
          "SCHEDOP_watchdog has two watchdogs, refuses a third one, and each number that is "
          "not in use")
{
    uint32_t ids[NR_WATCHDOGS];
    unsigned int nr = 0;
    int rc;

    for (rc = watchdog(0, WATCHDOG_SECONDS); rc > 0; rc = watchdog(0, WATCHDOG_SECONDS)) {
        CHECK(rc <= NR_WATCHDOGS && (!nr || (uint32_t)rc != ids[0]),
              "SCHEDOP_watchdog 0, timeout 15 s: result is %d, expected a new number, 1 or 2", rc);
        if (nr == NR_WATCHDOGS)
            break;
        ids[nr++] = (uint32_t)rc;
    }
    CHECK_RC(rc, -ENOSPC, "SCHEDOP_watchdog 0 while all watchdogs are in use");
    CHECK(nr, "SCHEDOP_watchdog 0 opened 0 watchdogs, expected 1 (the kernel has one) or 2");
    CHECK_RC(watchdog(NR_WATCHDOGS + 1, WATCHDOG_SECONDS), -EINVAL, "SCHEDOP_watchdog 3");
    CHECK_RC(watchdog(UINT32_MAX, WATCHDOG_SECONDS), -EINVAL, "SCHEDOP_watchdog UINT32_MAX");
    for (unsigned int i = 0; i < nr; i++)
        check_same_watchdog(t, ids[i]);
    while (nr)
        check_watchdog(t, ids[--nr]);
}

/* Twice refused while the first one is in force: Xen xen/common/sched/core.c,
 * vcpu_temporary_affinity.
 */
static void check_pinning(struct test *t)
{
    static const struct row {
        int32_t cpu;
        int expected;
        const char *when;
    } rows[] = {
        {-1,        -EINVAL, "undo, without an override"},
        {INT32_MAX, -EINVAL, "CPU 2^31 - 1"             },
        {0,         0,       "CPU 0"                    },
        {0,         -EBUSY,  "CPU 0, second override"   },
        {-1,        0,       "undo"                     },
        {-1,        -EINVAL, "second undo"              },
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sched_pin_override arg = {.pcpu = rows[i].cpu};

        CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_pin_override, &arg), rows[i].expected,
                 "SCHEDOP_pin_override, %s", rows[i].when);
    }
}

TEST_RULE(abi_pin_override,
          "SCHEDOP_pin_override is for the hardware domain alone, and can be undone")
{
    struct sched_pin_override undo = {.pcpu = -1};

    if (boot_info_is_initdomain(&t->d->boot))
        check_pinning(t);
    else
        CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_pin_override, &undo), -EPERM,
                 "SCHEDOP_pin_override by a domU");
}

TEST_RULE(abi_remote_shutdown,
          "SCHEDOP_remote_shutdown of a domain that does not exist fails with ESRCH")
{
    struct sched_remote_shutdown arg = {.domain_id = NO_DOMAIN, .reason = SHUTDOWN_poweroff};

    CHECK_RC(HYPERVISOR_sched_op(SCHEDOP_remote_shutdown, &arg), -ESRCH,
             "SCHEDOP_remote_shutdown of domain 0x%x", NO_DOMAIN);
}
