/* SPDX-License-Identifier: MIT */
/*
 * The part of the fake Xen that is about time and not about memory: event channels of the two-level
 * kind, a clock that stands still until somebody moves it, sleep, and the emergency console.
 *
 *      a port becomes pending: pending bit -- masked? --> nothing more
 *                                             else    --> selector bit --> upcall_pending
 *
 * A guest that blocks sleeps until an event is to be delivered. While it sleeps, the other side has
 * its turns (idle), and if that does nothing, the clock goes on to the alarm that was set. If there
 * is no alarm, or the guest does not listen to VIRQ_TIMER, it would sleep for ever: a failure.
 */
#ifndef TESTS_UNIT_FAKE_EVENTS_H
#define TESTS_UNIT_FAKE_EVENTS_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/xen.h>

#define FAKE_NR_PORTS 4096

enum fake_port_kind { FAKE_FREE, FAKE_INTERDOMAIN, FAKE_VIRQ, FAKE_IPI };

struct fake_port {
    enum fake_port_kind kind;
    unsigned int virq;
    unsigned int nr_sent; /* by the guest */
};

struct fake_events {
    struct shared_info *shared; /* as Xen sees it */
    struct fake_port ports[FAKE_NR_PORTS];

    uint64_t now_ns, alarm_ns; /* alarm 0: none */
    unsigned int nr_sleeps;    /* that did not return at once */
    unsigned int nr_yields;

    /* The other side; each may be NULL. True: something was done. */
    bool (*idle)(void);
    void (*sent)(evtchn_port_t port);
    void (*yielded)(void);
    /* SCHEDOP_shutdown(suspend): what it returns, and all that happens meanwhile. */
    long (*suspend)(uint64_t start_info_mfn);

    unsigned int watchdog_seconds; /* 0: it is off, and its number means nothing */

    char console[1 << 12]; /* what the guest wrote by hypercall */
    size_t console_len;
    size_t console_takes; /* bytes at a time; 0: all, and then 0 is what it returns */
    long console_rc;      /* if not 0, what it returns at once */
    const char *typed;    /* what is there to be read */
};

extern struct fake_events fake_events;

/* A new domain's: no ports, @shared as Xen makes it, the clock at one second. */
void fake_events_start(struct shared_info *shared);

/* A port that another domain has bound already, as the toolstack does for console and store. */
evtchn_port_t fake_events_port(void);

/* Makes @port pending, as Xen does for another domain's notification. */
void fake_events_raise(evtchn_port_t port);
/* The same for a VIRQ that may be bound or not. */
void fake_events_raise_virq(unsigned int virq);

void fake_events_set_time(uint64_t ns);

/* Ports that are not free. */
unsigned int fake_events_count(void);

#endif
