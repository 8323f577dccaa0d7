/* SPDX-License-Identifier: MIT */
/*
 * Commands for a running guest: lines that are typed on the console (shell.h) or written to the
 * xenstore node data/command (kernel/boot/store.h). commands.c has the table of all commands, which
 * the command "help" prints.
 */
#ifndef KERNEL_SHELL_COMMANDS_H
#define KERNEL_SHELL_COMMANDS_H

#include "kernel/domain.h"

/*
 * Runs the command @line: a name of the table, and arguments, separated by blanks. Wrong arguments
 * print the command's usage, an unknown name prints an error. An empty line does nothing.
 */
void command_run(struct domain *d, const char *line);

#endif
