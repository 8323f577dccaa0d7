/* SPDX-License-Identifier: MIT */
/*
 * Requests to xenstored and their replies, for xen/xenstore.c alone: the part of the client that
 * knows of time, identities and the state of the connection. xen/xenstore.h has the rules.
 */
#ifndef XEN_XENSTORE_REQUEST_H
#define XEN_XENSTORE_REQUEST_H

#include "xen/xenstore.h"

/* A request of one or two strings. The first is sent with its 0, the second if @second_ends. */
struct xenstore_request {
    uint32_t type;
    xs_tx_t tx;
    const char *first, *second; /* @second may be NULL */
    bool second_ends;
};

/* Sends @r and waits for its reply. @reply may be NULL. The results are those of xenstore.h. */
int xenstore_ask(const struct xenstore_request *r, struct xs_reply *reply) __must_check;

/*
 * Takes in the messages that have come, and sends what is still to be sent, without waiting. True
 * if xenstored can be asked something: there is a connection, and no request waits for a late
 * reply.
 */
bool xenstore_receive(void) __must_check;

/* The number in the reply to XS_TRANSACTION_START; 0 if there is none. */
xs_tx_t xenstore_transaction_of(const char *payload);

/* As xenstore_start, xenstore_stop and xenstore_resume_at, but without the watches. */
int xenstore_connect(void *page, evtchn_port_t port, bool is_new) __must_check;
void xenstore_disconnect(void);
int xenstore_listen(evtchn_port_t port) __must_check;

/* In xenstore.c: takes in the payload of a watch event, and a gap in which events may be lost. */
void xenstore_take_event(const char *payload, size_t len_bytes);
void xenstore_take_gap(bool new_connection);

#endif
