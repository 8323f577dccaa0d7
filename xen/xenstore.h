/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore: requests, replies, watches and transactions. The messages are those of
 * <xen/io/xs_wire.h>, and Xen's docs/misc/xenstore.txt describes the protocol. The messages go
 * through a ring (xen/xenstore_wire.h, xen/xenstore_ring.h).
 *
 * There is one request at a time, and its caller waits for the reply. A slow xenstored is no broken
 * xenstored: a request whose reply does not come in time fails alone, with -ETIMEDOUT. xenstored
 * may still carry it out. Its reply is known by its req_id, and is dropped when it comes.
 *
 * A watch says that a node has changed, not how often. After a gap in which an event may have been
 * lost each watch fires, so that its owner reads the node again. The gaps are: a request was not
 * answered in time, and xenstored answers now; the ring was full; a suspend; a new connection.
 *
 * xenstored is a program of another domain: its lengths, indices and numbers are checked. One that
 * makes no sense ends the connection. If xenstored can make a new one (xen/xenstore_ring.h), the
 * watches are set again there; if not, every request fails with -EIO at once, and the kernel goes
 * on as a dom0 that has no store.
 *
 * Paths are relative to the domain's own (/local/domain/N) if they do not begin with a slash. Paths
 * and values end with a 0 and stay the caller's; they are not needed after the call.
 */
#ifndef XEN_XENSTORE_H
#define XEN_XENSTORE_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/*
 * Seconds that a request and its reply may take together, and the same as long as an earlier
 * request that timed out has no reply: then the next ones need not wait as long again.
 */
#define XENSTORE_PATIENCE      20
#define XENSTORE_LATE_PATIENCE 1

/* The number of a transaction, from xs_begin; 0: none, the request stands for itself. */
typedef uint32_t xs_tx_t;

/*
 * The payload of a reply. @data points into a buffer of xenstore.c and is good until the next
 * request or poll. A 0 follows its @len_bytes bytes, which may contain further zeros.
 */
struct xs_reply {
    const char *data;
    size_t len_bytes;
};

/* A watch on @path and on all below it. The caller's; it must stay as long as it is watched. */
struct xs_watch {
    const char *path;
    bool fired; /* Set by xenstore.c at a change, at the start and after a gap; the caller clears
                   it. */
};

/*
 * Connects to the ring in @page, with events on @port. @page stays the caller's; it must be mapped
 * until xenstore_stop. No watch is left of an earlier connection. @is_new: after a suspend, in a
 * new domain, where nothing in the ring is believed: a message may end in the middle. An error of
 * evtchn_listen (xen/evtchn.h) changes nothing.
 */
int xenstore_start(void *page, evtchn_port_t port, bool is_new) __must_check;

/* Ends the connection: every request fails with -ENODEV until the next start. */
void xenstore_stop(void);

/* After a suspend in the same domain: the connection goes on where it was, and all watches fire. */
void xenstore_resume(void);

/* As xenstore_resume, after evtchn_start has forgotten the port. An error of evtchn_listen. */
int xenstore_resume_at(evtchn_port_t port) __must_check;

/* True between a start and a stop, unless the connection is broken for ever. */
bool xenstore_is_connected(void);

/* True from a request that timed out until xenstored has answered it. */
bool xenstore_is_late(void);

/*
 * Requests. Each returns 0, or
 *      -ENODEV     there is no connection
 *      -EIO        the connection is broken, perhaps by this request, or the reply makes no sense
 *      -ETIMEDOUT  xenstored has not answered in time, and may still carry out the request
 *      -E2BIG      the strings are longer than XENSTORE_PAYLOAD_MAX bytes; nothing was sent
 *      -ENOSPC, -ENOMEM, -E2BIG  a quota of this domain in xenstored is used up (xs_is_quota)
 *      -ENOENT, -EACCES, -EAGAIN, ...  xenstored's answer; -EINVAL for a name that is not known
 * @reply is written only if the return value is 0. A transaction in which a request returns -EIO or
 * -ETIMEDOUT is over: xenstore.c aborts it when xenstored answers again.
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

/*
 * Does @rc, the result of a request, name a quota of xenstored? ENOSPC: nodes, size of a node,
 * transactions, and watches since Xen 4.22; E2BIG: watches before; ENOMEM: memory (Xen
 * tools/xenstored). xenstored itself may have no memory, too.
 */
bool xs_is_quota(int rc);
/* The name of @rc, with a hint if it names a quota, for a message. */
const char *xs_error_name(int rc);

/* Begins a transaction. *@tx is written only if the return value is 0. */
int xs_begin(xs_tx_t *tx) __must_check;
/*
 * Ends @tx. -EAGAIN if it conflicts with another one: nothing was done, and @tx is over. After
 * -ETIMEDOUT xs_end_result says what became of it.
 */
int xs_end(xs_tx_t tx, bool commit) __must_check;
/*
 * The result of the last xs_end that returned -ETIMEDOUT: -ETIMEDOUT as long as it is not known,
 * and -EIO if the connection is another one now, so that it will not be known.
 */
int xs_end_result(void) __must_check;

/*
 * Watches @w->path. -ENOMEM if 16 watches are set already. After -ETIMEDOUT and -EIO @w counts as
 * set: xenstore_poll sets it as soon as xenstored answers.
 */
int xs_watch(struct xs_watch *w) __must_check;
/* Ends it. -ENOENT if @w is not set. @w is the caller's again, even if xenstored refuses. */
int xs_unwatch(struct xs_watch *w) __must_check;
/* The number of watches that are set. */
unsigned int xs_count_watches(void);

/*
 * Takes in the messages that have come, up to 256. Does not wait, unless a watch has to be set
 * again on a new connection.
 */
void xenstore_poll(void);

#endif
