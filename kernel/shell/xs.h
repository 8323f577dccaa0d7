/* SPDX-License-Identifier: MIT */
/* The command "xs": xenstore, as dom0's commands xenstore-ls, -read and -write show it. */
#ifndef KERNEL_SHELL_XS_H
#define KERNEL_SHELL_XS_H

#include "kernel/domain.h"

/*
 * "ls PATH" prints the names below PATH, one on a line. "read PATH" prints a value. "write PATH
 * VALUE" writes a value, which may contain blanks; without VALUE, the node becomes empty. A path
 * without a leading slash is relative to the domain's own path. Prints xenstored's errno if the
 * request fails. Returns 0, or -EINVAL for arguments that make no sense.
 */
int xs_command(struct domain *d, const char *arguments);

#endif
