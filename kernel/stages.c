/* SPDX-License-Identifier: MIT */
#include "kernel/stages.h"

#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/cpu.h"

#include "xen/watchdog.h"

#include "kernel/inject.h"
#include "kernel/memory.h"
#include "kernel/protect.h"
#include "kernel/setup.h"

const struct stage stages[] = {
    {"traps",       traps_stage,       "handlers for whatever may go wrong next"             },
    {"console",     console_stage,     "somewhere to say it"                                 },
    {"windows",     windows_stage,     "a way to read page tables"                           },
    {"inject",      inject_stage,      "faults that a test asks for"                         },
    {"start_info",  start_info_stage,  "what the builder tells, copied and checked"          },
    {"shared_info", shared_info_stage, "the page that Xen keeps about us; the clock"         },
    {"protect",     protect_stage,     "text RX, constants R, data RW; guard page, no page 0"},
    {"host",        host_stage,        "Xen's version, M2P and limits"                       },
    {"frames",      frames_stage,      "which memory nobody uses yet; a heap"                },
    {"map",         map_stage,         "the memory map, as ranges"                           },
    {"plan",        plan_stage,        "which frames lie in holes; how long the list becomes"},
    {"revector",    revector_stage,    "the builder's list becomes ours"                     },
    {"renumber",    renumber_stage,    "Xen learns the new numbers"                          },
    {"publish",     publish_stage,     "shared_info says where the list is"                  },
    {"teardown",    teardown_stage,    "the kernel mapping holds the image and nothing else" },
    {"balloon",     balloon_stage,     "grow to the limit, if asked to"                      },
};
const size_t nr_stages = ARRAY_SIZE(stages);

uint64_t ticks_at_entry, ticks_after_stage[ARRAY_SIZE(stages)];

void stages_start(struct domain *d)
{
    for (size_t i = 0; i < nr_stages; i++) {
        int rc;

        watchdog_kick();
        rc = stages[i].start(d);

        if (rc)
            panic("stage %s (%s) failed: %d (%s)", stages[i].name, stages[i].what, rc,
                  errno_name(rc));
        ticks_after_stage[i] = tsc();
    }
}
