/* SPDX-License-Identifier: MIT */
/*
 * The client of xenstore against a xenstored that writes anything into the page at any moment: each
 * read of the page gives any value. No access is out of bounds, the kernel's own indices advance by
 * what was moved, and no reply is a success for another request. PROOF is the check_ function that
 * main calls. Whole messages are in xenstore_wire.c.
 */
#include "proof.h"

#include "xen/xenstore.c"
#include "xen/xenstore_request.c"
#include "xen/xenstore_ring.c"
#include "xen/xenstore_wire.c"

#define NR       12 /* bytes that one call moves at most here */
#define NR_EVENT 6  /* bytes of a watch event */

static struct xenstore_domain_interface page;
static char data[NR];
static char event[NR_EVENT + 1];
static struct xs_watch w;

void printk(enum loglevel level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

size_t format(char *buf, size_t size, const char *fmt, ...)
{
    (void)fmt;
    if (size)
        buf[0] = '\0';
    return 0;
}

void evtchn_notify(evtchn_port_t port)
{
    (void)port;
}

int evtchn_listen(evtchn_port_t port, evtchn_handler_t handler, void *context)
{
    (void)port;
    (void)handler;
    (void)context;
    return nondet_int();
}

void evtchn_wait(uint64_t until_ns)
{
    (void)until_ns;
}

void watchdog_kick(void)
{
}

uint64_t clock_ns(void)
{
    return nondet_u64();
}

const char *errno_name(int rc)
{
    (void)rc;
    return "";
}

static void any_state(void)
{
    wire.ring.page = &page;
    wire.ring.req_prod = nondet_u32();
    wire.ring.rsp_cons = nondet_u32();
    wire.ring.state = nondet_u32() % (RING_BROKEN + 1);
    wire.ring.error = nondet_u32();
    wire.ring.nr_reconnects = nondet_u32();
    wire.in.header = (struct xsd_sockmsg){nondet_u32(), nondet_u32(), nondet_u32(), nondet_u32()};
}

void check_send(void)
{
    size_t n = nondet_u64();
    uint32_t was;
    long sent;

    ASSUME(n <= NR);
    was = wire.ring.req_prod;
    sent = xenstore_ring_send(&wire.ring, data, n);
    PROVE(sent == -EIO || (sent >= 0 && (size_t)sent <= n));
    PROVE(wire.ring.req_prod == was + (sent > 0 ? (uint32_t)sent : 0));
    PROVE(sent != -EIO || wire.ring.state != RING_CONNECTED);
}

void check_receive(void)
{
    size_t n = nondet_u64();
    uint32_t was;
    long got;

    ASSUME(n <= NR);
    was = wire.ring.rsp_cons;
    got = xenstore_ring_receive(&wire.ring, data, n);
    PROVE(got == -EIO || (got >= 0 && (size_t)got <= n));
    PROVE(wire.ring.rsp_cons == was + (got > 0 ? (uint32_t)got : 0));
    PROVE(got != -EIO || wire.ring.state != RING_CONNECTED);
}

/* An event of any text: only the flag of a watch that is set can change. */
void check_event(void)
{
    uint32_t len = nondet_u32();

    ASSUME(len <= NR_EVENT);
    for (size_t i = 0; i < len; i++)
        event[i] = nondet_char();
    event[len] = '\0';
    watches[3].watch = &w;
    xenstore_take_event(event, len);
    for (unsigned int i = 0; i < MAX_WATCHES; i++)
        PROVE(watches[i].watch == (i == 3 ? &w : NULL));
}

/* A reply of any type and text is a result, never a success for a request of another type. */
void check_result(void)
{
    uint32_t type = nondet_u32();
    int rc;

    for (size_t i = 0; i < NR; i++)
        wire.in.payload[i] = nondet_char();
    wire.in.payload[NR] = '\0';
    ASSUME(type != XS_ERROR);
    rc = result_of(type);
    PROVE(rc <= 0 && (rc == 0) == (wire.in.header.type == type));
}

int main(void)
{
    any_state();
    PROOF();
    REACHED();
    return 0;
}
