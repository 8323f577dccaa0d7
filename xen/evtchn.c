/* SPDX-License-Identifier: MIT */
#include "xen/evtchn.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "xen/clock.h"

#include <xen/sched.h>
#include <xen/vcpu.h>

#define PORTS_PER_WORD 64
#define NR_PORTS       (64 * PORTS_PER_WORD)
#define MAX_LISTENERS  32
/* A peer may send an event as soon as the one before is handled, without end. */
#define MAX_ROUNDS 16

static struct listener {
    evtchn_handler_t handler; /* NULL: free */
    void *context;
    evtchn_port_t port;
} listeners[MAX_LISTENERS];

static volatile struct shared_info *shared;

static void set_bit(volatile uint64_t *words, evtchn_port_t port)
{
    __atomic_fetch_or(&words[port / PORTS_PER_WORD], (uint64_t)1 << port % PORTS_PER_WORD,
                      __ATOMIC_SEQ_CST);
}

static void clear_bit(volatile uint64_t *words, evtchn_port_t port)
{
    __atomic_fetch_and(&words[port / PORTS_PER_WORD], ~((uint64_t)1 << port % PORTS_PER_WORD),
                       __ATOMIC_SEQ_CST);
}

void evtchn_resume(struct shared_info *s)
{
    shared = s;
    if (shared)
        shared->vcpu_info[0].evtchn_upcall_mask = 1;
}

void evtchn_start(struct shared_info *s)
{
    for (unsigned int i = 0; i < MAX_LISTENERS; i++)
        listeners[i].handler = NULL;
    evtchn_resume(s);
    for (unsigned int word = 0; shared && word < NR_PORTS / PORTS_PER_WORD; word++)
        shared->evtchn_mask[word] = UINT64_MAX;
}

static struct listener *find(evtchn_port_t port)
{
    for (unsigned int i = 0; i < MAX_LISTENERS; i++)
        if (listeners[i].handler && listeners[i].port == port)
            return &listeners[i];
    return NULL;
}

int evtchn_listen(evtchn_port_t port, evtchn_handler_t handler, void *context)
{
    struct evtchn_unmask unmask = {.port = port};

    if (port == 0 || port >= NR_PORTS || find(port))
        return -EINVAL;
    for (unsigned int i = 0; i < MAX_LISTENERS; i++) {
        int rc;

        if (listeners[i].handler)
            continue;
        listeners[i] = (struct listener){handler, context, port};
        /* By hypercall: Xen also sets the upcall bits for an event that came while masked. */
        rc = (int)HYPERVISOR_event_channel_op(EVTCHNOP_unmask, &unmask);
        if (rc)
            listeners[i].handler = NULL;
        return rc;
    }
    return -ENOMEM;
}

static int close_port(evtchn_port_t port)
{
    struct evtchn_close close = {.port = port};

    return (int)HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
}

/* Listens to @new_port, which a hypercall with the result @rc allocated; closes it on an error. */
static int listen_to_new(long rc, evtchn_port_t new_port, evtchn_handler_t handler, void *context,
                         evtchn_port_t *port)
{
    if (rc)
        return (int)rc;
    rc = evtchn_listen(new_port, handler, context);
    if (rc)
        (void)!close_port(new_port);
    else
        *port = new_port;
    return (int)rc;
}

int evtchn_bind_virq(unsigned int virq, evtchn_handler_t handler, void *context,
                     evtchn_port_t *port)
{
    struct evtchn_bind_virq bind = {.virq = virq, .vcpu = 0};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_virq, &bind);

    return listen_to_new(rc, bind.port, handler, context, port);
}

int evtchn_bind_ipi(evtchn_handler_t handler, void *context, evtchn_port_t *port)
{
    struct evtchn_bind_ipi bind = {.vcpu = 0};
    long rc = HYPERVISOR_event_channel_op(EVTCHNOP_bind_ipi, &bind);

    return listen_to_new(rc, bind.port, handler, context, port);
}

void evtchn_close(evtchn_port_t port)
{
    struct listener *l = find(port);

    if (!l)
        return;
    l->handler = NULL;
    if (shared)
        set_bit(shared->evtchn_mask, port);
    (void)!close_port(port); /* An error means that the port is closed already. */
}

unsigned int evtchn_count(void)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < MAX_LISTENERS; i++)
        n += listeners[i].handler != NULL;
    return n;
}

void evtchn_notify(evtchn_port_t port)
{
    struct evtchn_send send = {.port = port};

    (void)!HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

/* Clears the bit before the call, so that an event that comes during the call is not lost. */
static void handle(evtchn_port_t port)
{
    const struct listener *l = find(port);

    clear_bit(shared->evtchn_pending, port);
    if (l)
        l->handler(l->context);
    else /* The port was closed when its event was already pending. */
        set_bit(shared->evtchn_mask, port);
}

static unsigned int handle_word(unsigned int word)
{
    unsigned int n = 0;
    uint64_t bits = shared->evtchn_pending[word] & ~shared->evtchn_mask[word];

    for (; bits; bits &= bits - 1, n++)
        handle(word * PORTS_PER_WORD + (evtchn_port_t)__builtin_ctzll(bits));
    return n;
}

unsigned int evtchn_dispatch(void)
{
    volatile struct vcpu_info *vcpu;
    unsigned int n = 0;

    if (!shared)
        return 0;
    vcpu = &shared->vcpu_info[0];
    for (unsigned int i = 0; vcpu->evtchn_upcall_pending && i < MAX_ROUNDS; i++) {
        uint64_t words;

        vcpu->evtchn_upcall_pending = 0;
        words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
        for (; words; words &= words - 1)
            n += handle_word((unsigned int)__builtin_ctzll(words));
    }
    return n;
}

static void set_alarm(uint64_t at_ns)
{
    struct vcpu_set_singleshot_timer alarm = {.timeout_abs_ns = at_ns};

    /* A time in the past fires at once. After an error only an event ends the wait. */
    (void)!HYPERVISOR_vcpu_op(VCPUOP_set_singleshot_timer, 0, &alarm);
}

void evtchn_wait(uint64_t until_ns)
{
    if (!shared || evtchn_dispatch() || clock_ns() >= until_ns)
        return;
    if (until_ns != UINT64_MAX)
        set_alarm(until_ns);
    /* SCHEDOP_block unmasks upcalls and blocks if no event is pending, as one atomic step. */
    HYPERVISOR_sched_op(SCHEDOP_block, NULL);
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    evtchn_dispatch();
}
