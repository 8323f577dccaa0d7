/* SPDX-License-Identifier: MIT */
#include "kernel/live.h"

#include "lib/printk.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/watchdog.h"
#include "xen/xenstore.h"

#include "kernel/boot/balloon.h"
#include "kernel/boot/store.h"
#include "kernel/selftest/pattern_pages.h"
#include "kernel/shell/commands.h"
#include "kernel/shell/shell.h"
#include "kernel/suspend.h"

#define CHURN_NS    (20 * NS_PER_MS)
#define CHURN_PAGES 512
#define GRANTS_NS   NS_PER_S

static void run_store_command(struct domain *d)
{
    char order[128];

    if (!store_take_command(order, sizeof(order)))
        return;
    command_run(d, order);
    store_end_command();
}

/* Tests again what a suspend may have broken. */
static void suspend_and_look(struct domain *d)
{
    int rc = suspend(d);

    if (rc >= 0)
        command_run(d, "test");
}

static void obey_toolstack(struct domain *d)
{
    uint64_t target = store_take_target();

    if (target)
        balloon_follow(d, target);
    switch (store_take_shutdown_request()) {
    case REQUEST_POWEROFF:
    case REQUEST_HALT:
        d->options.done = DONE_POWEROFF;
        break;
    case REQUEST_REBOOT:
        d->options.done = DONE_REBOOT;
        break;
    case REQUEST_SUSPEND:
        suspend_and_look(d);
        break;
    default:
        break;
    }
}

/* Dirties memory, and breathes: for whoever migrates us meanwhile. */
static void churn(struct domain *d)
{
    uint64_t full = d->selftest.churn_pages;

    pattern_pages_renew(d);
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
    if (d->selftest.churn_pages)
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
        run_store_command(d);
        obey_toolstack(d);
        if (d->selftest.churn_pages)
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
