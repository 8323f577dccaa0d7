/* SPDX-License-Identifier: MIT */
/*
 * System time: what Xen calls the nanoseconds since it booted, read without a hypercall from the
 * record that it keeps for each vCPU in shared_info (<xen/xen.h>, struct vcpu_time_info).
 */
#ifndef XEN_CLOCK_H
#define XEN_CLOCK_H

#include "lib/types.h"

#include <xen/xen.h>

#define NS_PER_MS ((uint64_t)1000000)
#define NS_PER_S  ((uint64_t)1000000000)

/* The record to read from now on, in memory that stays mapped; NULL: there is no clock. */
void clock_start(const struct vcpu_time_info *record);

/*
 * Nanoseconds since Xen booted; 0 as long as there is no record. Goes on over a save and restore
 * from where the new Xen is, so it may jump either way there.
 */
uint64_t clock_ns(void);

#endif
