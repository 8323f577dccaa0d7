/* SPDX-License-Identifier: MIT */
/*
 * Event channels with the two-level ABI (<xen/event_channel.h>; struct shared_info of <xen/xen.h>):
 * Xen and other domains send events to the ports of this domain.
 *
 *      vcpu_info     evtchn_upcall_pending   1 bit       an event is pending
 *                    evtchn_pending_sel      64 bits     in these words of evtchn_pending
 *      shared_info   evtchn_pending[64]      4096 bits   one for each port
 *                    evtchn_mask[64]         4096 bits   do not report this port
 *
 * Handlers run only inside evtchn_dispatch() and evtchn_wait(), as ordinary function calls, so this
 * file needs no lock. Upcalls are masked except while evtchn_wait() blocks. The upcall that ends a
 * wait does nothing else (arch/x86/traps.c). No event is lost: it stays pending until it is
 * dispatched, and Xen does not block a vCPU that has a pending event.
 */
#ifndef XEN_EVTCHN_H
#define XEN_EVTCHN_H

#include "lib/types.h"

#include <xen/event_channel.h>
#include <xen/xen.h>

typedef void (*evtchn_handler_t)(void *context);

/*
 * Starts with the events in @shared and no handlers, and masks all ports: at boot, and in a new
 * domain after a suspend, where the ports of the old domain do not exist. @shared must stay mapped.
 * NULL, before shared_info is unmapped: events are not dispatched until the next call.
 */
void evtchn_start(struct shared_info *shared);

/* As evtchn_start, but keeps handlers and masks: after a suspend that was cancelled. */
void evtchn_resume(struct shared_info *shared);

/*
 * Unmasks @port; each dispatch calls @handler(@context) for an event of @port, also for one that is
 * pending already. @context must outlive the port's use. Returns 0; -EINVAL if @port is not a valid
 * port number or has a handler; -ENOMEM if 32 ports have handlers; or Xen's negative errno.
 */
int evtchn_listen(evtchn_port_t port, evtchn_handler_t handler, void *context) __must_check;

/*
 * Allocates a port and listens to it: for a VIRQ of vCPU 0 (VIRQ_* of <xen/xen.h>), or for events
 * that vCPU 0 sends to itself. *@port is the caller's until evtchn_close. Returns 0, Xen's negative
 * errno, or an error of evtchn_listen: then no port is allocated and *@port is not written.
 */
int evtchn_bind_virq(unsigned int virq, evtchn_handler_t handler, void *context,
                     evtchn_port_t *port) __must_check;
int evtchn_bind_ipi(evtchn_handler_t handler, void *context, evtchn_port_t *port) __must_check;

/* Removes the handler of @port and closes @port. Does nothing if @port has no handler. */
void evtchn_close(evtchn_port_t port);

/* The number of ports that have a handler; self-tests compare it before and after a test. */
unsigned int evtchn_count(void);

/* Sends an event through @port (EVTCHNOP_send). An error is ignored: the other end is closed. */
void evtchn_notify(evtchn_port_t port);

/*
 * Calls the handlers of all pending events, and of those that come meanwhile, up to 16 times for
 * each port: what a peer sends beyond that stays pending until the next call. Returns the number of
 * events.
 */
unsigned int evtchn_dispatch(void);

/*
 * Dispatches pending events. If there is none, blocks in Xen (SCHEDOP_block) until an event comes
 * or the system time (clock.h) is @until_ns, and dispatches then. UINT64_MAX: no timeout. May
 * return without an event.
 */
void evtchn_wait(uint64_t until_ns);

#endif
