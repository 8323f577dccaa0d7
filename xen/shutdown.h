/* SPDX-License-Identifier: MIT */
#ifndef XEN_SHUTDOWN_H
#define XEN_SHUTDOWN_H

#include "lib/types.h"

/*
 * Ends the domain for @reason, one of SHUTDOWN_* of <xen/sched.h>. In a dom0 poweroff and reboot
 * are the machine's, and crash makes Xen reboot it. Provides platform_crash (lib/panic.h).
 */
void domain_shutdown(unsigned int reason) __noreturn;

#endif
