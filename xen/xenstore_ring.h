/* SPDX-License-Identifier: MIT */
/*
 * The byte streams to and from xenstored, in a page that both domains may write
 * (struct xenstore_domain_interface of <xen/io/xs_wire.h>).
 *
 *      [ req: 1 KiB, to xenstored | rsp: 1 KiB, from xenstored | four indices | ... ]
 *
 *      index      advanced by    the other end learns
 *      req_prod   this domain    how many bytes of req are written
 *      req_cons   xenstored      how many bytes of req have been read
 *      rsp_prod   xenstored      how many bytes of rsp are written
 *      rsp_cons   this domain    how many bytes of rsp have been read
 *
 * Indices are 32 bits, run freely, and wrap. xenstored is a program of another domain: each of its
 * indices is read once and checked, and an index that makes no sense breaks the ring. A broken ring
 * stays broken until it is opened again.
 */
#ifndef XEN_XENSTORE_RING_H
#define XEN_XENSTORE_RING_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

struct xenstore_ring {
    volatile struct xenstore_domain_interface *page; /* NULL: the ring is closed */
    evtchn_port_t port;
    /* This domain's two indices. They are kept here: xenstored could change those in the page. */
    uint32_t req_prod, rsp_cons;
    bool is_broken;
};

/*
 * Opens the ring in @page, with events on @port, where the indices in the page stand. @page stays
 * the caller's; it must be mapped until the ring is closed. An error of evtchn_listen
 * (xen/evtchn.h) leaves @r as it was.
 */
int xenstore_ring_open(struct xenstore_ring *r, void *page, evtchn_port_t port) __must_check;

/* Forgets the page. The port stays bound: it is the toolstack's. */
void xenstore_ring_close(struct xenstore_ring *r);

/* True if the ring is open and not broken. Only such a ring may be used with the calls below. */
bool xenstore_ring_is_usable(const struct xenstore_ring *r);

/*
 * Breaks the ring: prints @why, a clause without a full stop, unless the ring is broken already.
 * Always returns -EIO, so that callers can return it.
 */
int xenstore_ring_break(struct xenstore_ring *r, const char *why);

/*
 * Sends up to @len_bytes of @data, as much as there is room for, and notifies xenstored. Returns
 * the number of bytes sent, perhaps 0; or -EIO if req_cons makes no sense, which breaks the ring.
 */
long xenstore_ring_send(struct xenstore_ring *r, const char *data, size_t len_bytes) __must_check;

/*
 * Receives up to @len_bytes into @data, and notifies xenstored that there is room. Returns the
 * number of bytes received, perhaps 0; or -EIO if rsp_prod makes no sense, which breaks the ring.
 */
long xenstore_ring_receive(struct xenstore_ring *r, char *data, size_t len_bytes) __must_check;

/*
 * Sleeps until an event comes, on any port, or for half of the watchdog's time; callers look at the
 * ring again and call again. Kicks the watchdog. -EIO if @until_ns, on the clock of clock_ns
 * (xen/clock.h), has passed: xenstored has not answered in time, which breaks the ring.
 */
int xenstore_ring_wait(struct xenstore_ring *r, uint64_t until_ns) __must_check;

#endif
