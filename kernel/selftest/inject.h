/* SPDX-License-Identifier: MIT */
/*
 * Fault injection, inject=FAULT on the command line: the tests of the tests, and of error paths.
 *
 *   magic, mfn_list, nr_pages   corrupt this field of start_info before it is validated
 *   trap                        write to an unmapped address in the stage inject
 *   tap-plan                    run one test less than the TAP plan announces
 *   sweep                       let every sweep take samples (kernel/selftest/sweep.h)
 *   entry                       swap two entries of the P2M list after boot
 *   stack                       overflow the stack into its guard page after boot
 *   hang                        hang after boot: Xen's watchdog or scripts/boot ends the domain
 *   alloc:N                     let the N-th frame allocation fail
 *   map:image, map:start_info, map:tables, map:list, map:ramdisk
 *                               add an E820 hole over the frames of this object
 *   map:nvs                     add two ACPI NVS entries in the image that are not page-aligned
 *   map:holes:N                 add N holes of one page, in low memory
 *   map:file                    use the E820 entries in the ramdisk, 20 bytes each
 *
 * The faults map:... set an E820 map by XENMEM_set_memory_map (<xen/memory.h>), which a domain may
 * do to itself and which checks no entry, and then read the map from Xen. inject= may be given more
 * than once.
 */
#ifndef KERNEL_SELFTEST_INJECT_H
#define KERNEL_SELFTEST_INJECT_H

#include "kernel/domain.h"

/*
 * As the row of stages.c, which runs before start_info is validated: reads inject= from the
 * builder's page, and corrupts that page if a fault asks for it. Does not return from trap.
 * -EINVAL: unknown fault.
 */
int inject_stage(struct domain *d) __must_check;

/* Replaces @d->map by the injected E820 map. -ENOMEM, -EPERM (ramdisk), or Xen's negative errno. */
int inject_map(struct domain *d) __must_check;

/* Applies inject=entry, stack and hang; the last two do not return. Called after the last stage. */
void inject_late(struct domain *d);

#endif
