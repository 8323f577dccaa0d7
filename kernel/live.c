/* SPDX-License-Identifier: MIT */
#include "kernel/live.h"

#include "lib/printk.h"

#include "xen/clock.h"
#include "xen/evtchn.h"
#include "xen/xenstore.h"

#include "kernel/boot/balloon.h"
#include "kernel/boot/store.h"
#include "kernel/selftest/pattern_pages.h"
#include "kernel/shell/commands.h"
#include "kernel/shell/shell.h"
#include "kernel/suspend.h"

#define CHURN_NS    (20 * NS_PER_MS) /* period of the command churn */
#define CHURN_MOVE  50               /* periods between two moves of the balloon */
#define CHURN_PAGES 512              /* pages that the balloon moves out and in */
#define GRANTS_NS   NS_PER_S         /* period of polling grants whose end is deferred */

static void run_store_command(struct domain *d)
{
    char command[STORE_COMMAND_BYTES];

    if (!store_take_command(command))
        return;
    command_run(d, command);
    printk(LOG_INFO, "data/command: the command \"%s\" is done\n", command);
    store_end_command();
}

/* Runs the self-tests again, unless the suspend was refused: then nothing has changed. */
static void suspend_and_test(struct domain *d)
{
    int rc = suspend(d);

    if (rc >= 0)
        command_run(d, "test");
}

static void handle_toolstack_requests(struct domain *d)
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
        suspend_and_test(d);
        break;
    default:
        break;
    }
}

/*
 * Dirties the pattern pages, and once a second moves CHURN_PAGES pages out of the balloon or into
 * it: load for a live migration. The tools give up if a page leaves between two of their requests
 * for that page, so a balloon that moves in each period could stop each migration.
 */
static void churn(struct domain *d)
{
    uint64_t full = d->selftest.churn_pages;

    pattern_pages_renew(d);
    if (d->selftest.churn_periods++ % CHURN_MOVE == 0)
        balloon_go(d, d->balloon.nr_pages < full ? full : full - min_u64(full, CHURN_PAGES));
}

/*
 * The time at which live() must run again without an event. A peer that unmaps a granted page sends
 * no event, so deferred grant ends are polled.
 */
static uint64_t wake_at(struct domain *d)
{
    if (d->selftest.churn_pages)
        return clock_ns() + CHURN_NS;
    return min_u64(min_u64(balloon_wake_at(d), store_wake_at()),
                   grants_poll(&d->grants) ? clock_ns() + GRANTS_NS : UINT64_MAX);
}

enum done live(struct domain *d)
{
    d->options.done = DONE_WAIT;
    printk(LOG_DEBUG, "live: waiting for commands and toolstack requests\n");
    shell_start(d);
    while (d->options.done == DONE_WAIT) {
        bool busy;

        xenstore_poll();
        busy = store_has_news();
        busy = shell_poll(d) || busy;
        run_store_command(d);
        handle_toolstack_requests(d);
        busy = balloon_poll(d) || busy;
        if (d->selftest.churn_pages)
            churn(d);
        /*
         * Blocks only after an iteration without work. The work of this iteration may have
         * dispatched the event of a newer request, and that event would not end evtchn_wait().
         */
        if (!busy)
            evtchn_wait(wake_at(d));
        d->suspend_times.woken = clock_running_ns();
    }
    return d->options.done;
}
