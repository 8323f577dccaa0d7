/* SPDX-License-Identifier: MIT */
/* The stages that make a guest which can be talked to: events, console input, xenstore. */
#ifndef KERNEL_SERVICES_H
#define KERNEL_SERVICES_H

#include "kernel/domain.h"

/* As the rows of stages.c. */
int events_stage(struct domain *d) __must_check;
int events_after_resume(struct domain *d, bool new_domain) __must_check;
int rings_stage(struct domain *d) __must_check;
int store_stage(struct domain *d) __must_check;
int store_before_suspend(struct domain *d) __must_check;
int store_after_resume(struct domain *d, bool new_domain) __must_check;

/* Has something come that one of the functions below would take? */
bool store_has_news(void);

/*
 * What the toolstack asks for in control/shutdown, acknowledged by emptying the node in the same
 * transaction that reads it.
 */
enum wish { WISH_NONE, WISH_POWEROFF, WISH_REBOOT, WISH_HALT, WISH_SUSPEND, NR_WISHES };
enum wish store_take_wish(void);

/*
 * The pages that memory/target asks for, if it has changed since this was last asked; else, and if
 * it makes no sense, 0.
 */
uint64_t store_take_target(void);

/*
 * An order of the tests (orders.h), written to data/order: a word, copied to @order. False if there
 * is none. store_end_order empties the node: it is done. One that is written before that is lost.
 */
bool store_take_order(char *order, size_t size_bytes);
void store_end_order(void);

/* Leaves @text at @path, for whoever looks there; what cannot be written is only said. */
void store_say(const char *path, const char *text);

#endif
