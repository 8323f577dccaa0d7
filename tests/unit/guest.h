/* SPDX-License-Identifier: MIT */
/*
 * The kernel's way up to its own list, in miniature: on a fake domain, all of mm/ set up as
 * kernel/boot/setup.c and kernel/boot/memory.c do it, and questions that a test may ask afterwards.
 */
#ifndef TESTS_UNIT_GUEST_H
#define TESTS_UNIT_GUEST_H

#include "mm/kernel_mapping.h"
#include "mm/publish.h"
#include "mm/renumber.h"
#include "mm/revector.h"

#include "tests/unit/fake_builder.h"

/* A map by the sizes of RAM and identity in turn, from PFN 0 on, up to a size of 0. */
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
    uint64_t nr_renumbered; /* as renumber() last said */

    struct range ranges[64];
    struct move moves[PLAN_MAX_MOVES(64)];
    struct pfn_run runs[512];
};

/*
 * Builds a domain of @shape, on which nothing was done yet but to plan for the memory map that
 * @sizes give and a limit of @nr_max pages.
 */
void guest_start(struct guest *g, const struct fake_shape *shape, const uint64_t *sizes,
                 uint64_t nr_max);

/* What a map of many ranges takes, as kernel/boot/memory.c allots it. */
struct guest_arrays {
    struct move *moves;
    struct pfn_run *runs;
    size_t nr_moves, nr_runs;
};

/* The same for any @map; the arrays, and its own, are the caller's. */
void guest_start_map(struct guest *g, const struct fake_shape *shape, const struct ranges *map,
                     const struct guest_arrays *arrays, uint64_t nr_max);

/* renumber() for this guest. */
int guest_renumber(struct guest *g);

/* revector() and renumber(): their result, the first that is not 0. */
int guest_revector(struct guest *g);

/* A guest in a table of tests. */
struct guest_row {
    const char *what;
    struct fake_shape shape;
    uint64_t nr_max;
    uint64_t sizes[7];
};

/*
 * Starts a guest and takes it to where publish() is called: on its own list, with a tree in @pub.
 * Returns its shared_info, mapped.
 */
struct shared_info *guest_start_with_tree(struct guest *g, const struct guest_row *row,
                                          struct publication *pub);

/*
 * All frames of the domain that are neither in use, by a table or a mapping, nor in the pool are
 * lost; all that are both will be used twice. The test fails if there is one of either, but for
 * [@from, @to) of the builder's PFNs, which may be unmapped and not free.
 */
void guest_check_frames(const char *what, struct guest *g, uint64_t from, uint64_t to);

/*
 * Calls @call(@arg) with its @n-th hypercall failing with @rc. Returns NULL, or the panic that it
 * ended in: some hypercalls cannot fail unless the machine is broken. If it made fewer than @n,
 * fake.nr_hypercalls says so.
 */
const char *guest_fail_nth(unsigned int n, long rc, void (*call)(void *arg), void *arg);

/* What must be as it was when something failed. The fixmap may map any frames. */
struct guest_state {
    uint64_t *list;
    uint64_t nr, nr_free, pool_hash, mappings_hash;
};

struct guest_state guest_state(struct guest *g);
void guest_check_state(const char *what, const struct guest_state *now,
                       const struct guest_state *before);

#endif
