/* SPDX-License-Identifier: MIT */
/*
 * What the two halves of the fake xenstored need of each other: fake_store_wire.c moves bytes and
 * breaks the protocol where a test asks for it, fake_store.c has nodes, watches and transactions.
 */
#ifndef TESTS_UNIT_FAKE_STORE_WIRE_H
#define TESTS_UNIT_FAKE_STORE_WIRE_H

#include "tests/unit/fake_store.h"

/* A request, whole; a 0 follows its payload. */
struct fake_request {
    struct xsd_sockmsg header;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

/* fake_store_wire.c */

/* Puts a message, or a watch event, behind all that is to go out. */
void fake_store_queue(uint32_t type, uint32_t id, const void *payload, size_t len);
void fake_store_queue_event(const char *path, const char *token);
/* xenstored looks at the ring at its next turn, though the guest has not notified it. */
void fake_store_wake(void);

/* fake_store.c */

/* Carries @r out: NULL if a reply is queued, or the word for an error. */
const char *fake_store_carry_out(const struct fake_request *r);
/* Ends all watches and transactions. */
void fake_store_forget_connection(void);
void fake_store_forget_nodes(void);

#endif
