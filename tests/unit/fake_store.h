/* SPDX-License-Identifier: MIT */
/*
 * A fake xenstored: a tree of nodes behind a ring page. It reads requests and writes replies in
 * pieces of any size, and breaks the protocol on request of a test.
 *
 *      guest -- req ring --> [ request ] --> nodes, watches, transactions
 *      guest <-- rsp ring -- [ replies and watch events, in order ]
 *
 * It runs while the guest sleeps (fake_events.idle). Paths are used as the guest writes them. As
 * the real one it drops a watch event of which it could not write a byte for 20 seconds. If a test
 * sets bit 0 of server_features in the ring, it makes new connections.
 */
#ifndef TESTS_UNIT_FAKE_STORE_H
#define TESTS_UNIT_FAKE_STORE_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/* Faults of a reply, or of a message in front of the reply. */
enum fake_store_fault {
    STORE_FINE,
    /* The guest must end the connection: */
    STORE_TOO_LONG, /* a payload longer than the protocol allows */
    STORE_REQ_CONS_AHEAD,
    STORE_RSP_PROD_FAR,
    STORE_RSP_PROD_BACK, /* rsp_prod behind rsp_cons */
    STORE_ERROR,         /* xenstored ends the connection, and says so in the page */
    /* The request must fail alone: */
    STORE_UNKNOWN_TYPE,
    STORE_NO_TX, /* the transaction number is a word */
    STORE_TX_ZERO,
    STORE_TX_HUGE,
    /* The request must time out: */
    STORE_UNKNOWN_ID,
    STORE_SILENCE,
    STORE_HALF_HEADER, /* half a header, then nothing more */
    STORE_HALF_REPLY,
    /* The request must succeed: */
    STORE_NO_TERMINATOR, /* no terminating 0: replies have none, errors and events should */
    STORE_LONGEST,       /* the longest reply that the protocol allows */
    STORE_UNKNOWN_ERROR, /* an error word that is no errno name */
    STORE_EMPTY_ERROR,
    STORE_EVENT_EMPTY,
    STORE_EVENT_NO_TOKEN,
    STORE_EVENT_NO_ZERO,
    STORE_EVENT_TOKEN_RANGE, /* an index past the table of watches */
    STORE_EVENT_TOKEN_HUGE,
    STORE_EVENT_TOKEN_FREE, /* index of a free watch */
    STORE_EVENT_LONGEST,
    NR_STORE_FAULTS
};

struct fake_store {
    volatile struct xenstore_domain_interface *ring;
    evtchn_port_t port; /* the guest's port */

    size_t piece;        /* bytes read or written in one turn; 0: no limit */
    bool events_first;   /* the first event of a new watch comes before the reply */
    bool one_by_one;     /* reads no request bytes while output is queued */
    bool needs_kick;     /* looks at the ring only after an event of the guest */
    size_t event_within; /* queues a watch event after this many bytes of a request */

    unsigned int nr_in_tx;    /* requests in a transaction so far */
    unsigned int nr_requests; /* since the start, or since a test set it to 0 */
    unsigned int fault_at;    /* number of the request whose reply has the fault */
    enum fake_store_fault fault;
    unsigned int refuse_at;    /* number of the request that is refused */
    const char *refuse_with;   /* error word of the refusal */
    unsigned int nr_conflicts; /* the next nr_conflicts commits fail with EAGAIN */
    void (*on_conflict)(void); /* called before each such commit fails */
    bool is_silent;
    bool is_silent_after; /* silent once the queued output is written */
    /* xenstored is stopped for pause_ns: before it reads request pause_at, or, with pause_reply,
     * after it has executed that request and before it replies. The number is then set to 0. */
    unsigned int pause_at;
    bool pause_reply;
    uint64_t pause_ns;
    size_t stop_within;      /* stops reading for good after this many bytes of a request; 0: no */
    unsigned int nr_dropped; /* events that were dropped because the ring was full for 20 s */
    unsigned int nr_reconnected;
    char perms[16]; /* permissions of the last XS_SET_PERMS */
};

extern struct fake_store fake_store;

/* Starts with no nodes, and zeroes @ring. */
void fake_store_start(void *ring, evtchn_port_t port);
/* A new connection to the same nodes: no watches, no transactions, no partial message. */
void fake_store_reconnect(evtchn_port_t port);

/* Another client writes @path; NULL removes the node. Watches on the node fire. */
void fake_store_set(const char *path, const char *value);
/* The value of a node; NULL if there is no such node. */
const char *fake_store_get(const char *path);
unsigned int fake_store_watches(void);
unsigned int fake_store_transactions(void);

/* Reads requests and writes replies. Returns whether it did something. */
bool fake_store_turn(void);

#endif
