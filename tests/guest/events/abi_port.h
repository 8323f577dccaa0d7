/* SPDX-License-Identifier: MIT */
/*
 * Event channel ports for the self-tests of Xen's interface (abi_event_*.c, abi_timer.c and
 * others).
 *
 * A port of these tests is opened by a raw hypercall: the kernel has no handler for it, so its bits
 * in shared_info change only by Xen and by the test. The first part of this file is one function
 * for each EVTCHNOP_* of <xen/event_channel.h>; each returns Xen's result. The second part is the
 * state of all ports and vCPUs in shared_info, and the state that a test expects.
 */
#ifndef TESTS_GUEST_EVENTS_ABI_PORT_H
#define TESTS_GUEST_EVENTS_ABI_PORT_H

#include "xen/evtchn.h"

#include "kernel/selftest/test.h"

/* The limit of the two-level ABI: 64 words of 64 bits. xl sets a limit of 1023 ports or fewer. */
#define MAX_PORTS 4096
#define NR_WORDS  (MAX_PORTS / 64)
#define NR_VIRQS  24     /* <xen/xen.h>                              */
#define NO_DOMAIN 0x7abc /* a domain that does not exist             */

long port_unbound(domid_t remote, evtchn_port_t *port) __must_check;
long port_ipi(unsigned int vcpu, evtchn_port_t *port) __must_check;
long port_virq(unsigned int virq, unsigned int vcpu, evtchn_port_t *port) __must_check;
/* Connects a new port with the unbound port @remote of this domain. */
long port_pair(evtchn_port_t remote, evtchn_port_t *port) __must_check;
long port_close(evtchn_port_t port) __must_check;
long port_send(evtchn_port_t port) __must_check;
long port_unmask(evtchn_port_t port) __must_check;
long port_move(evtchn_port_t port, unsigned int vcpu) __must_check;

/*
 * @rc is the result of a request for the port @port. True if it is 0. Otherwise skips the test, if
 * the limit of ports is reached (ports_are_used_up of abi_room.h), or else fails it.
 */
bool port_opened(struct test *t, long rc, const char *step) __must_check;

/*
 * Compares what EVTCHNOP_status tells of @port, which is @what, with *@expected. XSM/FLASK denies
 * the status: then nothing is compared.
 */
void check_port_status(struct test *t, const char *what, evtchn_port_t port,
                       const struct evtchn_status *expected);

/* CHECK_RC for a @step on @port. */
void check_port(struct test *t, long rc, long expected, const char *step, evtchn_port_t port);

/* The vCPUs whose vcpu_info is in shared_info, and which the tests of ports compare. */
#define MAX_EVENT_VCPUS 2

/* All bits of event channels in shared_info. */
struct events {
    uint64_t pending[NR_WORDS], mask[NR_WORDS];
    struct {
        uint64_t selector; /* evtchn_pending_sel    */
        bool upcall;       /* evtchn_upcall_pending */
    } vcpu[MAX_EVENT_VCPUS];
};

/*
 * Between events_quiet and events_restore all ports are masked, those of the kernel too, so that
 * the bits of the vCPUs change only by what the test does. The kernel's ports may become pending:
 * the functions below ignore their pending bits. What arrived meanwhile is delivered by
 * events_restore.
 */
void events_quiet(struct test *t);
void events_restore(struct test *t);

/* Sets *@e to the bits in shared_info, without the pending bits of the kernel's ports. */
void events_read(struct test *t, struct events *e);

/* Compares the bits in shared_info with *@expected, and names each that differs. */
void events_check(struct test *t, const struct events *expected, const char *step,
                  evtchn_port_t port);

bool event_bit(const uint64_t *words, evtchn_port_t port);

/* The pending bit of any port in shared_info, of the kernel's ports too. */
bool port_is_pending(const struct test *t, evtchn_port_t port);

/* What the guest writes: clears or sets the bit of @port, in shared_info and in *@e. */
void event_mask(struct test *t, struct events *e, evtchn_port_t port, bool masked);
/* Clears the pending bit of @port, and the selector and the upcall flag of @vcpu. */
void event_ack(struct test *t, struct events *e, evtchn_port_t port, unsigned int vcpu);

/*
 * What Xen does, in *@e alone: an event at @port, which notifies @vcpu, and EVTCHNOP_unmask of it.
 * An event sets the selector only if it changes the pending bit from 0 to 1 while the port is
 * unmasked (<xen/xen.h>, struct shared_info).
 */
void event_expect_send(struct events *e, evtchn_port_t port, unsigned int vcpu);
void event_expect_unmask(struct events *e, evtchn_port_t port, unsigned int vcpu);
void event_expect_close(struct events *e, evtchn_port_t port);

/* The number of vCPUs that the tests of ports compare. */
unsigned int event_vcpus(const struct test *t);

#endif
