/* SPDX-License-Identifier: MIT */
#include "xen/watchdog.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include <xen/sched.h>

/* Xen's number of the watchdog timer, from 1 on; 0: disarmed, and the request for a new timer. */
static uint32_t id;

static uint32_t limit_seconds = WATCHDOG_SECONDS;

static void set_timeout(uint32_t seconds)
{
    struct sched_watchdog arg = {.id = id, .timeout = seconds};
    long rc = HYPERVISOR_sched_op(SCHEDOP_watchdog, &arg);

    if (rc < 0)
        printk(LOG_WARN, "watchdog: SCHEDOP_watchdog: result is %ld (%s); Xen %s\n", rc,
               errno_name((int)rc),
               seconds ? "will not end this domain if it hangs" : "may end this domain");
    else if (!id)
        id = (uint32_t)rc;
}

void watchdog_set(uint32_t seconds)
{
    limit_seconds = seconds;
    if (seconds)
        watchdog_kick();
    else
        watchdog_stop();
}

void watchdog_start(void)
{
    if (limit_seconds)
        set_timeout(limit_seconds);
}

void watchdog_kick(void)
{
    if (id)
        set_timeout(limit_seconds);
}

void watchdog_stop(void)
{
    if (id)
        set_timeout(0);
    id = 0;
}
