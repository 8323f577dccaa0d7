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

/* How long one wait for the reader takes. Without a clock the kernel counts yields instead. */
#define SLICE_NS   NS_PER_MS
#define MAX_YIELDS (1u << 14)

/*
 * Xen 4.21 has a byte in the ring's page, behind out_prod, by which the tools say that no reader is
 * connected (connection in its <xen/io/console.h>). Debian 12's header lacks it. Older tools clear
 * the page, so that the byte is 0: connected.
 */
#ifndef XENCONSOLE_DISCONNECTED
#define XENCONSOLE_DISCONNECTED 1
#endif
#define CONNECTION_OFFSET (offsetof(struct xencons_interface, out_prod) + sizeof(XENCONS_RING_IDX))

/* The reader may write any value here: each is read once, checked, and never used as an index. */
static volatile struct xencons_interface *ring;
static uint32_t prod, cons_in; /* this kernel's indices; those in the ring are copies */
static evtchn_port_t port;
static uint64_t nr_lost;

/* What the reader has read, and how long the kernel has waited for it since it was at since. */
static struct {
    uint32_t read_to, since;
    uint64_t waited; /* ns; without a clock the number of yields */
    bool is_too_slow;
} reader;

/* Output before console_start. */
static char early[1024];
static size_t early_len;
static bool is_dom0;
static bool has_input = true;

static void notify(void)
{
    struct evtchn_send send = {.port = port};

    /* An error means that the port is closed: there is no reader. */
    (void)!HYPERVISOR_event_channel_op(EVTCHNOP_send, &send);
}

static void restart_patience(void)
{
    reader.since = reader.read_to;
    reader.waited = 0;
    reader.is_too_slow = false;
}

/*
 * Looks where the reader is. Returns the free bytes of the ring; 0 if the reader's index is
 * impossible: it may only advance, up to prod.
 */
static uint32_t look_for_room(void)
{
    uint32_t cons = ring->out_cons;

    if (cons - reader.read_to > prod - reader.read_to)
        return 0;
    reader.read_to = cons;
    if (cons == prod || cons - reader.since >= sizeof(ring->out) / 2)
        restart_patience();
    return (uint32_t)sizeof(ring->out) - (prod - cons);
}

static bool is_connected(void)
{
    return ((const volatile uint8_t *)ring)[CONNECTION_OFFSET] != XENCONSOLE_DISCONNECTED;
}

/*
 * Sleeps for SLICE_NS. SCHEDOP_poll (<xen/sched.h>) gets no port: it would not sleep while an event
 * of the port is pending, and events are dispatched elsewhere.
 */
static void wait_for_reader(void)
{
    static unsigned int nr_waits;
    uint64_t now = clock_ns();
    struct sched_poll poll = {.timeout = now + SLICE_NS};

    if (!now) {
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
        reader.is_too_slow = ++reader.waited >= MAX_YIELDS;
        return;
    }
    HYPERVISOR_sched_op(SCHEDOP_poll, &poll);
    if (++nr_waits % 512 == 0)
        watchdog_kick(); /* The reader is slow; the kernel does not hang. */
    reader.waited += clock_ns() - now;
    reader.is_too_slow =
        reader.waited >= (is_connected() ? CONSOLE_PATIENCE : CONSOLE_LONE_PATIENCE) * NS_PER_S;
}

/* Waits for @bytes of room. False if the reader is too slow. */
static bool wait_for_room(uint32_t bytes)
{
    uint32_t room = look_for_room();

    if (room < bytes && !reader.is_too_slow)
        notify();
    while (room < bytes && !reader.is_too_slow) {
        wait_for_reader();
        room = look_for_room();
    }
    return room >= bytes;
}

static void ring_put(char c)
{
    if (!wait_for_room(1)) {
        nr_lost++;
        return;
    }
    ring->out[MASK_XENCONS_IDX(prod, ring->out)] = c;
    store_barrier(); /* The reader reads the byte once out_prod shows it. */
    ring->out_prod = ++prod;
}

/* xenconsoled's terminal is in raw mode, so a line end needs a carriage return. */
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

        /* 0: all was written. An error, as in a domU, cannot be reported anywhere. */
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

/* Reports lost bytes once half of the ring is free. */
static void report_loss(void)
{
    uint64_t n = nr_lost;

    if (!n || look_for_room() < sizeof(ring->out) / 2)
        return;
    nr_lost = 0;
    print("\nwarning: console: %lu bytes are missing here: the ring was full and not read\n", n);
}

void platform_write(const char *text, size_t len_bytes)
{
    if (ring) {
        report_loss();
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
    prod = ring->out_prod; /* not 0 if a loader (GRUB) has used the ring */
    cons_in = ring->in_cons;
    reader.read_to = prod - (uint32_t)sizeof(ring->out); /* any index from there on is possible */
    restart_patience();
    ring_write(early, early_len);
    return 0;
}

void console_set_input(bool yes)
{
    has_input = yes;
}

void console_set_port(uint32_t new_port)
{
    port = new_port;
    restart_patience();
}

static size_t ring_read(char *text, size_t size_bytes)
{
    uint32_t there = ring->in_prod - cons_in, n;

    if (there > sizeof(ring->in)) /* an impossible index: there is no valid input */
        return 0;
    n = (uint32_t)min_u64(there, size_bytes);
    barrier(); /* in_prod is read before the bytes that it shows */
    for (uint32_t i = 0; i < n; i++)
        text[i] = ring->in[MASK_XENCONS_IDX(cons_in + i, ring->in)];
    store_barrier(); /* xenconsoled overwrites the bytes once in_cons gives them back */
    cons_in += n;
    ring->in_cons = cons_in;
    if (n)
        notify();
    return n;
}

size_t console_read(char *text, size_t size_bytes)
{
    long n;

    if (!has_input)
        return 0;
    if (ring)
        return ring_read(text, size_bytes);
    n = HYPERVISOR_console_io(CONSOLEIO_read, (unsigned int)size_bytes, text);
    return n < 0 ? 0 : min_u64((uint64_t)n, size_bytes);
}

void console_drain(void)
{
    if (!ring)
        return;
    restart_patience();
    (void)!wait_for_room(sizeof(ring->out));
    report_loss();
    (void)!wait_for_room(sizeof(ring->out));
}
