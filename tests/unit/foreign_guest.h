/* SPDX-License-Identifier: MIT */
/*
 * A guest with a foreign window, and a model of the window that knows nothing of lists: which of
 * its pages are taken, and as what.
 */
#ifndef TESTS_UNIT_WINDOW_GUEST_H
#define TESTS_UNIT_WINDOW_GUEST_H

#include "mm/foreign.h"

#include "tests/unit/fake_grants.h"
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

extern struct foreign_guest {
    struct guest g;
    struct foreign_window window;
    struct guest_state empty; /* with the window as it is at first */
} wg;

/* The guest is privileged: device frames, and those of the peer, can be mapped by number. */
void wg_start(uint64_t len_bytes);
void wg_start_on(enum fake_mfns mfns, uint64_t len_bytes);
void wg_stop(void);
/* The same, as the teardown of a test. */
int wg_teardown(void **state);

/* Starts with a window of 32 MiB, and reserves a range of @nr pages in it. */
struct foreign_range *wg_start_range(enum foreign_kind kind, domid_t domain, uint64_t nr);

/* Frames of devices: @nr of them, of which the first 700 are different. */
void wg_take_devices(mfn_t *mfns, uint64_t nr);

/*
 * Failures to try a batch with. Calls @one for each number of pages up to 6 and each set of pages
 * that may fail, as bits of @bad.
 */
void wg_each_pattern(void (*one)(unsigned int nr, unsigned int bad));
/* And for each page @bad at either side of where one hypercall, of up to 512 pages, ends. */
void wg_around_hypercalls(void (*one)(unsigned int nr, unsigned int bad));

/* Reserves what must fit. */
struct foreign_range *wg_reserve(enum foreign_kind kind, domid_t domain, uint64_t nr);
/* Reserves, or not: as the model does, at the lowest address. */
void wg_try_reserve(uint64_t nr);
/* Releases a range with nothing mapped. */
void wg_release(struct foreign_range *r);
/* One of the ranges; NULL if there is none. */
struct foreign_range *wg_any(struct rng *rng);

/* Maps a device's frame behind each of these pages that has none. */
void wg_map_each(struct foreign_range *r, uint64_t first, uint64_t nr);

/*
 * Every page of the window: a head's is mapped, a guard's is not, a foreign one is as its range
 * says, and has a table. Ranges are in order, disjoint, and their counts are right.
 */
void wg_check(const char *what);
/* Nothing is left: no frame, no table, no range. */
void wg_check_empty(const char *what);

#endif
