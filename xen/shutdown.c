/* SPDX-License-Identifier: MIT */
#include "xen/shutdown.h"

#include "lib/panic.h"

#include "arch/x86/hypercall.h"

#include "xen/console.h"

#include <xen/sched.h>

void domain_shutdown(unsigned int reason)
{
    struct sched_shutdown arg = {.reason = reason};

    console_drain();
    for (;;) {
        HYPERVISOR_sched_op(SCHEDOP_shutdown, &arg);
        HYPERVISOR_sched_op(SCHEDOP_yield, NULL);
    }
}

void platform_crash(void)
{
    domain_shutdown(SHUTDOWN_crash);
}
