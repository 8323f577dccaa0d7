/* SPDX-License-Identifier: MIT */
/* The stage that binds the timer VIRQ and the console's event channel. */
#ifndef KERNEL_BOOT_EVENTS_H
#define KERNEL_BOOT_EVENTS_H

#include "kernel/domain.h"

/*
 * As the row of stages.c. 0, or a negative errno of xen/evtchn.h if the timer cannot be bound. A
 * console without an event channel has no input (xen/console.h), which is a warning.
 */
int events_stage(struct domain *d) __must_check;
/*
 * In a new domain all ports are closed except those of the console and xenstore rings, which
 * start_info names. Binds the timer VIRQ and the console again; xen/xenstore.h binds its port.
 */
int events_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * True if the last resume was one of the old domain, although SCHEDOP_shutdown has returned 0 as in
 * a new one (fast=0 of Xen's xg_resume.c): the connection to xenstored is the old one, too.
 */
bool events_are_of_old_domain(void);

#endif
