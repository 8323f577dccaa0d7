/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore: requests, replies, watches and transactions. The messages are those of
 * <xen/io/xs_wire.h>, and Xen's docs/misc/xenstore.txt describes the protocol. The bytes of the
 * messages go through a ring (xen/xenstore_ring.h).
 *
 * There is one request at a time, and its caller waits for the reply. A reply may come in pieces.
 * Watch events that come before the reply are kept. xenstored is a program of another domain: its
 * lengths, indices and request ids are checked, and one that makes no sense breaks the connection.
 * On a broken connection every request fails with -EIO at once, and the kernel goes on as a dom0
 * that has no store.
 *
 * Paths are relative to the domain's own (/local/domain/N) if they do not begin with a slash. Paths
 * and values end with a 0 and stay the caller's; they are not needed after the call.
 */
#ifndef XEN_XENSTORE_H
#define XEN_XENSTORE_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/* Seconds that a request and its reply may take together. After that the connection is broken. */
#define XENSTORE_PATIENCE 20

/* The number of a transaction, from xs_begin; 0: none, the request stands for itself. */
typedef uint32_t xs_tx_t;

/*
 * The payload of a reply. @data points into a buffer of xenstore.c and is good until the next
 * request. A 0 follows its @len_bytes bytes, which may contain further zeros.
 */
struct xs_reply {
    const char *data;
    size_t len_bytes;
};

/* A watch on @path and on all below it. The caller's; it must stay as long as it is watched. */
struct xs_watch {
    const char *path;
    bool fired; /* Set by xenstore.c at a change and once at the start; the caller clears it. */
};

/*
 * Connects to the ring in @page, with events on @port. @page stays the caller's; it must be mapped
 * until xenstore_stop. Nothing is left of an earlier connection: watches must be set anew, as after
 * a suspend, in the new domain. An error of evtchn_listen (xen/evtchn.h) changes nothing.
 */
int xenstore_start(void *page, evtchn_port_t port) __must_check;

/* Ends the connection: every request fails with -ENODEV until the next start. */
void xenstore_stop(void);

/*
 * Before a suspend: waits for the end of a message that has come in part, up to XENSTORE_PATIENCE
 * seconds. -EIO if the rest does not come. Nothing is to be called if the suspend is cancelled: the
 * connection goes on. Without a connection, 0.
 */
int xenstore_suspend(void) __must_check;

/* True between a start and a stop, as long as the connection is not broken. */
bool xenstore_is_connected(void);

/*
 * Requests. Each returns 0, or
 *      -ENODEV     there is no connection
 *      -EIO        the connection is broken, perhaps by this request
 *      -E2BIG      the strings are longer than XENSTORE_PAYLOAD_MAX bytes; nothing was sent
 *      -ENOENT, -EACCES, -EAGAIN, ...  xenstored's answer; -EINVAL for a name that is not known
 * @reply is written only if the return value is 0.
 */
int xs_read(xs_tx_t tx, const char *path, struct xs_reply *reply) __must_check;
int xs_write(xs_tx_t tx, const char *path, const char *value) __must_check;
/* The names of the nodes directly below @path, one behind the other, each with its 0. */
int xs_list(xs_tx_t tx, const char *path, struct xs_reply *names) __must_check;
/* Removes @path and all below it. */
int xs_remove(xs_tx_t tx, const char *path) __must_check;
/*
 * Sets the permissions of a node of this domain. @owner is one entry of XS_SET_PERMS: "n5" for
 * domain 5 alone, "r5" for domain 5 as owner and all others as readers.
 */
int xs_set_perms(xs_tx_t tx, const char *path, const char *owner) __must_check;

/* Begins a transaction. *@tx is written only if the return value is 0. */
int xs_begin(xs_tx_t *tx) __must_check;
/* Ends @tx. -EAGAIN if it conflicts with another one: nothing was done, and @tx is over. */
int xs_end(xs_tx_t tx, bool commit) __must_check;

/* Watches @w->path. -ENOMEM if 16 watches are set already. */
int xs_watch(struct xs_watch *w) __must_check;
/* Ends it. -ENOENT if @w is not set. @w is the caller's again, even if xenstored refuses. */
int xs_unwatch(struct xs_watch *w) __must_check;
/* The number of watches that are set. */
unsigned int xs_count_watches(void);

/* Takes in the watch events that have come, up to 256. Does not wait. */
void xenstore_poll(void);

#endif
