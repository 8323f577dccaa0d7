/* SPDX-License-Identifier: MIT */
/* The stage that finds out which domain builder created this domain (docs/abi.md, start_info). */
#ifndef KERNEL_BOOT_BUILDER_H
#define KERNEL_BOOT_BUILDER_H

#include "kernel/domain.h"

/* As the row of stages.c: sets @d->builder for the boot report, and never fails. */
int builder_stage(struct domain *d) __must_check;

#endif
