/* SPDX-License-Identifier: MIT */
#include "kernel/progress.h"

#include "lib/printk.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

void progress_start(struct progress *p, const char *what, const char *unit, uint64_t total)
{
    uint64_t now = clock_ns();

    *p = (struct progress){
        .what = what,
        .unit = unit,
        .total = total,
        .started_ns = now,
        .line_ns = now + 2 * NS_PER_S,
        .alive_ns = now + NS_PER_S,
    };
    watchdog_kick();
}

void progress_at(struct progress *p, uint64_t done)
{
    uint64_t now = clock_ns();

    if (now >= p->alive_ns) {
        watchdog_kick();
        p->alive_ns = now + NS_PER_S;
    }
    if (now >= p->line_ns) {
        printk(LOG_INFO, "%s: progress: %lu of %lu %s\n", p->what, done, p->total, p->unit);
        p->line_ns = now + NS_PER_S;
    }
}
