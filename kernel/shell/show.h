/* SPDX-License-Identifier: MIT */
/*
 * The commands that print the state of the domain: rows of the table in commands.c, which describes
 * each command. @arguments is the text behind the command's name. Each returns 0, or -EINVAL for
 * wrong arguments.
 */
#ifndef KERNEL_SHELL_SHOW_H
#define KERNEL_SHELL_SHOW_H

#include "kernel/domain.h"

/* Maximum number of lines of one command for a reader on the console. */
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
 * Prints the P2M list as runs of PFNs with ascending or descending MFNs (show_list.c). With a
 * shell, prints at most SHOW_MAX_LINES runs and the command that prints the next ones; without a
 * shell, for a tool that wrote to data/command, prints all runs.
 */
int show_p2m_list(struct domain *d, const char *arguments);

#endif
