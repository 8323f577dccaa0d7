/* SPDX-License-Identifier: MIT */
/*
 * The byte streams to and from xenstored, in a page that both domains may write
 * (struct xenstore_domain_interface of <xen/io/xs_wire.h>; Xen's docs/misc/xenstore-ring.txt).
 *
 *      [ req: 1 KiB, to xenstored | rsp: 1 KiB, from xenstored | indices | connection state ]
 *
 *      field             written by     meaning
 *      req_prod          this domain    how many bytes of req are written
 *      req_cons          xenstored      how many bytes of req have been read
 *      rsp_prod          xenstored      how many bytes of rsp are written
 *      rsp_cons          this domain    how many bytes of rsp have been read
 *      server_features   xenstored      bit 0: xenstored obeys connection; bit 1: error is valid
 *      connection        both           1: this domain asks for a new connection; 0: here it is
 *      error             xenstored      not 0: xenstored has ended the connection
 *
 * Indices are 32 bits, run freely, and wrap. xenstored is a program of another domain: each of its
 * fields is read once and checked. An index that makes no sense, or an error, ends the connection:
 *
 *      CONNECTED -- protocol violation, bit 0 is set ------> RECONNECTING -- connection is 0 again
 *        |   ^                                                                   |
 *        |   +-------------------- both streams are empty -----------------------+
 *        +------ protocol violation, bit 0 is clear -------> BROKEN until the ring is opened again
 */
#ifndef XEN_XENSTORE_RING_H
#define XEN_XENSTORE_RING_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

enum xenstore_ring_state { RING_CONNECTED, RING_RECONNECTING, RING_BROKEN };

struct xenstore_ring {
    volatile struct xenstore_domain_interface *page; /* NULL: the ring is closed */
    evtchn_port_t port;
    /* This domain's two indices. They are kept here: xenstored could change those in the page. */
    uint32_t req_prod, rsp_cons;
    enum xenstore_ring_state state;
    uint32_t error;             /* the value of page->error that ended the last connection */
    unsigned int nr_reconnects; /* requests for a new connection since the ring was opened */
    /*
     * Set when rsp was found full; the user clears it. xenstored drops a watch event that it could
     * not begin to write for 20 seconds (check_event_timeout in its core.c), so events may be lost.
     */
    bool was_full;
};

/*
 * Opens the ring in @page, with events on @port. @page stays the caller's; it must be mapped until
 * the ring is closed. @is_new: the domain is a new one, restored from a suspend, and bytes that are
 * left in the page belong to the connection of the old domain: they are dropped. Otherwise both
 * streams go on where the indices stand. An error of evtchn_listen (xen/evtchn.h) leaves @r as it
 * was.
 */
int xenstore_ring_open(struct xenstore_ring *r, void *page, evtchn_port_t port,
                       bool is_new) __must_check;

/* Listens to @port anew, after evtchn_start; the streams go on. An error of evtchn_listen. */
int xenstore_ring_listen(struct xenstore_ring *r, evtchn_port_t port) __must_check;

/* Forgets the page. The port stays bound: it is the toolstack's. */
void xenstore_ring_close(struct xenstore_ring *r);

/*
 * Ends the connection because of a protocol violation, and asks for a new one if xenstored can make
 * one. Prints @why, a clause without a full stop. Always returns -EIO, so that callers can return
 * it.
 */
int xenstore_ring_break(struct xenstore_ring *r, const char *why);

/* While RECONNECTING: true if xenstored has made the new connection, which is usable from now. */
bool xenstore_ring_reconnected(struct xenstore_ring *r) __must_check;

/*
 * Sends up to @len_bytes of @data, as much as there is room for, and notifies xenstored. Returns
 * the number of bytes sent, perhaps 0; or -EIO if the ring is not CONNECTED or req_cons makes no
 * sense, which ends the connection.
 */
long xenstore_ring_send(struct xenstore_ring *r, const char *data, size_t len_bytes) __must_check;

/*
 * Receives up to @len_bytes into @data, and notifies xenstored that there is room. Returns the
 * number of bytes received, perhaps 0; or -EIO if the ring is not CONNECTED, or if rsp_prod makes
 * no sense or xenstored reports an error, which ends the connection.
 */
long xenstore_ring_receive(struct xenstore_ring *r, char *data, size_t len_bytes) __must_check;

/*
 * Sleeps until an event comes, on any port, or for half of the watchdog's time; callers look at the
 * ring again and call again. Kicks the watchdog. -ETIMEDOUT, without a sleep, if @until_ns, on the
 * clock of clock_ns (xen/clock.h), has passed.
 */
int xenstore_ring_wait(uint64_t until_ns) __must_check;

#endif
