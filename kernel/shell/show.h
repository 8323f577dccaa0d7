/* SPDX-License-Identifier: MIT */
/*
 * The commands that print the kernel's state: rows of the table in commands.c. Each takes the text
 * behind its name and returns 0, or -EINVAL for arguments that make no sense.
 */
#ifndef KERNEL_SHELL_SHOW_H
#define KERNEL_SHELL_SHOW_H

#include "kernel/domain.h"

/* The most lines that one command prints. */
#define SHOW_MAX_LINES 256

int show_e820(struct domain *d, const char *arguments);
int show_ranges(struct domain *d, const char *arguments);
int show_p2m(struct domain *d, const char *arguments);
int show_m2p(struct domain *d, const char *arguments);
int show_walk(struct domain *d, const char *arguments);
int show_published(struct domain *d, const char *arguments);
int show_stats(struct domain *d, const char *arguments);
int show_frame_pool(struct domain *d, const char *arguments);
int show_grants(struct domain *d, const char *arguments);
int show_foreign(struct domain *d, const char *arguments);
int show_evtchn(struct domain *d, const char *arguments);

/*
 * The P2M list as runs of PFNs whose frames follow each other. In a shell no more of them than
 * somebody reads, and where it goes on; a tool that has asked gets all. (show_list.c)
 */
int show_p2m_list(struct domain *d, const char *arguments);

#endif
