/* SPDX-License-Identifier: MIT */
/* The stage that starts the balloon (xen/balloon.h), and its targets. All sizes are in pages. */
#ifndef KERNEL_BOOT_BALLOON_H
#define KERNEL_BOOT_BALLOON_H

#include "kernel/domain.h"

/*
 * As the row of stages.c. With balloon=max, grows this domain to its limit, or as far as Xen and
 * the P2M list allow. -ENOMEM without frames for the set of PFNs, or an error of balloon_move.
 */
int balloon_stage(struct domain *d) __must_check;
/*
 * In a new domain: returns the frames of ballooned-out PFNs to Xen (balloon_reconcile), and warns
 * if XENMEM_current_reservation differs from the kernel's count.
 */
int balloon_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * Moves the balloon towards @target. Prints a warning if balloon_move fails; not reaching @target
 * is no failure.
 */
void balloon_go(struct domain *d, uint64_t target);

/*
 * Moves the balloon towards @target, the pages of memory/target, and writes the result to
 * data/balloon: "N of M pages", and the reason if N is not M. Prints the same line if the size has
 * changed or N is not M.
 */
void balloon_follow(struct domain *d, uint64_t target);

#endif
