/* SPDX-License-Identifier: MIT */
/*
 * What lib asks of the machine: somewhere to write, and an end.
 *
 * A dom0 writes to Xen's console by hypercall, which needs nothing to be set up: the first line
 * can be the first thing that the kernel does.
 */
#include "lib/panic.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include "xen/shutdown.h"

#include <xen/sched.h>

void platform_write(const char *text, size_t len_bytes)
{
    while (len_bytes) {
        long rc = HYPERVISOR_console_io(CONSOLEIO_write, (unsigned int)len_bytes, text);

        /* 0: all written. An error has nowhere to be reported to. */
        if (rc <= 0 || (size_t)rc > len_bytes)
            return;
        text += rc;
        len_bytes -= (size_t)rc;
    }
}

void platform_crash(void)
{
    domain_shutdown(SHUTDOWN_crash);
}
