/* SPDX-License-Identifier: MIT */
/*
 * Xen's domain watchdog (SCHEDOP_watchdog of <xen/sched.h>): Xen ends a domain that does not reset
 * its watchdog in time, with the code SHUTDOWN_watchdog. So a hang of the kernel ends the domain.
 *
 * Xen's timer runs on while the domain is paused (xl pause, xl dump-core, a debugger in dom0), and
 * a paused domain cannot reset it (domain_watchdog of Xen xen/common/sched/core.c). So the watchdog
 * is armed only for work that has an end soon:
 *
 *      work                                    watchdog  a hang ends by
 *      boot, and the resume after a suspend    armed     Xen, after WATCHDOG_SECONDS
 *      self-tests, if the domain then ends     armed     Xen, after WATCHDOG_SECONDS
 *      all else with done=wait or a shell      disarmed  whoever waits for the domain: --timeout of
 *                                                        scripts/boot, xl destroy
 */
#ifndef XEN_WATCHDOG_H
#define XEN_WATCHDOG_H

#define WATCHDOG_SECONDS 15

/*
 * Arms the watchdog, with WATCHDOG_SECONDS from now. If Xen refuses, prints a warning; the watchdog
 * stays disarmed.
 */
void watchdog_start(void);

/* Sets the watchdog to WATCHDOG_SECONDS from now. Does nothing while it is disarmed. */
void watchdog_kick(void);

/* Disarms the watchdog. */
void watchdog_stop(void);

#endif
