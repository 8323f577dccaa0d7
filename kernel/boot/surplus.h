/* SPDX-License-Identifier: MIT */
/*
 * A domain with more pages than its E820 map has RAM: xl accepts memory=64 with maxmem=32, and
 * makes a map of 32 MiB (libxl_x86.c, domain_construct_memmap). There is no PFN for the other
 * pages, so no tool could save them, and the balloon could not count them. Linux starts with what
 * the map has and leaves the rest unused; this kernel gives the rest to Xen, so that the domain has
 * the size that its map promises.
 *
 *      builder   [ frames 0 ................................ nr_pages )
 *      map       [ RAM   | hole |   RAM    )
 *      after     [ frames 0 ........ nr_pages )[ given to Xen         )
 *                                             ^ the number of RAM pages of the map
 */
#ifndef KERNEL_BOOT_SURPLUS_H
#define KERNEL_BOOT_SURPLUS_H

#include "kernel/domain.h"

/*
 * If the map has fewer pages of RAM than this domain: gives the frames of the last PFNs to Xen
 * (XENMEM_decrease_reservation), and from then on boot.nr_pages is the number of RAM pages of the
 * map. A frame in use exchanges its PFN with a free frame before. Runs before the plan, on the
 * builder's P2M list. Prints the number of pages. -ENOMEM if the builder's P2M list, the ramdisk or
 * the frames in use need more than the map has, or Xen's negative errno: the boot cannot continue.
 */
int surplus_release(struct domain *d) __must_check;

#endif
