/* SPDX-License-Identifier: MIT */
/*
 * The line editor of the console. Each line is a command (commands.h).
 *
 *   shell=none   no prompt and no echo: lines are commands for a guest with done=wait
 *   shell=edit   a prompt, echo, and editing: backspace, Ctrl-U (delete the line), Ctrl-C (new
 * line) shell=line   a prompt, no echo: for rlwrap, which edits and shows the line itself
 */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include "kernel/domain.h"

/* With a shell, prints a greeting and the prompt. */
void shell_start(struct domain *d);

/* Reads what has been typed, without waiting, and runs each complete line. True if bytes came. */
bool shell_poll(struct domain *d);

#endif
