/* SPDX-License-Identifier: MIT */
/* The stage of foreign mappings (mm/foreign.h), unpopulated PFNs and the grant table. */
#ifndef KERNEL_BOOT_FOREIGN_H
#define KERNEL_BOOT_FOREIGN_H

#include "kernel/domain.h"

/*
 * As the row of stages.c. Without a grant table (-ENOSYS from Xen) prints a warning and returns 0;
 * else 0 or an error of grants_start.
 */
int foreign_stage(struct domain *d) __must_check;

/*
 * Unmaps all foreign ranges. -EBUSY with everything mapped as before if a range has no owner, if
 * another domain uses a page whose grant has ended, or if an unpopulated PFN is allocated; or the
 * errno of a range's owner.
 */
int foreign_before_suspend(struct domain *d) __must_check;
/*
 * Has the owners remap their ranges. A failure is a warning, not an error: the result is always 0.
 */
int foreign_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
