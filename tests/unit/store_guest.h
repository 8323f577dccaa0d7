/* SPDX-License-Identifier: MIT */
/*
 * A guest with only a clock, events, and a connection to the fake xenstored (fake_store.h). The
 * ring page lies between two pages that fault.
 */
#ifndef TESTS_UNIT_STORE_GUEST_H
#define TESTS_UNIT_STORE_GUEST_H

#include "xen/xenstore.h"

#include <xen/io/xs_wire.h>
#include <xen/xen.h>

extern struct shared_info sg_shared;
extern uint8_t *sg_page; /* the ring page */
extern volatile struct xenstore_domain_interface *sg_ring;
extern struct xs_watch sg_watch; /* a watch of node "a", which sg_start() does not set */

/* Connects to an empty store. All four ring indices start at @index. */
void sg_start(uint32_t index);

/* As after a suspend in a new domain: only the timer has a handler, xenstore must be started. */
void sg_forget_events(void);

/* Checks that the bytes of the ring page behind the ring are unchanged. */
void sg_check_canary(const char *what);
/* Checks that node @path has the value @value. */
void sg_check_node(const char *path, const char *value);
/* Makes each kind of request and checks its result. Leaves no watch and no transaction. */
void sg_ask_everything(void);
/* Checks that the connection is dead: nothing is sent, nothing is received, no request waits. */
void sg_check_dead(const char *what);

#endif
