/* SPDX-License-Identifier: MIT */
/*
 * Shared by the two halves of the fake xenstored: fake_store_wire.c moves bytes and breaks the
 * protocol on request of a test, fake_store.c has the nodes, watches and transactions.
 */
#ifndef TESTS_UNIT_FAKE_STORE_WIRE_H
#define TESTS_UNIT_FAKE_STORE_WIRE_H

#include "tests/unit/fake_store.h"

/* A complete request; a 0 follows its payload. */
struct fake_request {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

/* In fake_store_wire.c: */

/* Appends a message, or a watch event, to the output. */
void fake_store_queue(uint32_t type, uint32_t id, const void *payload, size_t len);
void fake_store_queue_event(const char *path, const char *token);
/* The next turn looks at the ring, although the guest has not sent an event. */
void fake_store_wake(void);

/* In fake_store.c: */

/* Executes @r. Returns NULL if a reply is queued, else the error word. */
const char *fake_store_carry_out(const struct fake_request *r);
/* Drops all watches and transactions, or all nodes. */
void fake_store_forget_connection(void);
void fake_store_forget_nodes(void);

#endif
