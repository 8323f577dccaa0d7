/* SPDX-License-Identifier: MIT */
/*
 * Renumber: write new M2P entries for the frames whose PFN lay in a hole, and replace their PFNs in
 * the frame pool. The P2M list has the new PFNs already (revector.h).
 *
 *                  P2M list             M2P                     example of p2m.h
 *      revector    [new PFN] = MFN      [MFN] = old PFN         M2P[0x5aa0] = 0xa0
 *      renumber    [new PFN] = MFN      [MFN] = new PFN         M2P[0x5aa0] = 0x401
 *
 * Page tables hold MFNs, so everything that is mapped (the kernel, the page tables, start_info, a
 * ramdisk) stays mapped; only its PFN changes.
 */
#ifndef MM_RENUMBER_H
#define MM_RENUMBER_H

#include "mm/frame_pool.h"
#include "mm/mmu_batch.h"

/* Called with the number of frames done, every 65536: a host can need hundreds of millions. */
typedef void (*renumber_tick_t)(void *context, uint64_t nr_done);

/*
 * Writes the M2P entry of each frame that @plan moved (MMU_MACHPHYS_UPDATE of <xen/xen.h>, in
 * batches), and renumbers the free frames of @pool. Returns 0 or a negative errno. After an error
 * the P2M and the M2P are inconsistent, and the domain cannot go on.
 */
int renumber(const struct plan *plan, const struct p2m *p2m, struct frame_pool *pool,
             struct mmu_batch *batch, renumber_tick_t tick, void *context) __must_check;

#endif
