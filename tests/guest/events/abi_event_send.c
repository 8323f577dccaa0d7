/* SPDX-License-Identifier: MIT */
/*
 * What an event changes in shared_info: the rules of struct shared_info in <xen/xen.h>, for ports
 * at the boundaries of words, and for each order of mask, send, unmask and acknowledge.
 *
 * A kernel finds an event by three steps: the upcall flag of its vCPU, the selector, and the
 * pending word. Without these tests Xen could set the bit of another word, notify another vCPU,
 * lose an event that arrives while its port is masked, or leave a pending bit at a port that is
 * closed; the next user of the port number would then handle an event that nobody sent. (Xen
 * xen/common/event_2l.c, and evtchn_free of xen/common/event_channel.c: "Clear pending event to
 * avoid unexpected behavior on re-bind".)
 */
#include "lib/format.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/abi_port.h"

/* The test needs all ports up to this one, 128, or up to 4095 with test=full. */
#define LAST_PORT 128

/* The first and last ports of words. A domain with fewer ports checks those that it has. */
static const evtchn_port_t boundaries[] = {63, 64, 127, 128, 1022, 1023, 1024, 4031, 4032, 4095};

struct state {
    struct test *t;
    struct events e;    /* what the test expects in shared_info */
    evtchn_port_t port; /* an IPI                               */
    unsigned int vcpu;  /* of the port                          */
};

/* Each of these does one step, on shared_info and on what the test expects, and compares the two.
 */
static void send(struct state *s, const char *step)
{
    check_port(s->t, port_send(s->port), 0, step, s->port);
    event_expect_send(&s->e, s->port, s->vcpu);
    events_check(s->t, &s->e, step, s->port);
}

static void unmask(struct state *s, const char *step)
{
    check_port(s->t, port_unmask(s->port), 0, step, s->port);
    event_expect_unmask(&s->e, s->port, s->vcpu);
    events_check(s->t, &s->e, step, s->port);
}

static void close_port(struct state *s, const char *step)
{
    check_port(s->t, port_close(s->port), 0, step, s->port);
    event_expect_close(&s->e, s->port);
    events_check(s->t, &s->e, step, s->port);
}

static bool bind(struct state *s)
{
    bool opened = port_opened(s->t, port_ipi(s->vcpu, &s->port), "EVTCHNOP_bind_ipi");

    if (opened) /* the mask bit is the guest's: Xen writes it only for EVTCHNOP_unmask */
        events_check(s->t, &s->e, "EVTCHNOP_bind_ipi", s->port);
    return opened;
}

static void check_boundary(struct state *s)
{
    if (!bind(s))
        return;
    send(s, "EVTCHNOP_send to a masked port");
    unmask(s, "EVTCHNOP_unmask of a pending port");
    event_ack(s->t, &s->e, s->port, s->vcpu);
    unmask(s, "EVTCHNOP_unmask of a port that is neither masked nor pending");
    send(s, "EVTCHNOP_send to an unmasked port");
    send(s, "second EVTCHNOP_send to an unmasked port");
    event_mask(s->t, &s->e, s->port, true);
    event_ack(s->t, &s->e, s->port, s->vcpu);
    unmask(s, "EVTCHNOP_unmask of a masked port that is not pending");
    event_mask(s->t, &s->e, s->port, true);
    send(s, "EVTCHNOP_send to a port that was masked again");
    close_port(s, "EVTCHNOP_close of a masked, pending port");
}

/* Opens a port that must get the number @port, the only free one below those of the test. */
static bool hold(struct state *s, evtchn_port_t port)
{
    struct test *t = s->t;
    bool opened = port_opened(t, port_unbound(DOMID_SELF, &s->port), "EVTCHNOP_alloc_unbound");

    if (opened)
        CHECK_EQ(s->port, port,
                 "port from EVTCHNOP_alloc_unbound after EVTCHNOP_close of port 0x%x", port);
    return opened;
}

