/* SPDX-License-Identifier: MIT */
/*
 * The grant table (<xen/grant_table.h>): permissions for other domains (grantees) to map or copy
 * pages of this domain (the granter).
 *
 *      table    frames of Xen, mapped in the foreign window; 512 entries each (v1), or 256 (v2)
 *               [ 0 console | 1 xenstore | 2..7 reserved | 8 .. references of this kernel ]
 *      status   v2 only: frames in which Xen marks entries in use; in v1 Xen marks the entry itself
 *      records  the kernel's side table: for each reference its PFN, or the next free reference
 *
 * A caller grants a PFN; an entry names the frame by MFN, and the side table keeps the PFN.
 *
 * A grant ends with its domain. In a new domain (after a restore or a migration) the table is
 * empty, and the number of the grantee may be that of another domain, so no grant is written again:
 * it is dropped, as Linux does it (gnttab_resume of Linux drivers/xen/grant-table.c). The reference
 * stays the owner's until grant_end or grant_end_page; grant_is_dropped tells the owner, who may
 * grant the page again once it knows the grantee's new number.
 *
 * A grantee may be hostile and keep a page mapped forever. Then the grant cannot end, and the page
 * must not get another use (compare XSA-396).
 */
#ifndef XEN_GRANTS_H
#define XEN_GRANTS_H

#include "mm/foreign.h"
#include "mm/heap.h"
#include "mm/p2m.h"

#include <xen/grant_table.h>

/* The maximum number of frames of the table. Xen's default is 64; a toolstack may allow more. */
#define GRANT_MAX_FRAMES 1024

struct grants {
    struct foreign_window *window;
    struct heap *heap;
    const struct p2m *p2m;
    struct frame_pool *pool; /* gets the page of a deferred grant when the grant ends */
    unsigned int version;    /* 1 or 2 */
    uint32_t nr_frames, max_frames;
    struct foreign_range *table, *status;
    struct foreign_owner owner;
    struct grant_record *records[GRANT_MAX_FRAMES]; /* side table: an array for each table frame */
    uint64_t nr_record_frames;                      /* heap frames of the side table */
    uint32_t free, deferred;                        /* heads of lists of references; 0: empty */
    uint32_t nr_used, nr_deferred;
    uint32_t nr_dropped;          /* of nr_used: grants that a restore has dropped */
    mfn_t mfns[GRANT_MAX_FRAMES]; /* result buffer of the last request: table or status frames */
};

/*
 * Sets up the table with one frame, in @version 1 or 2. If Xen refuses version 2, the table has
 * version 1; see @g->version. The caller has set window, heap, p2m and pool of @g. Returns 0;
 * -ENOSYS if Xen has no grant table for this domain; -EPERM, -ENOMEM, -ENOSPC; or Xen's errno.
 */
int grants_start(struct grants *g, unsigned int version) __must_check;

/*
 * Grants the page @pfn to @domain, which may then map it and copy from and to it; if @readonly, map
 * it read-only and copy from it. *@ref is the reference. Adds a frame to the table if necessary.
 * Returns 0; -ENOSPC if the table is full; -ENOMEM; -EINVAL if @pfn has no frame; -ERANGE, with a
 * warning, if the MFN is wider than the 32 bits of a version 1 entry; -ENOSYS if there is no table,
 * or it could not be set up again after a suspend.
 */
int grant_access(struct grants *g, domid_t domain, pfn_t pfn, bool readonly,
                 uint32_t *ref) __must_check;

/* Was the grant dropped by a restore, so that it is in force no more? False if @ref is no grant. */
bool grant_is_dropped(const struct grants *g, uint32_t ref);

/*
 * Is the page mapped by the grantee, or being copied? Also true if there is no table to tell; false
 * for a grant that was dropped.
 */
bool grant_in_use(const struct grants *g, uint32_t ref);

/*
 * Ends the grant; the page is the caller's alone. -EBUSY if the grant is in use: then it stays
 * valid. -EINVAL if @ref is not a grant.
 */
int grant_end(struct grants *g, uint32_t ref) __must_check;

/*
 * Ends the grant now, or defers the end until the grantee's last unmap (see grants_poll). From now
 * on a grantee that does not have the page mapped cannot map it. The caller no longer maps or uses
 * the page; it goes to the frame pool when the grant ends. Returns 0; -EINVAL as above.
 */
int grant_end_page(struct grants *g, uint32_t ref) __must_check;

/* Ends the deferred grants that are not in use any more. Returns the number of the others. */
uint32_t grants_poll(struct grants *g);

/*
 * Copies between pages of this domain and granted pages (GNTTABOP_copy). Each of the @nr operations
 * has its own GNTST_* status. Returns 0 or Xen's negative errno for the hypercall.
 */
int grant_copy(struct gnttab_copy *ops, unsigned int nr) __must_check;

#endif
