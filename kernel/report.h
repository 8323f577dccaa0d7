/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_REPORT_H
#define KERNEL_REPORT_H

#include "kernel/domain.h"

/*
 * Prints what boot did as one line of JSON, {"report":"boot",...}: scripts and pictures are made
 * from it. Sizes are in pages unless named otherwise, addresses are strings, times are TSC ticks.
 */
void report_boot(const struct domain *d);

#endif
