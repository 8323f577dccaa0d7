/* SPDX-License-Identifier: MIT */
/* The stage that binds the timer VIRQ and the console's event channel. */
#ifndef KERNEL_BOOT_EVENTS_H
#define KERNEL_BOOT_EVENTS_H

#include "kernel/domain.h"

/* As the row of stages.c. 0, or the negative errno of evtchn.h. */
int events_stage(struct domain *d) __must_check;
/* In a new domain every port is closed but the two that start_info names: binds them again. */
int events_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
