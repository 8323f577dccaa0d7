/* SPDX-License-Identifier: MIT */
#include "xen/watchdog.h"

#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include <xen/sched.h>

/* Xen's handle of our timer, from 1 on; 0 asks for a new one. */
static uint32_t id;

static void set_timeout(uint32_t seconds)
{
    struct sched_watchdog arg = {.id = id, .timeout = seconds};
    long rc = HYPERVISOR_sched_op(SCHEDOP_watchdog, &arg);

    if (rc < 0)
        printk(LOG_WARN, "watchdog: Xen says %ld; a hang will not end by itself\n", rc);
    else if (!id)
        id = (uint32_t)rc;
}

void watchdog_kick(void)
{
    set_timeout(WATCHDOG_SECONDS);
}

void watchdog_stop(void)
{
    if (id)
        set_timeout(0);
    id = 0;
}
