/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume, for xl save and xl migrate:
 *
 *      before_suspend of each stage, last stage first     (kernel/boot/stages.c)
 *      check all page tables: each present entry maps a frame of the P2M, no superpage
 *      SCHEDOP_shutdown(SHUTDOWN_suspend), with the MFN of the copy of start_info in RDX
 *           0: resumed in a new domain    1: cancelled, same domain    negative: refused by Xen
 *      after_resume of each stage, first stage first
 *
 * The readers of the suspended domain are tools/libs/guest/xg_sr_save_x86_pv.c and
 * xg_sr_restore_x86_pv.c of Xen; xg_resume.c cancels a suspend.
 */
#ifndef KERNEL_SUSPEND_H
#define KERNEL_SUSPEND_H

#include "kernel/domain.h"

/*
 * Suspends this domain. Returns 0 in a new domain, 1 if a tool cancelled the suspend, or a negative
 * errno if a stage, a mapping or Xen refuses the suspend: then all stages are resumed. Prints the
 * result and writes it to the xenstore node data/suspend. Prints what the suspend took, too
 * (kernel/report.h), unless it was refused.
 */
int suspend(struct domain *d) __must_check;

#endif
