/* SPDX-License-Identifier: MIT */
/*
 * The messages from xenstored, whatever bytes come and in whatever parts: each part goes to the
 * header or to the payload and not past it, and a message that is passed on fits its buffer and
 * ends with a 0. The ring is a function here that gives any bytes; xenstore.c has the proof of the
 * real one.
 */
#include "proof.h"

#include "lib/errno.h"

#include "xen/xenstore_wire.c"

#define NR_PARTS 5 /* a call handles fewer parts of a message */

static struct xenstore_wire wire;
static unsigned int nr_parts;

/* What xenstore_ring_receive does: up to @len_bytes of anything at @data. */
long xenstore_ring_receive(struct xenstore_ring *r, char *data, size_t len_bytes)
{
    bool is_header = wire.in.got_bytes < sizeof(wire.in.header);
    long n = nondet_int();

    PROVE(r == &wire.ring && len_bytes > 0);
    if (is_header)
        PROVE(data == (char *)&wire.in.header + wire.in.got_bytes &&
              wire.in.got_bytes + len_bytes == sizeof(wire.in.header));
    else
        PROVE(data == wire.in.payload + (wire.in.got_bytes - sizeof(wire.in.header)) &&
              wire.in.got_bytes - sizeof(wire.in.header) + len_bytes <= XENSTORE_PAYLOAD_MAX);
    if (is_header) /* the bytes that were there before may change, too: that allows more */
        wire.in.header =
            (struct xsd_sockmsg){nondet_u32(), nondet_u32(), nondet_u32(), nondet_u32()};
    ASSUME(n == -EIO || (n >= 0 && (size_t)n <= len_bytes));
    ASSUME(++nr_parts < NR_PARTS);
    return n;
}

int xenstore_ring_break(struct xenstore_ring *r, const char *why)
{
    (void)why;
    r->state = RING_BROKEN;
    return -EIO;
}

long xenstore_ring_send(struct xenstore_ring *r, const char *data, size_t len_bytes)
{
    long n = nondet_int();

    PROVE(r == &wire.ring && len_bytes > 0);
    PROVE(data == (const char *)&wire.out + wire.out.sent_bytes);
    PROVE(wire.out.sent_bytes + len_bytes <= sizeof(wire.out.header) + XENSTORE_PAYLOAD_MAX);
    ASSUME(n == -EIO || (n >= 0 && (size_t)n <= len_bytes));
    ASSUME(++nr_parts < NR_PARTS);
    return n;
}

/* What holds between two calls, whatever happened before. */
static bool is_sane(void)
{
    return wire.in.got_bytes < sizeof(wire.in.header) ||
           (wire.in.header.len <= XENSTORE_PAYLOAD_MAX &&
            wire.in.got_bytes <= sizeof(wire.in.header) + wire.in.header.len);
}

static void check_receive(void)
{
    int rc;

    wire.in.header = (struct xsd_sockmsg){nondet_u32(), nondet_u32(), nondet_u32(), nondet_u32()};
    wire.in.got_bytes = nondet_u64();
    ASSUME(is_sane());
    rc = xenstore_wire_receive(&wire);
    PROVE(rc == 1 || rc == 0 || rc == -EIO);
    PROVE(is_sane() || wire.ring.state == RING_BROKEN);
    PROVE(rc != 1 || wire.in.header.len <= XENSTORE_PAYLOAD_MAX);
    PROVE(rc != 1 || wire.in.payload[wire.in.header.len] == 0);
}

static void check_send(void)
{
    int rc;

    nr_parts = 0;
    wire.out.sent_bytes = nondet_u64();
    wire.out.len_bytes = nondet_u64();
    ASSUME(wire.out.len_bytes <= sizeof(wire.out.header) + XENSTORE_PAYLOAD_MAX);
    ASSUME(wire.out.sent_bytes <= wire.out.len_bytes);
    rc = xenstore_wire_send(&wire);
    PROVE(rc == 1 || rc == 0 || rc == -EIO);
    PROVE(wire.out.sent_bytes <= wire.out.len_bytes);
    PROVE((rc == 1) == (wire.out.sent_bytes == wire.out.len_bytes) || rc == -EIO);
}

int main(void)
{
    check_receive();
    check_send();
    REACHED();
    return 0;
}
