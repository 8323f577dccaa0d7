/* SPDX-License-Identifier: MIT */
/* The functions that walk the table of stages. */
#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"

#include "xen/clock.h"
#include "xen/watchdog.h"

#include "kernel/boot/stages.h"

uint64_t ticks_at_entry, ticks_after_stage[MAX_STAGES];
uint64_t running_after_suspend[MAX_STAGES], running_after_resume[MAX_STAGES];

void stages_start(struct domain *d)
{
    watchdog_start();
    for (size_t i = 0; i < nr_stages; i++) {
        int rc;

        watchdog_kick();
        rc = stages[i].start(d);

        if (rc)
            panic("boot stage %s (%s) failed: %d (%s)", stages[i].name, stages[i].what, rc,
                  errno_name(rc));
        ticks_after_stage[i] = tsc();
    }
}

/* Resumes the stages from number @first to the last one. */
static void resume_from(struct domain *d, size_t first, bool new_domain)
{
    for (size_t i = first; i < nr_stages; i++) {
        int rc;

        if (!stages[i].after_resume)
            continue;
        watchdog_kick();
        rc = stages[i].after_resume(d, new_domain);
        running_after_resume[i] = clock_running_ns();
        if (rc)
            panic("resume after a suspend: boot stage %s (%s) failed: %d (%s)", stages[i].name,
                  stages[i].what, rc, errno_name(rc));
    }
}

int stages_suspend(struct domain *d, const char **who)
{
    for (size_t i = nr_stages; i-- > 0;) {
        int rc;

        if (!stages[i].before_suspend)
            continue;
        rc = stages[i].before_suspend(d);
        running_after_suspend[i] = clock_running_ns();
        if (!rc)
            continue;
        *who = stages[i].name;
        resume_from(d, i + 1, false);
        return rc;
    }
    return 0;
}

void stages_resume(struct domain *d, bool new_domain)
{
    watchdog_start();
    resume_from(d, 0, new_domain);
    watchdog_stop();
}
