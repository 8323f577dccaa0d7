/* SPDX-License-Identifier: MIT */
/* The memory map of a new domain, after a restore or a migration (mm/follow.h). */
#ifndef KERNEL_BOOT_NEW_MAP_H
#define KERNEL_BOOT_NEW_MAP_H

#include "kernel/domain.h"

/*
 * As the row of stages.c. In a new domain reads the E820 map again. If it is not that of the old
 * domain, the PFN ranges and the balloon's set follow it, as far as frames and the P2M list allow;
 * the rest is said. If the map cannot be read or no memory is left, prints a warning and keeps the
 * old map. Returns 0.
 */
int map_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
