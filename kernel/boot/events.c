/* SPDX-License-Identifier: MIT */
#include "kernel/boot/events.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "xen/console.h"
#include "xen/evtchn.h"

#include <xen/xen.h>

/* The event ends a wait. The loop in kernel/live.c then reads the console and the watched nodes. */
static void wake(void *context)
{
    (void)context;
}

static bool is_old_domain;

/*
 * Console input is optional. Xen 4.21 and newer binds VIRQ_CONSOLE for one domain alone, and
 * returns -EBUSY to any other (evtchn_bind_virq() of Xen xen/common/event_channel.c). With
 * XSM/FLASK a policy may refuse it.
 */
static void bind_console(const struct domain *d)
{
    bool is_dom0 = boot_info_is_initdomain(&d->boot);
    static evtchn_port_t port;
    int rc = is_dom0 ? evtchn_bind_virq(VIRQ_CONSOLE, wake, NULL, &port)
                     : evtchn_listen(d->boot.console_port, wake, NULL);

    if (rc && is_dom0)
        printk(LOG_WARN,
               "events: this domain has no console input: EVTCHNOP_bind_virq of VIRQ_CONSOLE: "
               "result is %d (%s), expected 0\n",
               rc, errno_name(rc));
    else if (rc)
        printk(LOG_WARN,
               "events: this domain has no console input: the handler of port 0x%x "
               "(start_info.console.domU.evtchn) cannot be set: result is %d (%s), expected 0\n",
               d->boot.console_port, rc, errno_name(rc));
    console_set_input(!rc);
}

static int bind_all(const struct domain *d)
{
    static evtchn_port_t timer;
    int rc = evtchn_bind_virq(VIRQ_TIMER, wake, NULL, &timer);

    /*
     * Xen's tools/libs/guest/xg_resume.c with fast=0 resumes the old domain as if it were a new
     * one: the VIRQ is still bound.
     */
    is_old_domain = rc == -EEXIST && timer;
    if (is_old_domain)
        rc = evtchn_listen(timer, wake, NULL);
    if (!rc)
        bind_console(d);
    return rc;
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
