/* SPDX-License-Identifier: MIT */
/*
 * Suspend: the domain is taken apart far enough that the tools can carry it elsewhere, stops in one
 * hypercall, and comes out of it in a new domain or in the old one.
 *
 *      stages up --> no table maps a frame that is not ours --> SCHEDOP_shutdown(suspend)
 *                                                                       |
 *      stages down <--- 0: a new domain; 1: cancelled; < 0: refused <---+
 *
 * The tools are Xen's tools/libs/guest/xg_sr_save_x86_pv.c and xg_sr_restore_x86_pv.c.
 */
#ifndef KERNEL_SUSPEND_H
#define KERNEL_SUSPEND_H

#include "kernel/domain.h"

/*
 * Suspends. Returns 0 in a new domain, 1 if it was cancelled, and a negative errno if it cannot be
 * done: the domain goes on, and the reason is on the console and in xenstore (data/suspend).
 */
int suspend(struct domain *d) __must_check;

#endif
