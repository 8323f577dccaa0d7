/* SPDX-License-Identifier: MIT */
/* The domain's size: what the toolstack asks for, and what can be had (xen/balloon.h). */
#ifndef KERNEL_BALLOON_H
#define KERNEL_BALLOON_H

#include "kernel/domain.h"

/* As the row of stages.c; grows to the domain's limit if the command line asks for it. */
int balloon_stage(struct domain *d) __must_check;
int balloon_after_resume(struct domain *d, bool new_domain) __must_check;

/* Moves to @target pages, or as near as can be, and says so only if it takes long. */
void balloon_go(struct domain *d, uint64_t target);

/*
 * Moves to @target pages, or as near as can be, and says in xenstore (data/balloon: pages reached,
 * pages asked for, and why they differ) what came of it; on the console, too, if anything did.
 */
void balloon_follow(struct domain *d, uint64_t target);

#endif
