/* SPDX-License-Identifier: MIT */
/*
 * The xenstore stages, and the requests of the toolstack: control/shutdown, memory/target and the
 * project's own node data/command (docs/abi.md, "xenstore"). Paths are relative to this domain's
 * path, /local/domain/N.
 */
#ifndef KERNEL_BOOT_STORE_H
#define KERNEL_BOOT_STORE_H

#include "kernel/domain.h"

/* As the row of stages.c: maps the ring's page. 0, or Xen's negative errno. */
int store_ring_stage(struct domain *d) __must_check;

/*
 * As the row of stages.c: connects to xenstored, watches the three nodes and writes the
 * control/feature-* nodes. A refused write or watch is a warning, and the others do not depend on
 * it. If a watch is refused, for example by a quota of xenstored, the nodes are read every 5
 * seconds. 0, or a negative errno of xenstore_start.
 */
int store_stage(struct domain *d) __must_check;
/*
 * In a new domain the old connection and its watches do not exist: as store_stage. In the old one
 * the connection goes on, and the three nodes are read again.
 */
int store_after_resume(struct domain *d, bool new_domain) __must_check;

/*
 * True if another kernel (GRUB's PV loader) used the xenstore ring before this kernel: req_prod is
 * not 0. Valid from store_ring_stage to store_stage.
 */
bool store_ring_was_used(const struct domain *d);

/*
 * True if a watch has fired since the last store_take_* call for its node. A node that could not be
 * read because xenstored did not answer in time fires when xenstored answers.
 */
bool store_has_news(void);

/* The system time (xen/clock.h) at which store_has_news must be called; UINT64_MAX: at an event. */
uint64_t store_wake_at(void);

enum shutdown_request {
    REQUEST_NONE,
    REQUEST_POWEROFF,
    REQUEST_REBOOT,
    REQUEST_HALT,
    REQUEST_SUSPEND,
    NR_REQUESTS
};

/*
 * Returns the request in control/shutdown and empties the node in the same transaction, which is
 * the acknowledgement that libxl waits for. An unknown word is a warning, and stays in the node. If
 * a quota of xenstored allows no transaction, it works without one; if it allows no write, a
 * request that ends the domain is returned all the same.
 */
enum shutdown_request store_take_shutdown_request(void);

/*
 * Returns memory/target in pages (the node holds KiB), or 0 if the node has not changed since the
 * last call or is empty. No number, and less than a page, is 0 and a warning.
 */
uint64_t store_take_target(void);

/* The size of a command with its 0. A longer one is refused: half a command is another command. */
#define STORE_COMMAND_BYTES 128

/*
 * Copies a command (kernel/shell/commands.h) from data/command to @command, which has
 * STORE_COMMAND_BYTES bytes. False: there is no new command. store_end_command empties the node,
 * which tells the writer that the command has run; if another command has been written to the node
 * meanwhile, that one stays there and is the next.
 */
bool store_take_command(char *command) __must_check;
void store_end_command(void);

/* Writes @text to the node @path if xenstore is connected. A failure is a warning. */
void store_say(const char *path, const char *text);

#endif
