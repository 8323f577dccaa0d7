/* SPDX-License-Identifier: MIT */
/*
 * A guest that has nothing but xenstore: a clock, events, and a connection to the fake xenstored
 * (fake_store.h), whose ring lies between two pages that fault.
 */
#ifndef TESTS_UNIT_STORE_GUEST_H
#define TESTS_UNIT_STORE_GUEST_H

#include "xen/xenstore.h"

#include <xen/io/xs_wire.h>
#include <xen/xen.h>

extern struct shared_info sg_shared;
extern uint8_t *sg_page; /* the ring's page */
extern volatile struct xenstore_domain_interface *sg_ring;
extern struct xs_watch sg_watch; /* on "a", which no test of sg_start's has set yet */

/* Connects to an empty store. All four indices of the ring begin at @index. */
void sg_start(uint32_t index);

/* The bytes of the page behind the ring are what they were. */
void sg_check_canary(const char *what);
/* The node @path has the value @value. */
void sg_check_node(const char *path, const char *value);
/* Makes each kind of request, and each ends as it should; in the end no node is watched. */
void sg_ask_everything(void);
/* The connection is broken for good: nothing is sent, nothing is taken in, nothing waits. */
void sg_check_dead(const char *what);

#endif
