/* SPDX-License-Identifier: MIT */
#include "xen/clock.h"

#include "arch/x86/cpu.h"

static const volatile struct vcpu_time_info *record;

void clock_start(const struct vcpu_time_info *r)
{
    record = r;
}

/* Converts TSC ticks to nanoseconds, as <xen/xen.h> says at struct vcpu_time_info. */
static uint64_t scale(uint64_t ticks, int shift, uint32_t fraction)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)((unsigned __int128)ticks * fraction >> 32);
}

uint64_t clock_ns(void)
{
    uint32_t version;
    uint64_t ns;

    if (!record)
        return 0;
    do { /* An odd version: Xen is writing the record. A changed one: Xen has written it. */
        version = record->version;
        barrier();
        ns = record->system_time +
             scale(tsc() - record->tsc_timestamp, record->tsc_shift, record->tsc_to_system_mul);
        barrier();
    } while (version % 2 || version != record->version);
    return ns;
}
