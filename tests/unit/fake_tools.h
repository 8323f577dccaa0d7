/* SPDX-License-Identifier: MIT */
/*
 * Xen's tools around a suspend: a save that refuses what they refuse, and a restore on another
 * machine, where every frame has another MFN and every port is closed. Written from the description
 * of xg_sr_save_x86_pv.c and xg_sr_restore_x86_pv.c (Xen's tools/libs/guest). The restore rewrites:
 *
 *      start_info    rings: PFN -> MFN, new ports; shared_info; flags 0; nr_pages counts holes
 *      P2M list      every entry: an MFN, or ~0
 *      page tables   every entry
 *      shared_info   vcpu_info and arch are kept, including p2m_cr3; the MFN of the P2M tree is
 *                    0; no event is pending, all are masked
 */
#ifndef TESTS_UNIT_FAKE_TOOLS_H
#define TESTS_UNIT_FAKE_TOOLS_H

#include "lib/types.h"

struct fake_tools {
    unsigned int nr_saved;
    /* PFNs without a frame that have one after the restore, as after a live migration */
    uint64_t refilled[4];
    unsigned int nr_refilled;
    uint32_t console_port, store_port; /* ports of the new domain */
};

extern struct fake_tools fake_tools;

/*
 * Saves the guest, which has stopped with its start_info in frame @start_info. If the tools could
 * not save it, the test fails with their message.
 */
void fake_tools_save(uint64_t start_info);
/* Restores the saved guest on a new machine. Returns the MFN of start_info there. */
uint64_t fake_tools_restore(uint64_t start_info);

#endif
