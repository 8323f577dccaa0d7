/* SPDX-License-Identifier: MIT */
/*
 * Boot as a table: reading it is reading the architecture.
 */
#ifndef KERNEL_STAGES_H
#define KERNEL_STAGES_H

#include "kernel/domain.h"

struct stage {
    const char *name;
    /* 0, or a negative errno: then the boot ends, in the state that the stage found. */
    int (*start)(struct domain *d) __must_check;
    const char *what; /* for the log, and for whoever reads the table */
};

extern const struct stage stages[];
extern const size_t nr_stages;

/* The TSC at entry, and after each stage. */
extern uint64_t ticks_at_entry, ticks_after_stage[];

/* Walks the table down. Panics with the stage's name if one fails. */
void stages_start(struct domain *d);

#endif
