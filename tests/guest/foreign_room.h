/* SPDX-License-Identifier: MIT */
/*
 * Shared by the tests of foreign mappings and grants: pages of this domain to grant, and a foreign
 * window to map them in. Xen lets a domain map its own grants, so these tests need no second
 * domain.
 *
 * The window is one of the test's own, in the upper half of the foreign slot, which the kernel's
 * foreign window does not reach. The frames for its tables and range heads come from the room
 * (abi_room.h), which takes all its frames from the frame pool in one request.
 */
#ifndef TESTS_GUEST_FOREIGN_ROOM_H
#define TESTS_GUEST_FOREIGN_ROOM_H

#include "xen/grant_map.h"

#include "tests/guest/abi_room.h"

/* A status of a grant operation that is still this value was not written by Xen. */
#define NO_STATUS 1

/* Words in granted pages, by the domain that writes them: "granter" and "grantee" in ASCII. */
#define GRANTER_WORD 0x6772616e746572
#define GRANTEE_WORD 0x6772616e746565

struct foreign_room {
    struct room room;
    struct foreign_window window;
    domid_t self; /* the ID of this domain */
};

/* False: the test is skipped, because this domain has no grant table. */
bool has_grant_table(struct test *t) __must_check;

/*
 * Takes @nr_pages frames, which must be enough for the test with its page tables. Returns false if
 * the test is skipped: neither an event channel port nor xenstore tells the domain's number.
 * Returns false, too, if there are not enough frames (the test is in error).
 */
bool foreign_room_open(struct foreign_room *fr, struct test *t, uint64_t nr_pages) __must_check;

/*
 * As foreign_room_open, for a test that grants pages of the room. Skipped, too, if there is no
 * grant table, or a grant entry cannot hold one of the frames.
 */
bool foreign_room_open_to_grant(struct foreign_room *fr, struct test *t,
                                uint64_t nr_pages) __must_check;

/*
 * Can this domain map a grant? False if Xen cannot record the mapping: the limit
 * max_maptrack_frames is 0, or Xen has no memory for the first page of records. A page that Xen has
 * once is never freed.
 */
bool foreign_room_has_maptrack(struct foreign_room *fr);

/*
 * Skips a test that maps grants in the PV shim, which maps none, without maptrack, and where
 * foreign_room_open_to_grant would skip it.
 */
bool foreign_room_maps_grants(struct foreign_room *fr) __must_check;

/* As foreign_room_open, for a test that maps grants; skipped as by foreign_room_maps_grants. */
bool foreign_room_open_to_map(struct foreign_room *fr, struct test *t,
                              uint64_t nr_pages) __must_check;

/* Gives everything back. The test fails if a range is left in the window. */
void foreign_room_close(struct foreign_room *fr);

/* Reserves a range for @nr pages of @domain. Panics if the room has too few frames. */
struct foreign_range *foreign_room_range(struct foreign_room *fr, enum foreign_kind kind,
                                         domid_t domain, uint64_t nr);
/* Unmaps what is still mapped in @r, and releases it. */
void foreign_room_drop(struct foreign_room *fr, struct foreign_range *r);

/* The PFN of a page of the room. */
pfn_t foreign_room_pfn(struct foreign_room *fr, const void *page);

/* Grants a page of the room to this domain. On failure the test fails, and the result is 0. */
uint32_t foreign_room_grant(struct foreign_room *fr, const void *page, bool readonly);
uint32_t foreign_room_grant_pfn(struct foreign_room *fr, pfn_t pfn, bool readonly);

/* Ends a grant that is not mapped. */
void foreign_room_end_grant(struct foreign_room *fr, uint32_t ref);

/* Maps grant @ref at page @i of @r. On failure the test fails, and the result is false. */
bool foreign_room_map(struct foreign_room *fr, struct foreign_range *r, uint64_t i, uint32_t ref,
                      bool readonly);
/* Expects that grant_map of @ref at page @i of @r returns @expected, and not GNTST_okay. */
void foreign_room_map_fails(struct foreign_room *fr, struct foreign_range *r, uint64_t i,
                            uint32_t ref, int expected);

/* Expects that foreign_map at page @i of @r returns @expected, which may be ANY_ERROR. */
#define ANY_ERROR 1
int foreign_room_map_frames(struct foreign_room *fr, struct foreign_range *r, uint64_t i,
                            const mfn_t *mfns, uint64_t nr, uint64_t flags, int expected);

/* Unmaps what is mapped at pages [@first, @first + @nr) of @r, of any kind. */
void foreign_room_unmap(struct foreign_room *fr, struct foreign_range *r, uint64_t first,
                        uint64_t nr);

/* The address of page @i of @r. */
uint64_t *foreign_room_page(const struct foreign_range *r, uint64_t i);

/* Expects that the PTE of page @i of @r has frame @mfn, the bits @set, and not the bits @clear. */
void foreign_room_check_pte(struct foreign_room *fr, const struct foreign_range *r, uint64_t i,
                            mfn_t mfn, uint64_t set, uint64_t clear);

/* Expects that word @w of page @i of @r, which is mapped, is @expected. */
void foreign_room_check_word(struct foreign_room *fr, const struct foreign_range *r, uint64_t i,
                             unsigned int w, uint64_t expected);

/* Expects that page @i of @r has the PTE 0, and that the range's head names nothing there. */
void foreign_room_check_empty(struct foreign_room *fr, const struct foreign_range *r, uint64_t i);

/* Expects that a read at @at faults; @what is the page there. */
void foreign_room_check_fault(struct foreign_room *fr, const uint64_t *at, const char *what);

/* A page of the room, granted to this domain, and a range of the window to map the grant in. */
struct self_grant {
    struct foreign_room fr;
    uint64_t *page;
    uint32_t ref;
    struct foreign_range *r;
};

/* As foreign_room_open_to_map. The grant is read-write; the range has @nr pages. */
bool self_grant_open(struct self_grant *g, struct test *t, uint64_t nr) __must_check;

/* Unmaps the grant, ends it (unless @g->ref is 0: it has ended already), and closes the room. */
void self_grant_close(struct self_grant *g);

#endif
