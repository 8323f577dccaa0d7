/* SPDX-License-Identifier: MIT */
/*
 * The kernel's boot up to its own P2M list, in miniature: all of mm/ set up on a fake domain as
 * kernel/boot/setup.c and kernel/boot/memory.c do it, and checks for the tests.
 */
#ifndef TESTS_UNIT_GUEST_H
#define TESTS_UNIT_GUEST_H

#include "mm/kernel_mapping.h"
#include "mm/publish.h"
#include "mm/renumber.h"
#include "mm/revector.h"

#include "tests/unit/fake_builder.h"

/* Makes a memory map: @sizes are those of RAM and identity in turn, from PFN 0 on, ended by 0. */
void ranges_by_size(struct ranges *map, const uint64_t *sizes);

struct guest {
    struct fake_domain domain;
    struct fixmap fixmap;
    struct pagetable pt;
    struct frame_pool frame_pool;
    struct heap heap;
    struct m2p m2p;
    struct p2m p2m;
    struct plan plan;
    struct mmu_batch batch;
    struct revector revector;
    struct revectored revectored;
    uint64_t nr_renumbered; /* result of the last renumber() */

    struct range ranges[64];
    struct move moves[PLAN_MAX_MOVES(64)];
    struct pfn_run runs[512];
};

/*
 * Builds a domain of @shape. Of the boot only the plan is made: for the memory map of @sizes (see
 * ranges_by_size) and a limit of @nr_max pages.
 */
void guest_start(struct guest *g, const struct fake_shape *shape, const uint64_t *sizes,
                 uint64_t nr_max);

/* Arrays for a memory map of many ranges, as kernel/boot/memory.c allocates them. */
struct guest_arrays {
    struct move *moves;
    struct pfn_run *runs;
    size_t nr_moves, nr_runs;
};

/* The same for any @map. The arrays, and the array of @map, belong to the caller. */
void guest_start_map(struct guest *g, const struct fake_shape *shape, const struct ranges *map,
                     const struct guest_arrays *arrays, uint64_t nr_max);

/* Calls renumber() for this guest. */
int guest_renumber(struct guest *g);

/* Calls revector(), then renumber(). Returns the first result that is not 0, or 0. */
int guest_revector(struct guest *g);

/* A guest in a table of test cases. */
struct guest_row {
    const char *what;
    struct fake_shape shape;
    uint64_t nr_max;
    uint64_t sizes[7];
};

/*
 * Starts a guest and boots it up to the call of publish(): with its own P2M list, and with a P2M
 * tree in @pub. Returns the mapped shared_info.
 */
struct shared_info *guest_start_with_tree(struct guest *g, const struct guest_row *row,
                                          struct publication *pub);

/*
 * A frame of the domain that is neither in use, by a page table or a mapping, nor in the frame pool
 * is lost; a frame that is both would be used twice. The test fails if there is such a frame. Only
 * the builder's PFNs in [@from, @to) may be both unmapped and not free.
 */
void guest_check_frames(const char *what, struct guest *g, uint64_t from, uint64_t to);

/*
 * Calls @call(@arg), where hypercall number @n fails with @rc. Returns NULL, or the message of the
 * panic that ended the call: some hypercalls fail only on a broken machine. If the call made fewer
 * than @n hypercalls, fake.nr_hypercalls is less than @n.
 */
const char *guest_fail_nth(unsigned int n, long rc, void (*call)(void *arg), void *arg);

/* State that must be unchanged after a failure. The fixmap is not part of it. */
struct guest_state {
    uint64_t *list;
    uint64_t nr, nr_free, pool_hash, mappings_hash;
};

struct guest_state guest_state(struct guest *g);
void guest_check_state(const char *what, const struct guest_state *now,
                       const struct guest_state *before);

#endif
