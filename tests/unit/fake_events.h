/* SPDX-License-Identifier: MIT */
/*
 * The part of the fake Xen without memory: event channels of the two-level ABI, a clock that only
 * tests and sleeps advance, SCHEDOP_block, and the emergency console (CONSOLEIO_write and _read).
 *
 *      a port becomes pending: pending bit -- masked? --> nothing more
 *                                             else    --> selector bit --> upcall_pending
 *
 * A guest that blocks sleeps until an event is due. During the sleep the other side gets turns
 * (idle). When idle did nothing, the clock advances to the time of the timer that the guest set.
 * The test fails if the guest would sleep for ever: no timer set, or VIRQ_TIMER not bound.
 */
#ifndef TESTS_UNIT_FAKE_EVENTS_H
#define TESTS_UNIT_FAKE_EVENTS_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/xen.h>

#define FAKE_NR_PORTS 4096

/* By so much the running time of vCPU 0 has grown at each look at it. */
#define FAKE_RUNNING_STEP 10

enum fake_port_kind { FAKE_FREE, FAKE_INTERDOMAIN, FAKE_VIRQ, FAKE_IPI };

struct fake_port {
    enum fake_port_kind kind;
    unsigned int virq;
    unsigned int nr_sent; /* EVTCHNOP_send calls of the guest */
};

struct fake_events {
    struct shared_info *shared; /* shared_info at Xen's own address */
    struct fake_port ports[FAKE_NR_PORTS];

    uint64_t now_ns, alarm_ns; /* alarm_ns 0: no timer is set */
    uint64_t running_ns;       /* of vCPU 0 (VCPUOP_get_runstate_info) */
    unsigned int nr_sleeps;    /* SCHEDOP_block calls that did not return at once */
    unsigned int nr_yields;

    /* Callbacks of the other side; each may be NULL. idle returns true if something was done.
     * yielded is called at SCHEDOP_yield, and when the time of SCHEDOP_poll is over. */
    bool (*idle)(void);
    void (*sent)(evtchn_port_t port);
    void (*yielded)(void);
    /* Called for SCHEDOP_shutdown(suspend), and does all that happens until the hypercall returns.
     * Its result is the result of the hypercall. */
    long (*suspend)(uint64_t start_info_mfn);

    unsigned int virq_of_other;    /* a VIRQ that Xen gives to another domain; 0, the timer: none */
    unsigned int watchdog_seconds; /* 0: the watchdog is off */

    char console[1 << 12]; /* output of the guest by CONSOLEIO_write */
    size_t console_len;
    size_t console_takes; /* bytes accepted by one CONSOLEIO_write; 0: all, and it returns 0 */
    long console_rc;      /* if not 0: the result of CONSOLEIO_write */
    const char *typed;    /* input for CONSOLEIO_read */
};

extern struct fake_events fake_events;

/* Resets all for a new domain: no ports, @shared as Xen initialises it, the clock at one second. */
void fake_events_start(struct shared_info *shared);

/* Opens a port that another domain has bound, as the toolstack does for console and xenstore. */
evtchn_port_t fake_events_port(void);

/* Makes @port pending, as Xen does when another domain sends an event. */
void fake_events_raise(evtchn_port_t port);
/* Raises a VIRQ, which may be bound or not. */
void fake_events_raise_virq(unsigned int virq);

void fake_events_set_time(uint64_t ns);

/* Number of ports that are not free. */
unsigned int fake_events_count(void);

#endif
