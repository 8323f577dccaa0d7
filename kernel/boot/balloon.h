/* SPDX-License-Identifier: MIT */
/* The stage that starts the balloon (xen/balloon.h), and its targets. All sizes are in pages. */
#ifndef KERNEL_BOOT_BALLOON_H
#define KERNEL_BOOT_BALLOON_H

#include "kernel/domain.h"

/*
 * What the balloon leaves Xen where Xen has no memory for all that the domain is to have: 8 MiB, as
 * far as the domain grew. Xen takes memory for a domain while the domain runs. By its default
 * limits these are for a dom0 1024 pages of grant mappings (maptrack), 64 frames of the grant table
 * with as much beside them, and 64 pages of event channels; and blocks of some contiguous pages,
 * such as a domU's E820 map. Without any memory the tools cannot save a domain:
 * XEN_DOMCTL_getvcpucontext fails.
 */
#define BALLOON_XEN_PAGES 2048

/* Runs of RAM PFNs without a frame that the balloon may add to those of the map and the plan. */
#define BALLOON_SPARE_RUNS 512

/*
 * As the row of stages.c. With balloon=max, grows this domain to its limit, or as far as the P2M
 * list allows, or as far as Xen has memory, less BALLOON_XEN_PAGES. -ENOMEM without frames for the
 * set of PFNs, or an error of balloon_move.
 */
int balloon_stage(struct domain *d) __must_check;
/*
 * In a new domain: returns the frames of ballooned-out PFNs to Xen (balloon_reconcile), and warns
 * if XENMEM_current_reservation differs from the kernel's count.
 */
int balloon_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * Moves the balloon towards @target, once. Prints a warning if balloon_move fails; not reaching
 * @target is no failure. A memory/target that is pursued will undo it: see balloon_end_pursuit.
 */
void balloon_go(struct domain *d, uint64_t target);

/*
 * memory/target is pursued: what is not reached at once, because Xen has no memory now or because
 * pages of this domain are in use now, is tried again after 1 s, and after each try that moves no
 * page twice as late, up to 32 s. Xen keeps BALLOON_XEN_PAGES meanwhile. Each result goes to
 * data/balloon: "N of M pages", and the reason if N is not M. The console has a line for the first
 * try, if the size has changed or N is not M, and a line for the end of the pursuit. The command
 * churn interrupts the pursuit.
 */

/* Pursues @target, the pages of memory/target, from now on. A target of 0 is none. */
void balloon_follow(struct domain *d, uint64_t target);
/* Pursues no target until the next balloon_follow(). */
void balloon_end_pursuit(struct domain *d);
/* The system time (clock_ns) of the next try; UINT64_MAX if there is none to come. */
uint64_t balloon_wake_at(const struct domain *d);
/* Tries again if it is time. True if it did, and may thereby have dispatched events. */
bool balloon_poll(struct domain *d);

#endif
