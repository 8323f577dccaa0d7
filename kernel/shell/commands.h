/* SPDX-License-Identifier: MIT */
/*
 * Commands: lines that a running guest obeys. A command is typed on the console, or written to the
 * xenstore node data/command. One table has all commands (commands.c); "help" prints that table.
 */
#ifndef KERNEL_SHELL_COMMANDS_H
#define KERNEL_SHELL_COMMANDS_H

#include "kernel/domain.h"

/*
 * Runs the command @line: a name of the table, and arguments separated by blanks. Arguments that
 * make no sense print the usage of that command; an unknown name prints where to find the table.
 */
void command_run(struct domain *d, const char *line);

#endif
