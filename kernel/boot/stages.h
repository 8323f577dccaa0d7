/* SPDX-License-Identifier: MIT */
/*
 * Boot, suspend and resume as one table of stages. Boot calls start() from the first row to the
 * last, a suspend calls before_suspend() from the last row to the first, and a resume calls
 * after_resume() from the first row to the last. docs/architecture.md explains each stage.
 */
#ifndef KERNEL_BOOT_STAGES_H
#define KERNEL_BOOT_STAGES_H

#include "kernel/domain.h"

struct stage {
    const char *name; /* in log lines and in the boot report */
    const char *what; /* a sentence without subject: "map shared_info" */

    /* Returns 0, or a negative errno: then the boot ends with a panic. */
    int (*start)(struct domain *d) __must_check;

    /*
     * Prepares this stage for a suspend; NULL: nothing to do. Returns 0, or a negative errno with
     * the stage unchanged: then the suspend is refused.
     */
    int (*before_suspend)(struct domain *d) __must_check;

    /*
     * Reverts before_suspend() in the same domain (@new_domain false: the suspend was refused or
     * cancelled), or starts the stage again in a new domain, where each MFN and each event channel
     * port has changed. NULL: nothing to do. A negative errno ends the domain with a panic.
     */
    int (*after_resume)(struct domain *d, bool new_domain) __must_check;
};

#define MAX_STAGES 32

/* The table (stages.c). The functions below are in walk.c. */
extern const struct stage stages[];
extern const size_t nr_stages;

/* TSC at entry to kernel_main, and at the end of each stage's start(), for the boot report. */
extern uint64_t ticks_at_entry, ticks_after_stage[MAX_STAGES];

/*
 * clock_running_ns() at the end of each stage's before_suspend() and after_resume(), for the
 * suspend report. Stages without such a function have none.
 */
extern uint64_t running_after_suspend[MAX_STAGES], running_after_resume[MAX_STAGES];

/* Arms the watchdog, and starts all stages. Panics with the name of a stage that fails. */
void stages_start(struct domain *d);

/*
 * Prepares all stages for a suspend. If a stage refuses, resumes the stages after it, sets *@who to
 * its name and returns its negative errno.
 */
int stages_suspend(struct domain *d, const char **who) __must_check;

/*
 * Resumes all stages, with the watchdog armed, and disarms it. Panics with the name of a stage that
 * fails.
 */
void stages_resume(struct domain *d, bool new_domain);

#endif
