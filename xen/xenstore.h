/* SPDX-License-Identifier: MIT */
/*
 * A client of xenstore, on the page that the toolstack has shared with xenstored
 * (<xen/io/xs_wire.h>; Xen's docs/misc/xenstore.txt has the protocol).
 *
 *      [ req: 1 KiB ring, to xenstored | rsp: 1 KiB ring, from it | four indices | ... ]
 *
 * One request at a time, and its caller waits for the reply. Replies may come in pieces; watch
 * events that come between them are kept. xenstored is another domain's program: lengths, indices
 * and ids are checked, and one that makes no sense ends the connection. From then on every request
 * fails with -EIO at once, and the kernel goes on without a store, as a dom0 does that has none.
 *
 * Paths are relative to the domain's own (/local/domain/N) if they do not begin with a slash.
 */
#ifndef XEN_XENSTORE_H
#define XEN_XENSTORE_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/* Seconds that a reply may take. Past that, nobody is there. */
#define XENSTORE_PATIENCE 20

/* A transaction; 0: none, each request stands for itself. */
typedef uint32_t xs_tx_t;

/* What a request brought: good until the next request; always terminated by a 0 of its own. */
struct xs_reply {
    const char *data;
    size_t len_bytes;
};

/* A change somewhere at or below @path. The caller's, for as long as it is watched. */
struct xs_watch {
    const char *path;
    bool fired; /* set when something there has changed, and once at the start */
};

/*
 * Connects to the ring in @page, with events on @port; evtchn_listen's errors. In a new domain,
 * after a suspend, again: nothing is left of the old connection, and watches must be set anew.
 */
int xenstore_start(void *page, evtchn_port_t port) __must_check;

/* There is none, or none any more: every request fails with -ENODEV until the next start. */
void xenstore_stop(void);

/*
 * Before a suspend: waits for the end of a message that has come in part. -EIO if the rest does not
 * come. If the suspend is cancelled, everything goes on as it was, and nothing is to be called.
 */
int xenstore_suspend(void) __must_check;

/* Is there one, and does it still make sense? */
bool xenstore_is_connected(void);

/*
 * Each returns 0, -ENODEV if there is no store, -EIO if the connection has broken, or what
 * xenstored says: -ENOENT, -EACCES, -EAGAIN, -EINVAL, ... -E2BIG if the request is too long for
 * the protocol.
 */
int xs_read(xs_tx_t tx, const char *path, struct xs_reply *reply) __must_check;
int xs_write(xs_tx_t tx, const char *path, const char *value) __must_check;
/* Names, each terminated, one behind the other. */
int xs_list(xs_tx_t tx, const char *path, struct xs_reply *names) __must_check;
int xs_remove(xs_tx_t tx, const char *path) __must_check;
/* Of a node of ours: @owner is "n5", domain 5's and nobody else's, or "r5", for all to read, ... */
int xs_set_perms(xs_tx_t tx, const char *path, const char *owner) __must_check;

/* Begins a transaction, and ends it: -EAGAIN if it could not be carried out as one. */
int xs_begin(xs_tx_t *tx) __must_check;
int xs_end(xs_tx_t tx, bool commit) __must_check;

/* Sets @w->fired whenever something changes there. Up to 16 watches. */
int xs_watch(struct xs_watch *w) __must_check;
int xs_unwatch(struct xs_watch *w) __must_check;
unsigned int xs_count_watches(void);

/* Takes in what has come without being asked for: watch events. Does not wait. */
void xenstore_poll(void);

#endif
