/* SPDX-License-Identifier: MIT */
/* The stages that put memory right, in the order in which they run. */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "kernel/domain.h"

int frame_pool_stage(struct domain *d) __must_check;
int map_stage(struct domain *d) __must_check;
int plan_stage(struct domain *d) __must_check;
int revector_stage(struct domain *d) __must_check;
int revector_before_suspend(struct domain *d) __must_check;
int revector_after_resume(struct domain *d, bool new_domain) __must_check;
int renumber_stage(struct domain *d) __must_check;
int publish_stage(struct domain *d) __must_check;
int publish_after_resume(struct domain *d, bool new_domain) __must_check;
int teardown_stage(struct domain *d) __must_check;

#endif
