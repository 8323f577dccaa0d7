/* SPDX-License-Identifier: MIT */
/* The order "xs": xenstore, as the command of that name shows it in a dom0. */
#ifndef KERNEL_ORDER_STORE_H
#define KERNEL_ORDER_STORE_H

#include "kernel/domain.h"

/*
 * "ls PATH" prints the names below PATH, one a line; "read PATH" prints a value; "write PATH VALUE"
 * writes one, blanks in it and all, or, with none, empties the node. A path without a slash in
 * front is below the domain's own. What xenstored refuses is said.
 */
void order_store(struct domain *d, const char *arguments);

#endif
