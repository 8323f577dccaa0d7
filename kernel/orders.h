/* SPDX-License-Identifier: MIT */
/*
 * Orders: lines that a living guest obeys, typed on its console or written to data/order in
 * xenstore. One table has them all (orders.c): "help" prints it.
 */
#ifndef KERNEL_ORDERS_H
#define KERNEL_ORDERS_H

#include "kernel/domain.h"

/* Carries out @order; an unknown one gets a line that says where those are that there are. */
void order_obey(struct domain *d, const char *order);

/* Says how the order @name is to be used. */
void order_usage(const char *name);

#endif
