/* SPDX-License-Identifier: MIT */
/*
 * Boot, suspend and resume as one table: reading it is reading the architecture. Boot walks it
 * down, a suspend up, and a resume down again.
 */
#ifndef KERNEL_STAGES_H
#define KERNEL_STAGES_H

#include "kernel/domain.h"

struct stage {
    const char *name, *what; /* for the log, and for whoever reads the table */
    /* 0, or a negative errno: then the boot ends, in the state that the stage found. */
    int (*start)(struct domain *d) __must_check;
    /*
     * Makes ready for a suspend; NULL: nothing to be done. 0, or a negative errno, with nothing
     * changed: then the suspend is off.
     */
    int (*before_suspend)(struct domain *d) __must_check;
    /*
     * Goes on: in a new domain, where every MFN and every port is another, or, if the suspend came
     * to nothing, in the old one. A negative errno is the end of the domain.
     */
    int (*after_resume)(struct domain *d, bool new_domain) __must_check;
};

#define MAX_STAGES 32

/* The table (stages.c); how it is walked is in walk.c. */
extern const struct stage stages[];
extern const size_t nr_stages;

/* The TSC at entry, and after each stage. */
extern uint64_t ticks_at_entry, ticks_after_stage[MAX_STAGES];

/* Walks the table down. Panics with the stage's name if one fails. */
void stages_start(struct domain *d);

/*
 * Walks the table up. If a stage refuses, those that did not are resumed; its errno is returned,
 * and in *@who its name.
 */
int stages_suspend(struct domain *d, const char **who) __must_check;

/* Walks the table down. Panics with the stage's name if one fails. */
void stages_resume(struct domain *d, bool new_domain);

#endif
