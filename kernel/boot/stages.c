/* SPDX-License-Identifier: MIT */
#include "kernel/boot/stages.h"

#include "kernel/boot/balloon.h"
#include "kernel/boot/builder.h"
#include "kernel/boot/events.h"
#include "kernel/boot/foreign.h"
#include "kernel/boot/memory.h"
#include "kernel/boot/new_map.h"
#include "kernel/boot/protect.h"
#include "kernel/boot/setup.h"
#include "kernel/boot/store.h"
#include "kernel/selftest/inject.h"
#include "kernel/selftest/pattern_pages.h"

/*
 * One row per stage: name, description, and the functions for boot, suspend and resume (NULL: this
 * stage has nothing to do).
 */
/* clang-format off */
const struct stage stages[] = {
    {"traps", "register a handler for each exception vector",
     traps_stage, NULL, NULL},
    {"console", "map the console ring, or use console_io in a dom0",
     console_stage, NULL, NULL},
    {"fixmap", "set up the eight slots through which page tables are read",
     fixmap_stage, fixmap_before_suspend, fixmap_after_resume},
    {"inject", "apply the faults that the boot argument inject= asks for",
     inject_stage, NULL, NULL},
    {"start_info", "copy and validate start_info",
     start_info_stage, start_info_before_suspend, start_info_after_resume},
    {"shared_info", "map shared_info: clock, event channels, P2M publication",
     shared_info_stage, shared_info_before_suspend, shared_info_after_resume},
    {"protect", "map text R-X, constants R--, data RW-; unmap the guard page and page 0",
     protect_stage, NULL, NULL},
    {"host", "read Xen's version, the bounds of the M2P and the domain's limits",
     host_stage, NULL, host_after_resume},
    {"store_ring", "map the xenstore ring",
     store_ring_stage, NULL, NULL},
    {"builder", "find out which domain builder created this domain",
     builder_stage, NULL, NULL},
    {"frame_pool", "collect the free frames, and start the heap",
     frame_pool_stage, NULL, NULL},
    {"map", "turn the E820 map into a table of PFN ranges",
     map_stage, NULL, map_after_resume},
    {"plan", "find the frames whose PFNs lie in holes, and size the P2M list",
     plan_stage, NULL, NULL},
    {"revector", "give the builder's P2M frames new page tables in this kernel's slot",
     revector_stage, revector_before_suspend, revector_after_resume},
    {"renumber", "write the M2P entries of the frames that got new PFNs",
     renumber_stage, NULL, NULL},
    {"publish", "write the P2M's location to shared_info",
     publish_stage, NULL, publish_after_resume},
    {"teardown", "unmap all but the image from the kernel mapping, and free the frames",
     teardown_stage, NULL, NULL},
    {"events", "bind the timer VIRQ and the console's event channel",
     events_stage, NULL, events_after_resume},
    {"balloon", "find the RAM PFNs without a frame, and populate them if asked to",
     balloon_stage, NULL, balloon_after_resume},
    {"foreign", "set up the foreign window, unpopulated PFNs and the grant table",
     foreign_stage, foreign_before_suspend, foreign_after_resume},
    {"pattern_pages", "allocate and fill the pages whose contents the tests compare",
     pattern_pages_stage, NULL, NULL},
    {"store", "connect to xenstore, and watch what the toolstack asks for",
     store_stage, NULL, store_after_resume},
};
/* clang-format on */
const size_t nr_stages = ARRAY_SIZE(stages);
_Static_assert(ARRAY_SIZE(stages) <= MAX_STAGES, "ticks_after_stage is too small");
