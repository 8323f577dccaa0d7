/* SPDX-License-Identifier: MIT */
/*
 * The first stages, from the trap handlers to Xen's version and limits: rows of stages.c. A
 * negative errno ends the boot or, in an _after_resume function, the domain.
 */
#ifndef KERNEL_BOOT_SETUP_H
#define KERNEL_BOOT_SETUP_H

#include "kernel/domain.h"

/* Registers a handler for each exception vector (HYPERVISOR_set_trap_table). */
int traps_stage(struct domain *d) __must_check;

/*
 * Maps a domU's console ring. Reads two fields of start_info that are not validated yet, because
 * the messages of the stage start_info need a console.
 */
int console_stage(struct domain *d) __must_check;

/* Starts the fixmap and the page-table code, with the root table of CR3. Always 0. */
int fixmap_stage(struct domain *d) __must_check;
/*
 * Unmaps all slots; sets the root table again from CR3, which Xen's tools have written. Always 0.
 */
int fixmap_before_suspend(struct domain *d) __must_check;
int fixmap_after_resume(struct domain *d, bool new_domain) __must_check;

/* Copies and validates start_info, and parses the command line. Panics at a bad field. */
int start_info_stage(struct domain *d) __must_check;
/*
 * Prepare the copy of start_info for the tools, and read what the tools have written: ring MFNs,
 * ports, shared_info (xen/start_info.h). -EINVAL: a ring has no PFN, or another PFN after resume.
 */
int start_info_before_suspend(struct domain *d) __must_check;
int start_info_after_resume(struct domain *d, bool new_domain) __must_check;

/* Maps shared_info, and starts the clock and the event channels. Xen's errno if it is refused. */
int shared_info_stage(struct domain *d) __must_check;
/*
 * Unmaps shared_info; maps it again and, in a new domain, sets p2m_cr3 to 0 before anything else.
 */
int shared_info_before_suspend(struct domain *d) __must_check;
int shared_info_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * Reads Xen's version, the M2P's bounds and the domain's limit (xen/host.h). Always 0, or a panic.
 */
int host_stage(struct domain *d) __must_check;
int host_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
