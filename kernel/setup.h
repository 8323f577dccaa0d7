/* SPDX-License-Identifier: MIT */
/* The first stages: being able to fail well, and to know where we are. */
#ifndef KERNEL_SETUP_H
#define KERNEL_SETUP_H

#include "kernel/domain.h"

int traps_stage(struct domain *d) __must_check;
int console_stage(struct domain *d) __must_check;
int windows_stage(struct domain *d) __must_check;
int start_info_stage(struct domain *d) __must_check;
int shared_info_stage(struct domain *d) __must_check;
int host_stage(struct domain *d) __must_check;

#endif
