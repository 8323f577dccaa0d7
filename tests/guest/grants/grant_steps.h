/* SPDX-License-Identifier: MIT */
/*
 * Steps of the tests of Xen's grant interface (abi_grant_*.c): requests of one operation each, and
 * checks of what they leave behind.
 */
#ifndef TESTS_GUEST_GRANTS_GRANT_STEPS_H
#define TESTS_GUEST_GRANTS_GRANT_STEPS_H

#include "tests/guest/grants/grant_room.h"

/* Is Xen a debug build, which logs most refusals? Maps a grant to find out. */
bool grant_xen_is_debug(struct grant_room *g);

/* Opens a room of @nr_pages frames and calls @check once for each version that Xen allows. */
void grant_room_each(struct test *t, uint64_t nr_pages, void (*check)(struct grant_room *g));

/* A mapping of a grant, which a test requests. */
struct grant_mapping {
    uint64_t addr;  /* virtual address, or machine address of a PTE (GNTMAP_contains_pte) */
    uint32_t flags; /* GNTMAP_* */
    uint32_t ref;
    grant_handle_t handle; /* results of grant_map_at */
    uint64_t bus;
};

/* GNTTABOP_map_grant_ref of @m, from domain @domain. Returns the status. */
int16_t grant_map_from(struct grant_room *g, struct grant_mapping *m, domid_t domain);
int16_t grant_map_at(struct grant_room *g, struct grant_mapping *m);

/* GNTTABOP_unmap_grant_ref. Returns the status. */
int16_t grant_unmap_at(struct grant_room *g, uint64_t addr, uint64_t bus, grant_handle_t handle);

/* Maps @m, and expects GNTST_okay. Returns false if the status is another one. */
bool grant_must_map(struct grant_room *g, struct grant_mapping *m, const char *what);

/* Expects that Xen refuses @m with @status. Removes the mapping if Xen maps all the same. */
void grant_must_refuse(struct grant_room *g, struct grant_mapping *m, int16_t status,
                       const char *what);

/* Removes a mapping, of the host and of the device, and expects GNTST_okay. */
void grant_must_unmap(struct grant_room *g, const struct grant_mapping *m, const char *what);

/* GNTTABOP_copy of the first 8 bytes from frame @from to a grant, and from a grant to frame @to. */
int16_t grant_copy_to(struct grant_room *g, mfn_t from, uint32_t ref);
int16_t grant_copy_from(struct grant_room *g, uint32_t ref, mfn_t to);

/* GNTTABOP_query_size of @domain, and expects the status @expected. */
struct gnttab_query_size grant_query_size(struct test *t, domid_t domain, int16_t expected);

/* The first reference past the table that Xen has in the room's version, by GNTTABOP_query_size. */
uint32_t grant_end_of_table(struct grant_room *g);

/* The PTE of @va, and its machine address. */
uint64_t grant_pte(struct grant_room *g, uint64_t va);
uint64_t grant_pte_maddr(struct grant_room *g, uint64_t va);

/* Expects that the PTE of @va is 0. @when names the step. */
void grant_check_no_pte(struct grant_room *g, uint64_t va, const char *when);

/*
 * Expects that no writable type is left: @mfn can be pinned as a page table. Returns false if not.
 */
bool grant_check_untyped(struct grant_room *g, mfn_t mfn, const char *when);

/*
 * Returns a spot, whose frame holds no present entry, to the room. If Xen has left the frame a
 * reference that makes it useless as a page table, the test fails, and the frame is never used
 * again: the kernel would come to grief later.
 */
void grant_drop(struct grant_room *g, struct spot s);

/* A frame that this domain grants to itself, and what a test maps the grant with. */
struct granted {
    struct grant_room *g;
    struct spot frame, at, other; /* @at: for the mapping; @other: for a second one */
    struct grant_mapping m;
};

/*
 * Grants a frame by entry @ref, read-write, and fills in @m for a mapping of the grant at @at, or,
 * with GNTMAP_contains_pte, at the PTE of @at. Maps nothing. The addresses of @at and @other may
 * adjoin.
 */
struct granted granted_open(struct grant_room *g, uint32_t ref, uint32_t flags);

/* Expects that no PTE at @at, no use mark and no page type is left, and drops the spots. */
void granted_close(struct granted *a);

/* A zeroed, writable page, for which Xen takes a type: by a copy, or by a mapping. */
void *grant_page(struct grant_room *g, struct spot *s);
void grant_page_drop(struct grant_room *g, struct spot s);

/*
 * Gets a zeroed frame for @pfn, whose frame was released, and which has no P2M entry. If Xen has
 * none, the test fails, the PFN goes to the balloon, and the result is false.
 */
bool grant_refill(struct test *t, uint64_t pfn, mfn_t *mfn) __must_check;

#endif