/* All ports up to the last one in @opened are open. Returns the number of boundaries checked. */
static unsigned int check_boundaries(struct state *s, const uint64_t *opened)
{
    struct test *t = s->t;
    unsigned int nr = 0;

    for (size_t i = 0; i < ARRAY_SIZE(boundaries); i++) {
        if (!event_bit(opened, boundaries[i]))
            continue;
        check_port(t, port_close(boundaries[i]), 0, "EVTCHNOP_close", boundaries[i]);
        for (s->vcpu = 0; s->vcpu < event_vcpus(t); s->vcpu++, nr++)
            check_boundary(s);
        if (!hold(s, boundaries[i]))
            break;
    }
    return nr;
}

TEST_RULE(abi_event_bits,
          "EVTCHNOP_send sets the pending bit of its port, and selector bit and upcall "
          "flag of the port's vCPU, and no other bit")
{
    evtchn_port_t last = cmdline_wants_full(&t->d->options) ? MAX_PORTS - 1 : LAST_PORT, port = 0;
    uint64_t opened[NR_WORDS] = {0};
    struct state s = {.t = t};

    if (shim_is_between(t))
        return;
    /* Xen hands out the lowest free port. So all ports up to the last one are opened. */
    while (port < last && !port_unbound(DOMID_SELF, &port) && port < MAX_PORTS)
        opened[port / 64] |= (uint64_t)1 << port % 64;
    events_quiet(t);
    events_read(t, &s.e);
    if (!check_boundaries(&s, opened))
        test_skip(t, "this domain can open only 0x%x event channels, the test needs 0x%x", port,
                  boundaries[0]);
    for (port = 0; port < MAX_PORTS; port++)
        if (event_bit(opened, port))
            check_port(t, port_close(port), 0, "EVTCHNOP_close of an unbound port", port);
    events_restore(t);
}

/*
 * All sequences of a number of steps. Two of the steps are the guest's own: it sets the mask bit,
 * and it acknowledges an event (upcall flag, selector, pending bit).
 */
enum step { STEP_MASK, STEP_SEND, STEP_UNMASK, STEP_ACK, NR_STEPS };

static const char *const step_names[NR_STEPS] = {
    [STEP_MASK] = "mask",
    [STEP_SEND] = "send",
    [STEP_UNMASK] = "unmask",
    [STEP_ACK] = "acknowledge",
};

#define LENGTH 3 /* 5 with test=full */
#define TEXT   80

static void do_step(struct state *s, enum step step, const char *text)
{
    switch (step) {
    case STEP_MASK:
        event_mask(s->t, &s->e, s->port, true);
        break;
    case STEP_SEND:
        send(s, text);
        break;
    case STEP_UNMASK:
        unmask(s, text);
        break;
    default:
        event_ack(s->t, &s->e, s->port, s->vcpu);
    }
}

/* One sequence, on a port that is opened for it. The digits of @number to the base 4 are its steps.
 */
static bool try_sequence(struct state *s, unsigned int number, unsigned int length)
{
    char text[TEXT] = "bind";
    size_t len = 4;

    if (!bind(s))
        return false;
    for (unsigned int i = 0; i < length; i++, number /= NR_STEPS) {
        enum step step = (enum step)(number % NR_STEPS);

        len += format(text + len, sizeof(text) - len, ", %s", step_names[step]);
        do_step(s, step, text);
    }
    format(text + len, sizeof(text) - len, ", close");
    close_port(s, text);
    event_mask(s->t, &s->e, s->port, true);
    event_ack(s->t, &s->e, s->port,
              s->vcpu); /* the selector and the flag are the guest's to clear */
    return true;
}

TEST_RULE(abi_event_sequences,
          "after each sequence of mask, send, unmask and acknowledge, shared_info "
          "has the bits of <xen/xen.h>, and after EVTCHNOP_close no pending bit")
{
    unsigned int length = cmdline_wants_full(&t->d->options) ? 5 : LENGTH, nr = 1;
    struct state s = {.t = t};

    if (shim_is_between(t)) /* an event goes by way of Xen: its bit is set at the next interrupt */
        return;
    for (unsigned int i = 0; i < length; i++)
        nr *= NR_STEPS;
    events_quiet(t);
    events_read(t, &s.e);
    for (s.vcpu = 0; s.vcpu < event_vcpus(t); s.vcpu++)
        for (unsigned int i = 0; i < nr && t->result == TEST_SUCCESS; i++)
            if (!try_sequence(&s, i, length))
                break;
    events_restore(t);
}
