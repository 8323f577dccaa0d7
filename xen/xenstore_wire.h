/* SPDX-License-Identifier: MIT */
/*
 * Whole messages over the ring (xen/xenstore_ring.h): one incoming and one outgoing message, of
 * each of which a part may have been moved. A message that has begun to be sent cannot be taken
 * back: the next message has to wait for its end.
 */
#ifndef XEN_XENSTORE_WIRE_H
#define XEN_XENSTORE_WIRE_H

#include "xen/xenstore_ring.h"

struct xenstore_wire {
    struct xenstore_ring ring;
    struct {
        struct xsd_sockmsg header;
        char payload[XENSTORE_PAYLOAD_MAX + 1];
        size_t got_bytes; /* received bytes of header and payload together */
    } in;
    struct {
        struct xsd_sockmsg header;
        char payload[XENSTORE_PAYLOAD_MAX];
        size_t sent_bytes, len_bytes; /* of header and payload together; equal: nothing to send */
    } out;
};

/* Forgets parts of messages: the connection is a new one. */
void xenstore_wire_reset(struct xenstore_wire *w);

/*
 * Receives available bytes of the message. 1: it is complete in w->in until the next call, and a 0
 * follows its payload; 0: bytes are missing; or -EIO.
 */
int xenstore_wire_receive(struct xenstore_wire *w) __must_check;

/*
 * Makes @header and its payload the outgoing message. The payload is @first and @second, of which
 * the first @first_bytes and @second_bytes are sent. All of the message before is sent.
 */
void xenstore_wire_put(struct xenstore_wire *w, const struct xsd_sockmsg *header, const char *first,
                       size_t first_bytes, const char *second, size_t second_bytes);

/* Sends bytes of the outgoing message. 1: all are sent; 0: the rest has no room; or -EIO. */
int xenstore_wire_send(struct xenstore_wire *w) __must_check;

#endif
