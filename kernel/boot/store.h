/* SPDX-License-Identifier: MIT */
/* The xenstore stages, and what the toolstack asks of this domain through xenstore. */
#ifndef KERNEL_BOOT_STORE_H
#define KERNEL_BOOT_STORE_H

#include "kernel/domain.h"

/* As the rows of stages.c. 0, or a negative errno of xen/xenstore.h or of the hypercall. */
int store_ring_stage(struct domain *d) __must_check;
int store_stage(struct domain *d) __must_check;
int store_before_suspend(struct domain *d) __must_check;
int store_after_resume(struct domain *d, bool new_domain) __must_check;

/* Did another kernel (GRUB's PV loader) use the store ring before? After store_ring_stage. */
bool store_ring_was_used(const struct domain *d);

/* Has one of the watched nodes changed, so that a function below would return something? */
bool store_has_news(void);

/*
 * The request in control/shutdown. The node is emptied in the transaction that reads the request:
 * that is the acknowledgement which libxl waits for.
 */
enum shutdown_request {
    REQUEST_NONE,
    REQUEST_POWEROFF,
    REQUEST_REBOOT,
    REQUEST_HALT,
    REQUEST_SUSPEND,
    NR_REQUESTS
};
enum shutdown_request store_take_shutdown_request(void);

/* The pages that memory/target asks for, if the node has changed since the last call; else 0. */
uint64_t store_take_target(void);

/*
 * A command (kernel/shell/commands.h) that was written to data/command: copied to @command, and
 * terminated. False if there is none. store_end_command empties the node: the command is done. A
 * command that is written before that is lost.
 */
bool store_take_command(char *command, size_t size_bytes) __must_check;
void store_end_command(void);

/* Writes @text to the node @path. A failure is a warning on the console. */
void store_say(const char *path, const char *text);

#endif
