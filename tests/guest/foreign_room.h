/* SPDX-License-Identifier: MIT */
/*
 * What the tests of sharing have in common: pages to grant to ourselves, and a window to map them
 * in. A domain is allowed to be its own peer, so that all of this runs with nobody else there.
 *
 * The window is one of the test's own, in the upper half of the foreign slot, where the kernel's
 * does not come to; its tables and heads are of the room's frames, which are one request.
 */
#ifndef TESTS_GUEST_SHARE_ROOM_H
#define TESTS_GUEST_SHARE_ROOM_H

#include "xen/grant_map.h"

#include "tests/guest/abi_room.h"

/* A number that no domain has: xl counts from 1 up, and would take years to come here. */
#define NO_DOMAIN 0x7abc

struct foreign_room {
    struct room room;
    struct foreign_window window;
    domid_t self; /* our number */
};

/*
 * Takes @nr_pages, all that the test needs, tables included. False: the test is in error, or was
 * skipped, since there is no grant table here.
 */
bool share_open(struct foreign_room *s, struct test *t, uint64_t nr_pages) __must_check;

/* Gives all back. The test fails if a range is left in the window. */
void share_close(struct foreign_room *s);

/* As share_open, for a test that maps grants, which the PV shim does not let its guest do. */
bool share_open_maps(struct foreign_room *s, struct test *t, uint64_t nr_pages) __must_check;

/* A range for @nr pages of @domain's. Panics if the room is too small. */
struct foreign_range *share_range(struct foreign_room *s, enum foreign_kind kind, domid_t domain,
                                  uint64_t nr);
/* Unmaps what is left in it, and gives it back. */
void share_drop(struct foreign_room *s, struct foreign_range *r);

/* The PFN behind a page of the room's. */
pfn_t share_pfn(struct foreign_room *s, const void *page);

/* Grants that page to ourselves. The table has room, or the test fails, and it is reference 0. */
uint32_t share_grant(struct foreign_room *s, const void *page, bool readonly);

/* Ends a grant that is not in use. */
void share_end(struct foreign_room *s, uint32_t ref);

/* Page @i of a range; its page-table entry; nothing is mapped there, and nothing noted down. */
uint64_t *share_page(const struct foreign_range *r, uint64_t i);
uint64_t share_pte(struct foreign_room *s, const struct foreign_range *r, uint64_t i);
void share_check_empty(struct foreign_room *s, const struct foreign_range *r, uint64_t i);

#endif
