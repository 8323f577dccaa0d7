/* SPDX-License-Identifier: MIT */
#include "kernel/live.h"

#include "lib/printk.h"

#include "xen/clock.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#include "kernel/balloon.h"
#include "kernel/marks.h"
#include "kernel/orders.h"
#include "kernel/services.h"
#include "kernel/suspend.h"

/* The watchdog's is the only reason to wake up that is our own. */
#define ALIVE_NS    (WATCHDOG_SECONDS * NS_PER_S / 2)
#define CHURN_NS    (20 * NS_PER_MS)
#define CHURN_PAGES 512

/* A line that is being typed. */
static struct {
    char text[64];
    size_t len;
} line;

static void take_byte(struct domain *d, char c)
{
    if (c == '\r' || c == '\n') {
        line.text[line.len] = '\0';
        if (line.len)
            order_obey(d, line.text);
        line.len = 0;
    } else if (line.len < sizeof(line.text) - 1) {
        line.text[line.len++] = c;
    }
}

static void listen_to_console(struct domain *d)
{
    char bytes[32];
    size_t n;

    while ((n = console_read(bytes, sizeof(bytes))) > 0)
        for (size_t i = 0; i < n; i++)
            take_byte(d, bytes[i]);
}

static void listen_to_orders(struct domain *d)
{
    char order[64];

    if (!store_take_order(order, sizeof(order)))
        return;
    order_obey(d, order);
    store_end_order();
}

/* Tests again what a suspend may have broken. */
static void suspend_and_look(struct domain *d)
{
    int rc = suspend(d);

    if (rc >= 0)
        order_obey(d, "test");
}

static void obey_toolstack(struct domain *d)
{
    uint64_t target = store_take_target();

    if (target)
        balloon_follow(d, target);
    switch (store_take_wish()) {
    case WISH_POWEROFF:
    case WISH_HALT:
        d->options.done = DONE_POWEROFF;
        break;
    case WISH_REBOOT:
        d->options.done = DONE_REBOOT;
        break;
    case WISH_SUSPEND:
        suspend_and_look(d);
        break;
    default:
        break;
    }
}

/* Dirties memory, and breathes: for whoever migrates us meanwhile. */
static void churn(struct domain *d)
{
    static bool is_out;
    uint64_t nr = d->balloon.nr_pages;

    marks_renew(d);
    balloon_follow(d, is_out ? nr + CHURN_PAGES : nr - CHURN_PAGES);
    is_out = !is_out;
}

enum done live(struct domain *d)
{
    d->options.done = DONE_WAIT;
    printk(LOG_INFO, "live: waiting to be told what to do\n");
    while (d->options.done == DONE_WAIT) {
        watchdog_kick();
        xenstore_poll();
        listen_to_console(d);
        listen_to_orders(d);
        obey_toolstack(d);
        if (d->churning)
            churn(d);
        if (d->options.done == DONE_WAIT)
            evtchn_wait(clock_ns() + (d->churning ? CHURN_NS : ALIVE_NS));
    }
    return d->options.done;
}
