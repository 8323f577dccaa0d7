/* SPDX-License-Identifier: MIT */
/*
 * A fake xenstored: a tree of nodes behind a ring page, which takes requests and gives replies in
 * pieces of any size, and which can be told to break the protocol.
 *
 *      guest -- req ring --> [ request ] --> nodes, watches, transactions
 *      guest <-- rsp ring -- [ replies and watch events, in order ]
 *
 * It has its turns when the guest sleeps (fake_events.idle). Paths are as the guest writes them.
 */
#ifndef TESTS_UNIT_FAKE_STORE_H
#define TESTS_UNIT_FAKE_STORE_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/io/xs_wire.h>

/* What may be wrong with a reply, or come in front of it. */
enum fake_store_fault {
    STORE_FINE,
    /* these end a connection */
    STORE_TOO_LONG, /* a payload that the protocol does not allow */
    STORE_REQ_CONS_AHEAD,
    STORE_RSP_PROD_FAR,
    STORE_RSP_PROD_BACK, /* behind what the guest has read */
    STORE_UNKNOWN_ID,
    STORE_UNKNOWN_TYPE,
    STORE_SILENCE,
    STORE_HALF_HEADER, /* and then silence */
    STORE_HALF_REPLY,
    STORE_NO_TX, /* the number of a transaction is a word */
    STORE_TX_ZERO,
    STORE_TX_HUGE,
    /* these do not */
    STORE_NO_TERMINATOR, /* replies have none; errors and events should */
    STORE_LONGEST,       /* a reply as long as the protocol allows */
    STORE_UNKNOWN_ERROR, /* a word that is no errno */
    STORE_EMPTY_ERROR,
    STORE_EVENT_EMPTY,
    STORE_EVENT_NO_TOKEN,
    STORE_EVENT_NO_ZERO,
    STORE_EVENT_TOKEN_RANGE, /* a number that no watch has */
    STORE_EVENT_TOKEN_HUGE,
    STORE_EVENT_TOKEN_FREE, /* one that is not in use */
    STORE_EVENT_LONGEST,
    NR_STORE_FAULTS
};

struct fake_store {
    volatile struct xenstore_domain_interface *ring;
    evtchn_port_t port; /* the guest's */

    size_t piece;        /* bytes at a time, either way; 0: all that there are */
    bool events_first;   /* a new watch's first event comes before the reply */
    bool one_by_one;     /* takes no more of a request while something is to be sent */
    bool needs_kick;     /* looks at the ring only if it is told to */
    size_t event_within; /* so many bytes into a request, there is a watch event */

    unsigned int nr_in_tx;    /* requests within a transaction, so far */
    unsigned int nr_requests; /* since the start, or since a test set it to 0 */
    unsigned int fault_at;    /* the request whose reply has the @fault */
    enum fake_store_fault fault;
    unsigned int refuse_at;    /* the request that is refused, with */
    const char *refuse_with;   /* this word */
    unsigned int nr_conflicts; /* so many commits to come say EAGAIN, */
    void (*on_conflict)(void); /* after somebody else did this */
    bool is_silent;
    char perms[16]; /* what was last asked for by XS_SET_PERMS */
};

extern struct fake_store fake_store;

/* An empty store behind @ring, which is zeroed. */
void fake_store_start(void *ring, evtchn_port_t port);
/* The same store, a new connection: no watches, no transactions, nothing half said. */
void fake_store_reconnect(evtchn_port_t port);

/* What somebody else writes; whoever watches hears of it. NULL removes. */
void fake_store_set(const char *path, const char *value);
/* NULL if there is no such node. */
const char *fake_store_get(const char *path);
unsigned int fake_store_watches(void);
unsigned int fake_store_transactions(void);

/* Its turn; did it do something? */
bool fake_store_turn(void);

#endif
