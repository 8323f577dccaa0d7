/* SPDX-License-Identifier: MIT */
/*
 * Commands that show what the kernel knows, for people: rows of the table in orders.c. Each takes
 * what was typed behind its name; what makes no sense there gets the command's usage line.
 */
#ifndef KERNEL_SHOW_H
#define KERNEL_SHOW_H

#include "kernel/domain.h"

/* Nobody reads more lines than this. */
#define SHOW_MAX_LINES 256

void show_e820(struct domain *d, const char *arguments);
void show_ranges(struct domain *d, const char *arguments);
void show_p2m(struct domain *d, const char *arguments);
void show_m2p(struct domain *d, const char *arguments);
void show_walk(struct domain *d, const char *arguments);
void show_published(struct domain *d, const char *arguments);
void show_stats(struct domain *d, const char *arguments);
void show_frames(struct domain *d, const char *arguments);
void show_grants(struct domain *d, const char *arguments);
void show_window(struct domain *d, const char *arguments);
void show_evtchn(struct domain *d, const char *arguments);

/*
 * The P2M list as runs of PFNs whose frames follow each other. In a shell no more of them than
 * somebody reads, and where it goes on; a tool that has asked gets all. (show_list.c)
 */
void show_list(struct domain *d, const char *arguments);

#endif
