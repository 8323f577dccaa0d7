/* SPDX-License-Identifier: MIT */
/*
 * Faults on purpose, to prove that they are seen: inject=WHAT on the command line.
 *
 *   magic, mfn_list, nr_pages   start_info is corrupted before it is read
 *   trap, hang                  in early boot
 *   plan                        the list of tests is cut short
 *   sweep                       every sweep of a test is taken for one that is too slow
 *   entry                       two entries of the finished P2M change places
 *   stack                       after boot, the stack overflows into its guard page
 *   alloc:N                     the N-th frame that is asked for is refused
 *   map:image, map:start_info, map:tables, map:list, map:ramdisk
 *                               a hole in the memory map over where these lie
 *   map:nvs                     two ACPI NVS entries inside the image, at odd offsets
 *   map:holes:N                 N holes of one page, all over low memory
 *   map:file                    the map is what the ramdisk holds: entries of 20 bytes
 *
 * A map is set by XENMEM_set_memory_map, which a domain may do to itself, and then read from Xen
 * like any other. Xen takes whatever is in it.
 */
#ifndef KERNEL_INJECT_H
#define KERNEL_INJECT_H

#include "kernel/domain.h"

/*
 * Reads inject= from the builder's own page, and does to it what is asked. Does not return from
 * trap and hang. A word that is not known is an error: -EINVAL, with a sentence.
 */
int inject_stage(struct domain *d) __must_check;

/* Sets the memory map that was asked for, and reads it back. -ENOMEM, or Xen's negative errno. */
int inject_map(struct domain *d) __must_check;

/* The faults that come after boot: entry and stack, which does not return. */
void inject_late(struct domain *d);

#endif
