/* SPDX-License-Identifier: MIT */
/*
 * Orders: words that a living guest obeys, typed on its console or written to data/order in
 * xenstore. One table has them all (orders.c).
 */
#ifndef KERNEL_ORDERS_H
#define KERNEL_ORDERS_H

#include "kernel/domain.h"

/* Carries out @order; an unknown one gets a line that names those there are. */
void order_obey(struct domain *d, const char *order);

#endif
