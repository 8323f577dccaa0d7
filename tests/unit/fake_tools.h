/* SPDX-License-Identifier: MIT */
/*
 * Xen's tools around a suspend: a save that refuses what they refuse, and a restore on another
 * machine, where every frame has another number and every port is gone. Written from the
 * description of xg_sr_save_x86_pv.c and xg_sr_restore_x86_pv.c (Xen's tools/libs/guest), which
 * rewrite more of the guest than one would think:
 *
 *      start_info    rings: PFN -> MFN, new ports; shared_info; flags 0; nr_pages counts holes
 *      the list      every entry anew: an MFN, or ~0
 *      page tables   every entry anew
 *      shared_info   vcpu_info and arch as they were, p2m_cr3 with them; the tree's root 0; no
 *                    event pending, all masked
 */
#ifndef TESTS_UNIT_FAKE_TOOLS_H
#define TESTS_UNIT_FAKE_TOOLS_H

#include "lib/types.h"

struct fake_tools {
    unsigned int nr_saved;
    /* empty PFNs that come with a frame, as after a live migration */
    uint64_t refilled[4];
    unsigned int nr_refilled;
    uint32_t console_port, store_port; /* of the new domain */
};

extern struct fake_tools fake_tools;

/*
 * As the guest stops with its start_info in frame @start_info: fails the test, in a tool's words,
 * if it cannot be saved.
 */
void fake_tools_save(uint64_t start_info);
/* And carries it to a new machine. Returns the frame in which start_info is there. */
uint64_t fake_tools_restore(uint64_t start_info);

#endif
