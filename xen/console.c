/* SPDX-License-Identifier: MIT */
#include "xen/console.h"

#include "lib/errno.h"
#include "lib/printk.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "xen/clock.h"
#include "xen/foreign_page.h"
#include "xen/watchdog.h"

#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/sched.h>

/*
 * How long a reader of a full ring may stand still before what does not fit is lost: xenconsoled
 * lets a guest that talks much wait for a fifth of a second, and may have other things to do.
 * Before there is a clock, how often the CPU is offered to it instead.
 */
#define PATIENCE_NS (10 * NS_PER_S)
#define SLICE_NS    NS_PER_MS
#define MAX_YIELDS  (1u << 14)

/* The other end may write anything here: what it writes is read once, and is never an index. */
static volatile struct xencons_interface *ring;
static uint32_t prod, cons_in; /* ours; the ring's are for the other end */
static evtchn_port_t port;
static uint64_t nr_lost;

/* A reader that was waited for in vain is not waited for again until it has moved from here. */
static bool is_stuck;
static uint32_t stuck_at;

/* What was said before it was known where to say it. */
static char early[1024];
static size_t early_len;
static bool is_dom0;

static void notify(void)
{
    struct evtchn_send send = {.port = port};

    /* a port that is gone has nobody behind it: nothing to be done */
    (void)!HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

/* Bytes of the ring that are free if the reader is at @cons; none if that makes no sense. */
static uint32_t room_at(uint32_t cons)
{
    uint32_t used = prod - cons;

    return used <= sizeof(ring->out) ? (uint32_t)sizeof(ring->out) - used : 0;
}

/*
 * Sleeps for a slice of time; true if time is left. No port ends it: its event stays pending until
 * it is dispatched, and a poll for one that is pending does not sleep.
 */
static bool wait_for_reader(uint64_t since_ns, unsigned int nr_waits)
{
    uint64_t now = clock_ns();
    struct sched_poll poll = {.timeout = now + SLICE_NS};

    if (!now) {
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        return nr_waits < MAX_YIELDS;
    }
    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    if (nr_waits % 512 == 511)
        watchdog_kick(); /* it is the reader that is slow, not we */
    return now - since_ns < PATIENCE_NS;
}

/* Waits for room, a while, and only for a reader that reads. */
static bool wait_for_room(uint32_t bytes)
{
    uint32_t cons = ring->out_cons, last = cons;
    uint64_t since_ns = clock_ns();

    if (is_stuck && cons == stuck_at)
        return room_at(cons) >= bytes;
    is_stuck = false;
    if (room_at(cons) < bytes)
        notify();
    for (unsigned int i = 0; room_at(cons) < bytes; i++) {
        if (!wait_for_reader(since_ns, i)) {
            is_stuck = true;
            stuck_at = cons;
            return false;
        }
        cons = ring->out_cons;
        if (room_at(cons) > room_at(last)) { /* it reads: patience begins anew */
            since_ns = clock_ns();
            last = cons;
        }
    }
    return true;
}

static void ring_put(char c)
{
    if (!wait_for_room(1)) {
        nr_lost++;
        return;
    }
    ring->out[MASK_XENCONS_IDX(prod, ring->out)] = c;
    store_barrier(); /* the byte before the index that shows it */
    ring->out_prod = ++prod;
}

/* A terminal at the other end is in raw mode: it needs the carriage return. */
static void ring_write(const char *text, size_t len_bytes)
{
    for (; len_bytes; len_bytes--, text++) {
        if (*text == '\n')
            ring_put('\r');
        ring_put(*text);
    }
    notify();
}

static void hypercall_write(const char *text, size_t len_bytes)
{
    while (len_bytes) {
        long rc = HYPERVISOR_console_io(CONSOLEIO_write, (unsigned int)len_bytes,
                                        (char *)(uintptr_t)text);

        /* 0: all written. An error, as a domU gets, has nowhere to be reported to. */
        if (rc <= 0 || (size_t)rc > len_bytes)
            return;
        text += rc;
        len_bytes -= (size_t)rc;
    }
}

static void remember(const char *text, size_t len_bytes)
{
    size_t part = min_u64(len_bytes, sizeof(early) - early_len);

    memcpy(early + early_len, text, part);
    early_len += part;
    nr_lost += len_bytes - part;
}

/* As soon as there is room to say so again. */
static void confess_loss(void)
{
    uint64_t n = nr_lost;

    if (!n || room_at(ring->out_cons) < sizeof(ring->out) / 2)
        return;
    nr_lost = 0;
    print("\nconsole: %lu bytes were lost here, for nobody read them\n", n);
}

void platform_write(const char *text, size_t len_bytes)
{
    if (ring) {
        confess_loss();
        ring_write(text, len_bytes);
        return;
    }
    hypercall_write(text, len_bytes);
    if (!is_dom0)
        remember(text, len_bytes);
}

int console_start(const struct start_info *si, void *page)
{
    mfn_t mfn = to_mfn(si->console.domU.mfn);
    int rc;

    is_dom0 = si->flags & SIF_INITDOMAIN;
    if (is_dom0)
        return foreign_page_map(page, INVALID_MFN);
    if (!mfn_valid(mfn))
        return -EINVAL;
    rc = foreign_page_map(page, mfn);
    if (rc)
        return rc;
    port = si->console.domU.evtchn;
    ring = page;
    prod = ring->out_prod; /* GRUB has used the ring before us */
    cons_in = ring->in_cons;
    ring_write(early, early_len);
    return 0;
}

void console_set_port(uint32_t new_port)
{
    port = new_port;
    is_stuck = false;
}

static size_t ring_read(char *text, size_t size_bytes)
{
    uint32_t there = ring->in_prod - cons_in, n;

    if (there > sizeof(ring->in)) /* makes no sense: what is there is not ours to guess */
        return 0;
    n = (uint32_t)min_u64(there, size_bytes);
    barrier(); /* the index before the bytes that it shows */
    for (uint32_t i = 0; i < n; i++)
        text[i] = ring->in[MASK_XENCONS_IDX(cons_in + i, ring->in)];
    store_barrier(); /* read, then given back */
    cons_in += n;
    ring->in_cons = cons_in;
    if (n)
        notify();
    return n;
}

size_t console_read(char *text, size_t size_bytes)
{
    long n;

    if (ring)
        return ring_read(text, size_bytes);
    n = HYPERVISOR_console_io(CONSOLEIO_read, (unsigned int)size_bytes, text);
    return n < 0 ? 0 : min_u64((uint64_t)n, size_bytes);
}

void console_drain(void)
{
    if (!ring)
        return;
    (void)!wait_for_room(sizeof(ring->out));
    confess_loss();
    (void)!wait_for_room(sizeof(ring->out));
}
