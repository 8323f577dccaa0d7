/* SPDX-License-Identifier: MIT */
/* What is shared with other domains: the foreign window, the grant table, unpopulated PFNs. */
#ifndef KERNEL_BOOT_FOREIGN_H
#define KERNEL_BOOT_FOREIGN_H

#include "kernel/domain.h"

int foreign_stage(struct domain *d) __must_check;

/* -EBUSY if a page of ours is in use elsewhere, or something is mapped that nobody can map anew. */
int foreign_before_suspend(struct domain *d) __must_check;
/* Always 0: a range that cannot be mapped again is printed, and the domain goes on without it. */
int foreign_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
