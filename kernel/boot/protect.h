/* SPDX-License-Identifier: MIT */
/*
 * Page rights of the image. The builders map all pages writable and executable. This stage maps
 * text R-X, constants R-- and data RW-, and unmaps the stack's guard page and address 0.
 */
#ifndef KERNEL_BOOT_PROTECT_H
#define KERNEL_BOOT_PROTECT_H

#include "kernel/domain.h"

/*
 * As the row of stages.c. Prints a warning if the CPU has no NX bit: then data can be executed.
 * Returns 0, or Xen's negative errno.
 */
int protect_stage(struct domain *d) __must_check;

#endif
