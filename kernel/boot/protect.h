/* SPDX-License-Identifier: MIT */
/*
 * W^X: the builder maps everything writable and executable. From here on what is executed is not
 * written, what is written is not executed, and some addresses are not mapped at all.
 */
#ifndef KERNEL_PROTECT_H
#define KERNEL_PROTECT_H

#include "kernel/domain.h"

int protect_stage(struct domain *d) __must_check;

#endif
