/* SPDX-License-Identifier: MIT */
#include "xen/clock.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include <xen/vcpu.h>

static const volatile struct vcpu_time_info *record;

void clock_start(const struct vcpu_time_info *r)
{
    record = r;
}

/*
 * The ticks since Xen wrote the record. The stamp of a record from before the creation of the
 * domain is below 0, so only the difference counts. The TSC of another processor may be a little
 * behind, and then the difference, taken as unsigned, would be an alarm in the far future.
 */
static uint64_t ticks_since(uint64_t stamp)
{
    int64_t ticks = (int64_t)(tsc_ordered() - stamp);

    return ticks > 0 ? (uint64_t)ticks : 0;
}

/* Converts TSC ticks to nanoseconds, as <xen/xen.h> says at struct vcpu_time_info. */
static uint64_t scale(uint64_t ticks, int shift, uint32_t fraction)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)((unsigned __int128)ticks * fraction >> 32);
}

uint64_t clock_of(const volatile struct vcpu_time_info *r)
{
    uint32_t version;
    uint64_t ns;

    do { /* An odd version: Xen is writing the record. A changed one: Xen has written it. */
        version = r->version;
        barrier();
        ns = r->system_time +
             scale(ticks_since(r->tsc_timestamp), r->tsc_shift, r->tsc_to_system_mul);
        barrier();
    } while (version % 2 || version != r->version);
    return ns;
}

uint64_t clock_ns(void)
{
    return record ? clock_of(record) : 0;
}

uint64_t clock_running_ns(void)
{
    struct vcpu_runstate_info info;

    return HYPERVISOR_vcpu_op(VCPUOP_get_runstate_info, 0, &info) ? 0 : info.time[RUNSTATE_running];
}
