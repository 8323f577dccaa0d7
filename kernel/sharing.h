/* SPDX-License-Identifier: MIT */
/* What is shared with other domains: the foreign window, the grant table, safe PFNs. */
#ifndef KERNEL_SHARING_H
#define KERNEL_SHARING_H

#include "kernel/domain.h"

int sharing_stage(struct domain *d) __must_check;

/* -EBUSY if a page of ours is in use elsewhere, or something is mapped that nobody can map anew. */
int sharing_before_suspend(struct domain *d) __must_check;
int sharing_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * Shows the page behind @pfn, be it RAM, of this domain or by a safe PFN of another, until the next
 * call. NULL if there is none: the rest of the kernel need not know whose it is.
 */
const void *page_show(struct domain *d, pfn_t pfn);

#endif
