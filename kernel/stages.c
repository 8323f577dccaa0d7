/* SPDX-License-Identifier: MIT */
#include "kernel/stages.h"

#include "kernel/balloon.h"
#include "kernel/inject.h"
#include "kernel/marks.h"
#include "kernel/memory.h"
#include "kernel/protect.h"
#include "kernel/services.h"
#include "kernel/setup.h"
#include "kernel/sharing.h"

/* A row is a sentence, and what carries it out. */
/* clang-format off */
const struct stage stages[] = {
    {"traps", "handlers for whatever may go wrong next",
     traps_stage, NULL, NULL},
    {"console", "somewhere to say it",
     console_stage, NULL, NULL},
    {"windows", "a way to read page tables",
     windows_stage, windows_before_suspend, windows_after_resume},
    {"inject", "faults that a test asks for",
     inject_stage, NULL, NULL},
    {"start_info", "what the builder tells, copied and checked",
     start_info_stage, start_info_before_suspend, start_info_after_resume},
    {"shared_info", "Xen's page about us: clock, events, publication",
     shared_info_stage, shared_info_before_suspend, shared_info_after_resume},
    {"protect", "text RX, constants R, data RW; guard page, no page 0",
     protect_stage, NULL, NULL},
    {"host", "Xen's version, M2P and limits",
     host_stage, NULL, host_after_resume},
    {"rings", "the store's page, which must not be without a mapping",
     rings_stage, NULL, NULL},
    {"frames", "which memory nobody uses yet; a heap",
     frames_stage, NULL, NULL},
    {"map", "the memory map, as ranges",
     map_stage, NULL, NULL},
    {"plan", "which frames lie in holes; how long the list becomes",
     plan_stage, NULL, NULL},
    {"revector", "the builder's list becomes ours",
     revector_stage, list_before_suspend, list_after_resume},
    {"renumber", "Xen learns the new numbers",
     renumber_stage, NULL, NULL},
    {"publish", "shared_info says where the list is",
     publish_stage, NULL, publish_after_resume},
    {"teardown", "the kernel mapping holds the image and nothing else",
     teardown_stage, NULL, NULL},
    {"events", "a timer, and a console that listens",
     events_stage, NULL, events_after_resume},
    {"balloon", "which PFNs have no frame; growth, if asked for",
     balloon_stage, NULL, balloon_after_resume},
    {"sharing", "a window to what is not ours; what others may map",
     sharing_stage, sharing_before_suspend, sharing_after_resume},
    {"marks", "pages whose contents must survive",
     marks_stage, NULL, NULL},
    {"store", "xenstore: what the toolstack wants of us",
     store_stage, store_before_suspend, store_after_resume},
};
/* clang-format on */
const size_t nr_stages = ARRAY_SIZE(stages);
_Static_assert(ARRAY_SIZE(stages) <= MAX_STAGES, "the ticks have no room");
