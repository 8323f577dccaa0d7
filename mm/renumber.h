/* SPDX-License-Identifier: MIT */
/*
 * Renumbering: Xen and the pool learn the new PFNs of the frames that were in holes.
 *
 * Page tables hold MFNs, so whatever is mapped (the kernel, the tables themselves, start_info,
 * a ramdisk) stays mapped and changes its number only.
 */
#ifndef MM_RENUMBER_H
#define MM_RENUMBER_H

#include "mm/frame_pool.h"
#include "mm/mmu_batch.h"

/* Called now and then, with how many frames are done: a firmware can ask for 100s of millions. */
typedef void (*renumber_tick_t)(void *context, uint64_t nr_done);

/*
 * Writes the M2P entry of each frame that @plan moved, as @p2m has it already, in batches, and
 * renumbers the free frames of @pool. Returns 0 or a negative errno, and then the P2M and the M2P
 * disagree, which nothing can mend.
 */
int renumber(const struct plan *plan, const struct p2m *p2m, struct frame_pool *pool,
             struct mmu_batch *batch, renumber_tick_t tick, void *context) __must_check;

#endif
