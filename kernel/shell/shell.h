/* SPDX-License-Identifier: MIT */
/*
 * The line that is typed on the console. Without "shell" on the command line it is taken as it
 * comes, and nothing is answered but what an order prints. With it there is a prompt, and what is
 * typed is shown and can be mended: backspace, Ctrl-U (all of it), Ctrl-C (never mind). History is
 * for the other end (rlwrap), which then asks for shell=line: it shows the line itself.
 */
#ifndef KERNEL_SHELL_H
#define KERNEL_SHELL_H

#include "kernel/domain.h"

/* Says hello, if there is somebody. */
void shell_start(struct domain *d);

/* Takes in what has been typed, and carries out each line. True if anything came. */
bool shell_listen(struct domain *d);

#endif
