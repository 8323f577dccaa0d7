/* SPDX-License-Identifier: MIT */
/*
 * Grant tables of the fake Xen, and another domain that uses them: it grants us pages, and maps
 * those that we granter. As hard to us as Xen is, and a debug Xen where that is harder.
 *
 *   ours    frames of Xen's: [ 0 console | 1 xenstore | 2..7 | 8 | 9 | ... ]  status frames (v2)
 *             read in machine memory whenever the peer maps; marked there, as Xen marks it
 *   theirs  grants[ref]: a page of the peer's, for whom, how
 *             map: handle -> the entry of a page table that holds it, which nobody else may write
 */
#ifndef TESTS_UNIT_FAKE_GRANTS_H
#define TESTS_UNIT_FAKE_GRANTS_H

#include "tests/unit/fake_xen.h"

#include <xen/grant_table.h>

#define FAKE_DOMID 3 /* the guest */
#define FAKE_PEER  5 /* the only other domain that there is */

/* What Xen debug builds put in an entry that holds a grant (_PAGE_GNTTAB). No guest may. */
#define FAKE_PTE_GRANT ((uint64_t)1 << 62)

/* Set by a test, before or after the machine starts; all 0 when it stops. */
struct fake_grants {
    bool none;             /* no grant tables */
    bool no_version_2;     /* as gnttab=max-ver:1 */
    bool privileged;       /* the guest may map what is not granted */
    uint32_t max_frames;   /* of the guest's table; 0: 64 */
    uint32_t max_maptrack; /* mappings that Xen keeps books of, for the guest; 0: 4096 */
    int16_t setup_status;  /* if not 0, what setup_table says */
    int16_t get_status;    /* and get_status_frames */
    unsigned int nr_ops;   /* maps, unmaps and copies so far */
    int16_t (*verdict)(unsigned int op); /* the status of one of them; 0: what is right */
};

extern struct fake_grants fake_grants;

/* What stops with the machine. */
void fake_grants_stop(void);
/* A new domain for the same guest: nothing is mapped, the table is empty, frames have moved. */
void fake_grants_new_domain(uint64_t (*moved)(uint64_t mfn));

/* Takes a frame of the machine that is nobody's; the test fails if there is none. */
uint64_t fake_take_frame(enum fake_owner owner);

unsigned int fake_grants_handles(void); /* that the guest has */
unsigned int fake_grants_version(void);
uint32_t fake_grants_frames(void);
/* An entry of the guest's table, by either version. */
struct fake_entry {
    uint16_t flags;
    domid_t domid;
    uint64_t frame;
};
struct fake_entry fake_grants_entry(uint32_t ref);
/* Are the toolstack's entries, and the others below 8, as it left them? */
bool fake_grants_reserved_untouched(void);

/* The peer grants a new page to @to; its reference. */
uint32_t fake_peer_grant(domid_t to, bool readonly);
uint64_t fake_peer_mfn(uint32_t ref);
/* Ends it; false while the guest has it mapped. */
bool fake_peer_end(uint32_t ref);
/* Is gone; its pages stay until they are unmapped. */
void fake_peer_die(void);

/* A domain maps the guest's @ref: GNTST_*. And lets one such mapping go. */
int16_t fake_peer_map(domid_t as, uint32_t ref, bool readonly);
void fake_peer_unmap(uint32_t ref);
/* All of them go. */
void fake_peer_unmap_all(void);
/* The frame it sees there. */
uint64_t fake_peer_sees(uint32_t ref);
unsigned int fake_peer_mappings(void);

#endif
