/* SPDX-License-Identifier: MIT */
/*
 * Event channels, of the two-level kind (<xen/event_channel.h>, <xen/xen.h>, struct shared_info):
 * how Xen and other domains tell us that something has happened.
 *
 *      vcpu_info    upcall_pending ---- 1 bit     "look"
 *                   pending_sel    ---- 64 bits   "in these words"
 *      shared_info  pending[64]    ---- 4096 bits, a port each;  mask[64]: not now
 *
 * Events are handled where the kernel asks for it, and nowhere else: evtchn_dispatch() calls the
 * handlers as ordinary functions, so that nothing here needs a lock. Upcalls stay masked, but
 * while evtchn_wait() blocks; the upcall that ends a wait does nothing but end it (traps.c). No
 * event is lost on the way, for it stays pending until it is dispatched, and Xen does not block a
 * vCPU that has one pending.
 */
#ifndef XEN_EVTCHN_H
#define XEN_EVTCHN_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/xen.h>

typedef void (*evtchn_handler_t)(void *context);

/*
 * Takes @shared for the place where events are seen, and forgets all handlers: at boot, and in a
 * new domain, where no port of the old one is left. Every port is masked until it is listened to.
 * NULL: shared_info is about to go; nothing is dispatched until the next call.
 */
void evtchn_start(struct shared_info *shared);

/* shared_info is at another machine address, and all ports are what they were: after a suspend
 * that was cancelled. */
void evtchn_resume(struct shared_info *shared);

/*
 * Calls @handler(@context) for each event at @port from now on, one that is pending first.
 * -EINVAL for a number that is no port, or one that is listened to, -ENOMEM if there are too many
 * handlers, or Xen's errno.
 */
int evtchn_listen(evtchn_port_t port, evtchn_handler_t handler, void *context) __must_check;

/*
 * Makes a port and listens to it: for a VIRQ of this vCPU (VIRQ_* of <xen/xen.h>), or for events
 * that this vCPU sends itself. *@port is the caller's, until evtchn_close. Xen's errno, or an error
 * of evtchn_listen; then there is no port, and *@port is not written.
 */
int evtchn_bind_virq(unsigned int virq, evtchn_handler_t handler, void *context,
                     evtchn_port_t *port) __must_check;
int evtchn_bind_ipi(evtchn_handler_t handler, void *context, evtchn_port_t *port) __must_check;

/* No more events at @port, which is closed. */
void evtchn_close(evtchn_port_t port);

/* Ports that are listened to: tests count them before and after. */
unsigned int evtchn_count(void);

/* Tells whoever is behind @port. An error, from a port that is gone, has nobody to be told to. */
void evtchn_notify(evtchn_port_t port);

/* Handles every event that is pending; how many that were. */
unsigned int evtchn_dispatch(void);

/*
 * Handles events; if none is pending, sleeps in Xen until there is one or the clock (clock.h) is at
 * @until_ns, UINT64_MAX: however long that takes. May return with nothing handled.
 */
void evtchn_wait(uint64_t until_ns);

#endif
