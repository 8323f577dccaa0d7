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
 *      boot, and the resume after a suspend    armed     Xen, after 15 seconds or watchdog=SECONDS
 *      self-tests, if the domain then ends     armed     Xen, after 15 seconds or watchdog=SECONDS
 *      all else with done=wait or a shell      disarmed  whoever waits for the domain: --timeout of
 *                                                        scripts/boot, xl destroy
 *
 * The timer also runs on while the host machine has no processor left for the domain. So a runner
 * that counts the time of the machine itself (scripts/boot) gives the watchdog ten times as long.
 */
#ifndef XEN_WATCHDOG_H
#define XEN_WATCHDOG_H

#include "lib/types.h"

#define WATCHDOG_SECONDS 15

/*
 * Sets the time until the watchdog ends the domain: by default WATCHDOG_SECONDS, and 0: never. The
 * time counts from now on if the watchdog is armed, and else from the next watchdog_start().
 */
void watchdog_set(uint32_t seconds);

/*
 * Arms the watchdog, with the time of watchdog_set() from now. If Xen refuses, prints a warning;
 * the watchdog stays disarmed.
 */
void watchdog_start(void);

/* Sets the armed watchdog to its whole time again. Does nothing while the watchdog is disarmed. */
void watchdog_kick(void);

/* Disarms the watchdog. */
void watchdog_stop(void);

#endif
