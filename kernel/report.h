/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_REPORT_H
#define KERNEL_REPORT_H

#include "kernel/domain.h"

/*
 * Prints the boot report, one line of JSON, {"report":"boot",...}, which scripts/memory-map and
 * bench/run read (docs/architecture.md, "The report", has the fields). Sizes are in pages unless
 * the name has another unit, addresses are strings, times are TSC ticks.
 */
void report_boot(const struct domain *d);

/*
 * Prints the report of a suspend, {"report":"suspend",...}, which bench/suspend reads. Times are
 * clock_running_ns() at the end of each step: of the old domain in "before", of the domain that
 * goes on in "after".
 */
void report_suspend(const struct domain *d, bool new_domain);

#endif
