/* SPDX-License-Identifier: MIT */
/*
 * Shared by the tests of Xen's grant interface (abi_grant_*.c): grant entries and grant operations
 * without the kernel's own layers (xen/grants.c, xen/grant_map.c), in both versions of the table.
 *
 * A test writes the entries from GRANT_FIRST on itself. This is safe, because these tests are
 * skipped while the kernel has a grant. A change of the version clears all entries but the reserved
 * ones (<xen/grant_table.h>, GNTTABOP_set_version). The room restores the kernel's version.
 */
#ifndef TESTS_GUEST_GRANTS_GRANT_ROOM_H
#define TESTS_GUEST_GRANTS_GRANT_ROOM_H

#include "tests/guest/foreign_room.h"

#include <xen/grant_table.h>

/* The first reference of the tests. They use no reference from GRANT_END on. */
#define GRANT_FIRST GNTTAB_NR_RESERVED_ENTRIES
#define GRANT_END   256

/* Flags of an entry or a status word by which Xen marks that the grant is in use. */
#define GRANT_READ  GTF_reading
#define GRANT_WRITE (GTF_reading | GTF_writing)

struct grant_room {
    struct foreign_room fr;
    unsigned int version; /* of the grant table, now */
    bool can_version_2;   /* does Xen allow version 2? */
    /*
     * A debug build of Xen logs most refusals. grant_room_each (grant_steps.h) sets @first for the
     * first version that it calls: then each kind of refusal is tried. @more is set there too, but
     * not on a debug build: then refusals for other causes are tried.
     */
    bool first, more;
    struct spot status; /* its address maps the first status frame, in version 2 */
};

/*
 * Takes @nr_pages frames for the test. Returns false if the test is skipped: as by
 * foreign_room_open_to_map, and if the kernel has a grant.
 */
bool grant_room_open(struct grant_room *g, struct test *t, uint64_t nr_pages) __must_check;

/* Clears the entries of the test, and restores the version that the kernel uses. */
void grant_room_close(struct grant_room *g);

/*
 * For a test that has a room of another kind: as grant_room_open, but without a room and without a
 * foreign window. The caller has set the test and the domain of @g->fr. @status is a spot of the
 * caller's room. grant_room_end leaves @status unmapped.
 */
bool grant_room_begin(struct grant_room *g, struct spot status) __must_check;
void grant_room_end(struct grant_room *g);

/*
 * Changes the version of the grant table, which clears the entries of the test. Returns false if
 * Xen does not allow the version, if a frame may be too high for an entry of version 1, or if the
 * change fails: then the test fails, too.
 */
bool grant_room_use(struct grant_room *g, unsigned int version) __must_check;

/* Writes entry @ref: the flags last, because they make the entry valid. */
void grant_write(struct grant_room *g, uint32_t ref, uint16_t flags, domid_t domain, mfn_t mfn);

/* A frame that no host has, for an entry. Xen logs nothing when it refuses such a frame. */
mfn_t grant_no_frame(const struct grant_room *g);

/* Grants @mfn to this domain by entry @ref. */
void grant_give(struct grant_room *g, uint32_t ref, mfn_t mfn, bool readonly);

/*
 * Version 2 only. A grant of a part of @mfn to this domain; and a grant to this domain of what
 * reference @other of @domain grants.
 */
void grant_write_part(struct grant_room *g, uint32_t ref, uint16_t flags, mfn_t mfn,
                      uint16_t offset, uint16_t len_bytes);
void grant_write_transitive(struct grant_room *g, uint32_t ref, domid_t domain, uint32_t other);

/* The grantee of entry @ref, and its frame, which Xen writes when it transfers a page. */
domid_t grant_grantee(const struct grant_room *g, uint32_t ref);
mfn_t grant_frame(const struct grant_room *g, uint32_t ref);

/* The flags of entry @ref, and its use marks: GTF_reading and GTF_writing. */
uint16_t grant_flags(const struct grant_room *g, uint32_t ref);
uint16_t grant_marks(const struct grant_room *g, uint32_t ref);

/* Version 2 only: writes the use marks, which are Xen's to write. */
void grant_write_marks(struct grant_room *g, uint32_t ref, uint16_t marks);

/* Expects the use marks @expected for entry @ref. @when names the step. */
void grant_check_marks(struct grant_room *g, uint32_t ref, uint16_t expected, const char *when);

#endif
