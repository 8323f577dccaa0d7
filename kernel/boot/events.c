/* SPDX-License-Identifier: MIT */
#include "kernel/boot/events.h"

#include "lib/errno.h"

#include "xen/evtchn.h"

#include <xen/xen.h>

/* The event ends a wait. The loop in kernel/live.c then reads the console and the watched nodes. */
static void wake(void *context)
{
    (void)context;
}

static bool is_old_domain;

static int bind_all(const struct domain *d)
{
    static evtchn_port_t timer, port;
    int rc = evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer);

    /*
     * Xen's tools/libs/guest/xg_resume.c with fast=0 resumes the old domain as if it were a new
     * one: the VIRQ is still bound.
     */
    is_old_domain = rc == -EEXIST && timer;
    if (is_old_domain)
        rc = evtchn_listen(timer, wake, NULL);
    if (rc)
        return rc;
    if (boot_info_is_initdomain(&d->boot))
        return evtchn_bind_virq(VIRQ_CONSOLE, wake, NULL, &port);
    return evtchn_listen(d->boot.console_port, wake, NULL);
}

int events_stage(struct domain *d)
{
    return bind_all(d);
}

bool events_are_of_old_domain(void)
{
    return is_old_domain;
}

int events_after_resume(struct domain *d, bool new_domain)
{
    return new_domain ? bind_all(d) : 0;
}
