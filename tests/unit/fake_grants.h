/* SPDX-License-Identifier: MIT */
/*
 * Grant tables of the fake Xen, and a peer: another domain that grants pages to the guest and maps
 * pages that the guest grants. The fake is as strict as Xen, and as a debug build of Xen where that
 * is stricter.
 *
 *   guest   grant table in Xen's frames: [ 0 console | 1 xenstore | 2..7 | 8 | 9 | ... ], and
 *             status frames (version 2). Entries are read from machine memory whenever the peer
 *             maps, and GTF_reading and GTF_writing are set there, as Xen does.
 *   peer    grants[ref]: a page of the peer's, for which domain, read-only or writable
 *             map: handle -> the PTE that holds the grant mapping, which only an unmap may write
 */
#ifndef TESTS_UNIT_FAKE_GRANTS_H
#define TESTS_UNIT_FAKE_GRANTS_H

#include "tests/unit/fake_xen.h"

#include <xen/grant_table.h>

#define FAKE_DOMID 3 /* the guest */
#define FAKE_PEER  5 /* the only other domain */

/* Set by debug builds of Xen in a PTE that holds a grant (_PAGE_GNTTAB). No guest may set it. */
#define FAKE_PTE_GRANT ((uint64_t)1 << 62)

/* Set by a test, before or after the machine starts. Zeroed when the machine stops. */
struct fake_grants {
    bool none;             /* grant_table_op is not implemented */
    bool no_version_2;     /* as with Xen's option gnttab=max-ver:1 */
    bool privileged;       /* the guest may map foreign frames without a grant */
    uint32_t max_frames;   /* limit of the guest's grant table; 0: 64 */
    uint32_t max_maptrack; /* limit of maptrack entries of the guest; 0: 4096 */
    int16_t setup_status;  /* if not 0: status of GNTTABOP_setup_table */
    int16_t get_status;    /* if not 0: status of GNTTABOP_get_status_frames */
    unsigned int nr_ops;   /* map, unmap and copy operations so far */
    int16_t (*verdict)(
        unsigned int op); /* status to return for operation @op; 0: the correct one */
};

extern struct fake_grants fake_grants;

/* Ends all grants and mappings; called when the machine stops. */
void fake_grants_stop(void);
/* The same guest in a new domain: no mappings, an empty table, MFN m has become @moved(m). */
void fake_grants_new_domain(uint64_t (*moved)(uint64_t mfn));

/* Takes a frame of the machine that has no owner. The test fails if there is none. */
uint64_t fake_take_frame(enum fake_owner owner);

unsigned int fake_grants_handles(void); /* number of the guest's valid handles */
unsigned int fake_grants_version(void);
uint32_t fake_grants_frames(void);
/* An entry of the guest's grant table, of either version. */
struct fake_entry {
    uint16_t flags;
    domid_t domid;
    uint64_t frame;
};
struct fake_entry fake_grants_entry(uint32_t ref);
/* Are the entries of the toolstack, and all others below 8, unchanged? */
bool fake_grants_reserved_untouched(void);

/* The peer grants a new page to domain @to. Returns the grant reference. */
uint32_t fake_peer_grant(domid_t to, bool readonly);
uint64_t fake_peer_mfn(uint32_t ref);
/* The peer ends a grant; false while the guest maps the page. */
bool fake_peer_end(uint32_t ref);
/* The peer domain dies. Its pages stay until the guest unmaps them. */
void fake_peer_die(void);

/* Domain @as maps the guest's reference @ref: returns GNTST_*. fake_peer_unmap() ends one such
 * mapping. */
int16_t fake_peer_map(domid_t as, uint32_t ref, bool readonly);
void fake_peer_unmap(uint32_t ref);
/* Ends all mappings of the guest's pages. */
void fake_peer_unmap_all(void);
/* The MFN that the peer has mapped for reference @ref. */
uint64_t fake_peer_sees(uint32_t ref);
unsigned int fake_peer_mappings(void);

#endif
