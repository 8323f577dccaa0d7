/* SPDX-License-Identifier: MIT */
/*
 * A guest with a foreign window, and a model of the window that does not use the kernel's list of
 * ranges: for each page of the window, whether it is taken.
 */
#ifndef TESTS_UNIT_FOREIGN_GUEST_H
#define TESTS_UNIT_FOREIGN_GUEST_H

#include "mm/foreign.h"

#include "tests/unit/fake_grants.h"
#include "tests/unit/guest.h"
#include "tests/unit/harness.h"

extern struct foreign_guest {
    struct guest g;
    struct foreign_window window;
    struct guest_state empty; /* state of the guest with an empty window */
} fg;

/* Starts a privileged guest: it can map frames of devices and of the peer by MFN. */
void fg_start(uint64_t len_bytes);
void fg_start_on(enum fake_mfns mfns, uint64_t len_bytes);
void fg_stop(void);
/* fg_stop() as the teardown of a test. */
int fg_teardown(void **state);

/* Starts a guest with a window of 32 MiB, and reserves a range of @nr pages in it. */
struct foreign_range *fg_start_range(enum foreign_kind kind, domid_t domain, uint64_t nr);

/* Takes @nr MFNs of devices; the first 700 of them are different. */
void fg_take_devices(mfn_t *mfns, uint64_t nr);

/*
 * Patterns of failing pages in a batch. Calls @one for each number of pages up to 6, and for each
 * set of failing pages, as the bits of @bad.
 */
void fg_each_pattern(void (*one)(unsigned int nr, unsigned int bad));
/* Calls @one with page @bad failing, on either side of the end of each hypercall of 512 pages. */
void fg_around_hypercalls(void (*one)(unsigned int nr, unsigned int bad));

/* Reserves a range that must fit. */
struct foreign_range *fg_reserve(enum foreign_kind kind, domid_t domain, uint64_t nr);
/* Reserves a range exactly if the model has a gap for it, at the lowest address. */
void fg_try_reserve(uint64_t nr);
/* Releases a range that has no mapped pages. */
void fg_release(struct foreign_range *r);
/* A random range of the window; NULL if there is none. */
struct foreign_range *fg_any(struct rng *rng);

/* Maps a device's frame at each of these pages that has none. */
void fg_map_each(struct foreign_range *r, uint64_t first, uint64_t nr);

/*
 * Checks every page of the window: a page of a range's head is mapped, a guard page is not, a
 * foreign page is mapped as its range records, and has a page table. The ranges are in order and
 * disjoint, and their counts are right.
 */
void fg_check(const char *what);
/* Checks that the window is empty: no frame, no page table, no range. */
void fg_check_empty(const char *what);

#endif
