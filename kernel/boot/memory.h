/* SPDX-License-Identifier: MIT */
/*
 * The stages from the frame pool to the teardown of the builder's mapping, in the order in which
 * they run: rows of stages.c. Each returns 0 or a negative errno, which ends the boot.
 */
#ifndef KERNEL_BOOT_MEMORY_H
#define KERNEL_BOOT_MEMORY_H

#include "kernel/domain.h"

/* Collects the PFNs that the builder has not used, by nr_pages alone, and starts the heap. */
int frame_pool_stage(struct domain *d) __must_check;

/*
 * Reads the E820 map (XENMEM_machine_memory_map in a dom0, XENMEM_memory_map in a domU) and turns
 * it into @d->p2m.ranges. -EINVAL: the map has no RAM.
 */
int map_stage(struct domain *d) __must_check;
/* Prints the ranges of an E820 map, up to 32 of them. */
void map_print(const struct ranges *ranges);
/*
 * Fills @out from @map (e820_sanitize), with room for unpopulated PFNs. @out is on the heap, and
 * the caller frees it by map_free. -ENOMEM; -EINVAL: the map has no RAM. Then @out owns no memory.
 */
int map_sanitize(struct domain *d, const struct memory_map *map, struct ranges *out) __must_check;
/* Frees the memory of ranges; none if they own none. */
void map_free(struct domain *d, struct ranges *ranges);

/*
 * Makes the plan (mm/plan.h), after surplus_release (surplus.h). -ENOMEM: the E820 map has less RAM
 * than the builder and the heap have used, or no memory is left for the plan.
 */
int plan_stage(struct domain *d) __must_check;

/* Replaces the builder's P2M list (mm/revector.h). On failure the builder's list stays mapped. */
int revector_stage(struct domain *d) __must_check;
/* Keep the shared leaf's frame by PFN during a suspend; both return 0. */
int revector_before_suspend(struct domain *d) __must_check;
int revector_after_resume(struct domain *d, bool new_domain) __must_check;

/* Writes the M2P entries of the frames with new PFNs (mm/renumber.h). */
int renumber_stage(struct domain *d) __must_check;

/*
 * Builds the P2M tree, unless p2m=list, and publishes the P2M in shared_info (mm/publish.h). A list
 * that is too long for a tree is published alone. In a new domain the tree is filled again with the
 * new MFNs.
 */
int publish_stage(struct domain *d) __must_check;
int publish_after_resume(struct domain *d, bool new_domain) __must_check;

/* Reduces the kernel mapping to the image, and frees the other frames (mm/kernel_mapping.h). */
int teardown_stage(struct domain *d) __must_check;

#endif
