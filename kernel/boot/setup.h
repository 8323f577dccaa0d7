/* SPDX-License-Identifier: MIT */
/* The first stages: being able to fail well, and to know where we are. */
#ifndef KERNEL_SETUP_H
#define KERNEL_SETUP_H

#include "kernel/domain.h"

/* As the rows of stages.c: started at boot, taken down for a suspend, and put up again. */
int traps_stage(struct domain *d) __must_check;
int console_stage(struct domain *d) __must_check;
int fixmap_stage(struct domain *d) __must_check;
int fixmap_before_suspend(struct domain *d) __must_check;
int fixmap_after_resume(struct domain *d, bool new_domain) __must_check;
int start_info_stage(struct domain *d) __must_check;
int start_info_before_suspend(struct domain *d) __must_check;
int start_info_after_resume(struct domain *d, bool new_domain) __must_check;
int shared_info_stage(struct domain *d) __must_check;
int shared_info_before_suspend(struct domain *d) __must_check;
int shared_info_after_resume(struct domain *d, bool new_domain) __must_check;
int host_stage(struct domain *d) __must_check;
int host_after_resume(struct domain *d, bool new_domain) __must_check;

#endif
