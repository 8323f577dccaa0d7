/* SPDX-License-Identifier: MIT */
/*
 * Xen's own watchdog: a domain that does not say in time that it is alive is ended by Xen, with a
 * reason that says so (<xen/sched.h>, SCHEDOP_watchdog). So a hang ends by itself.
 */
#ifndef XEN_WATCHDOG_H
#define XEN_WATCHDOG_H

#define WATCHDOG_SECONDS 15

/* "Alive": WATCHDOG_SECONDS from now on. The first call arms it; says so on failure, and goes on.
 */
void watchdog_kick(void);

/* No more of it: for a domain that only waits. */
void watchdog_stop(void);

#endif
