/* SPDX-License-Identifier: MIT */
/* The command "xs", like xenstore-list, xenstore-read and xenstore-write in a Linux dom0. */
#ifndef KERNEL_SHELL_XS_H
#define KERNEL_SHELL_XS_H

#include "kernel/domain.h"

/*
 * "ls PATH" prints the names below PATH, one on a line. "read PATH" prints a value. "write PATH
 * VALUE" writes a value, which may contain blanks; without VALUE, the node becomes empty. A path
 * without a leading slash is relative to the path of this domain. Prints xenstored's errno if the
 * request fails. Returns 0, or -EINVAL for wrong arguments.
 */
int xs_command(struct domain *d, const char *arguments);

#endif
