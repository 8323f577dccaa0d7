/* SPDX-License-Identifier: MIT */
#include "kernel/live.h"

#include "lib/printk.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#include "kernel/balloon.h"
#include "kernel/marks.h"
#include "kernel/orders.h"
#include "kernel/services.h"
#include "kernel/shell.h"
#include "kernel/suspend.h"

#define CHURN_NS    (20 * NS_PER_MS)
#define CHURN_PAGES 512
#define GRANTS_NS   NS_PER_S

static void listen_to_orders(struct domain *d)
{
    char order[128];

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
    uint64_t full = d->churn_pages;

    marks_renew(d);
    balloon_go(d, d->balloon.nr_pages < full ? full : full - min_u64(full, CHURN_PAGES));
}

/*
 * Without the watchdog: one who sleeps has nothing to prove, and may be paused for longer than it
 * has patience, by whoever dumps the domain.
 */
static void sleep(uint64_t until_ns)
{
    watchdog_stop();
    evtchn_wait(until_ns);
    watchdog_kick();
}

/*
 * When there is something to do, even if nothing happens. A peer that lets go of a page says so to
 * nobody.
 */
static uint64_t wake_at(struct domain *d)
{
    if (d->churn_pages)
        return clock_ns() + CHURN_NS;
    return grants_poll(&d->grants) ? clock_ns() + GRANTS_NS : UINT64_MAX;
}

enum done live(struct domain *d)
{
    d->options.done = DONE_WAIT;
    printk(LOG_DEBUG, "live: waiting to be told what to do\n");
    shell_start(d);
    while (d->options.done == DONE_WAIT) {
        bool busy;

        xenstore_poll();
        busy = store_has_news();
        busy = shell_listen(d) || busy;
        listen_to_orders(d);
        obey_toolstack(d);
        if (d->churn_pages)
            churn(d);
        /*
         * Only after a round in which nothing was done: whatever came during one in which something
         * was, its event may have been handled on the way, and would not wake us.
         */
        if (!busy)
            sleep(wake_at(d));
    }
    return d->options.done;
}
