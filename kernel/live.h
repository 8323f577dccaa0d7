/* SPDX-License-Identifier: MIT */
/*
 * The main loop of a domain that stays after its tests (done=wait) or has a shell: blocks until an
 * event, runs commands from the console and from data/command, and handles control/shutdown and
 * memory/target.
 */
#ifndef KERNEL_LIVE_H
#define KERNEL_LIVE_H

#include "kernel/domain.h"

/* Returns how the domain must end: DONE_POWEROFF, DONE_REBOOT or DONE_CRASH. */
enum done live(struct domain *d);

#endif
