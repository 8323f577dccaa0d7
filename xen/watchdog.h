/* SPDX-License-Identifier: MIT */
/*
 * Xen's domain watchdog (SCHEDOP_watchdog of <xen/sched.h>): Xen ends a domain that does not reset
 * its watchdog in time, with the code SHUTDOWN_watchdog. So a hang of the kernel ends the domain.
 */
#ifndef XEN_WATCHDOG_H
#define XEN_WATCHDOG_H

#define WATCHDOG_SECONDS 15

/*
 * Sets the watchdog to WATCHDOG_SECONDS from now. The first call arms it. Prints a warning if Xen
 * refuses.
 */
void watchdog_kick(void);

/* Disarms the watchdog, before the domain waits for an unlimited time. */
void watchdog_stop(void);

#endif
