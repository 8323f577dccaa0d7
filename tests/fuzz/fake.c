/* SPDX-License-Identifier: MIT */
/*
 * A fake of the hypercalls by which a guest sends events and waits, with a clock that only these
 * hypercalls advance. tests/unit/fake_events.c has many event channels and checks their use; this
 * fake has one event channel, for speed.
 */
#include "tests/fuzz/fuzz.h"

#include "arch/x86/hypercall.h"

#include "xen/clock.h"

#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include <string.h>

struct fake fake;
static struct shared_info shared;

static volatile struct vcpu_time_info *time_record(void)
{
    return &shared.vcpu_info[0].time;
}

uint64_t fake_now(void)
{
    return time_record()->system_time;
}

static void sleep_until(uint64_t ns)
{
    if (ns > fake_now())
        time_record()->system_time = ns;
}

void fake_start(bool (*turn)(void))
{
    memset(&shared, 0, sizeof(shared));
    shared.vcpu_info[0].time.system_time =
        NS_PER_S; /* tsc_to_system_mul is 0: the TSC adds no time */
    fake = (struct fake){.shared = &shared, .call_ns = 10 * NS_PER_MS, .turn = turn};
}

static bool turn(void)
{
    CHECK(++fake.nr_hypercalls <= FAKE_MAX_HYPERCALLS,
          "a wait ends within FAKE_MAX_HYPERCALLS hypercalls");
    sleep_until(fake_now() + fake.call_ns);
    if (!fake.turn())
        return false;
    shared.evtchn_pending[0] |= 1u << FAKE_PORT;
    shared.vcpu_info[0].evtchn_pending_sel |= 1;
    shared.vcpu_info[0].evtchn_upcall_pending = 1;
    return true;
}

long HYPERVISOR_event_channel_op(unsigned int cmd, void *arg)
{
    if (cmd == EVTCHNOP_unmask)
        shared.evtchn_mask[0] &= ~(1ul << ((struct evtchn_unmask *)arg)->port);
    else
        (void)turn();
    return 0;
}

long HYPERVISOR_vcpu_op(unsigned int cmd, unsigned int vcpu, void *arg)
{
    CHECK(cmd == VCPUOP_set_singleshot_timer && vcpu == 0,
          "VCPUOP_set_singleshot_timer of vCPU 0, no other vcpu_op");
    fake.alarm_ns = ((struct vcpu_set_singleshot_timer *)arg)->timeout_abs_ns;
    return 0;
}

/* SCHEDOP_block returns at an event or at the alarm, SCHEDOP_poll at its timeout. */
long HYPERVISOR_sched_op(unsigned int cmd, void *arg)
{
    switch (cmd) {
    case SCHEDOP_block:
        if (!shared.vcpu_info[0].evtchn_upcall_pending && !turn()) {
            CHECK(fake.alarm_ns, "an alarm is set before SCHEDOP_block without a pending event");
            sleep_until(fake.alarm_ns);
        }
        return 0;
    case SCHEDOP_poll:
        (void)turn();
        sleep_until(((struct sched_poll *)arg)->timeout);
        return 0;
    case SCHEDOP_yield:
        (void)turn();
        return 0;
    case SCHEDOP_watchdog:
        return ((struct sched_watchdog *)arg)->id ? 0 : 1;
    }
    return -XEN_ENOSYS;
}
