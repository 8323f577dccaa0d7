/* SPDX-License-Identifier: MIT */
#ifndef XEN_SHUTDOWN_H
#define XEN_SHUTDOWN_H

#include "lib/types.h"

/*
 * Ends the domain with the SHUTDOWN_* code @reason (SCHEDOP_shutdown of <xen/sched.h>), after the
 * console is drained. In a dom0 SHUTDOWN_poweroff and SHUTDOWN_reboot act on the machine, and
 * SHUTDOWN_crash makes Xen reboot it. shutdown.c also defines platform_crash (lib/panic.h).
 */
void domain_shutdown(unsigned int reason) __noreturn;

#endif
