/* SPDX-License-Identifier: MIT */
/*
 * System time: nanoseconds since Xen booted. The time is computed without a hypercall from the
 * record that Xen keeps for each vCPU in shared_info (struct vcpu_time_info of <xen/xen.h>).
 */
#ifndef XEN_CLOCK_H
#define XEN_CLOCK_H

#include "lib/types.h"

#include <xen/xen.h>

#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S  ((uint64_t)1000000000)

/* Sets the record, which must stay mapped; NULL: from now on there is no clock. */
void clock_start(const struct vcpu_time_info *record);

/*
 * The system time in nanoseconds; 0 without a record. After a restore or migration the time is that
 * of the new host's Xen, so it may be earlier or later than before.
 */
uint64_t clock_ns(void);

/*
 * The system time in nanoseconds by the record *@r, which must be the record of the calling vCPU:
 * self-tests also run on vCPUs other than 0.
 */
uint64_t clock_of(const volatile struct vcpu_time_info *r);

/*
 * Nanoseconds for which vCPU 0 has run since the creation of the domain, Xen's work in its
 * hypercalls included (RUNSTATE_running of <xen/vcpu.h>). The time in which the vCPU waits, or in
 * which another domain has the processor, does not count. Needs no record. 0 if Xen refuses.
 */
uint64_t clock_running_ns(void);

#endif
