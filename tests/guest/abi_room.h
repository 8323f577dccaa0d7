/* SPDX-License-Identifier: MIT */
/*
 * Memory and helpers for the self-tests of Xen's interface (abi_*.c and others).
 *
 * A room is the memory of one test: frames and a heap that belong to this test alone. All frames of
 * a room are taken from the domain's frame pool by one request, whatever their number, so that the
 * list of cases of inject=alloc:N stays short. A test may damage the contents and the page tables
 * of its room.
 */
#ifndef TESTS_GUEST_ABI_ROOM_H
#define TESTS_GUEST_ABI_ROOM_H

#include "xen/evtchn.h"

#include "kernel/selftest/test.h"

/* A domain ID that no domain has: xl counts up from 1, and would take years to reach it. */
#define NO_DOMAIN 0x7abc

/* The MFN of VGA text memory, a device of every PC: it belongs to DOMID_IO, and dom0 may map it. */
#define VGA_TEXT 0xb8

struct room {
    struct test *t;
    struct frame_pool pool; /* the free frames of this room                            */
    struct pagetable pt;    /* the domain's page tables; new tables come from this pool */
    struct heap heap;       /* virtual addresses behind those of the domain's heap     */
};

/* A frame of a room, and a virtual page at which the frame can be mapped. */
struct spot {
    uintptr_t va;
    mfn_t mfn;
};

/*
 * Takes @nr_pages frames from the domain's frame pool; page tables for their mappings count too.
 * Only one room may be open at a time. Returns false, and sets the test in error, if the frame pool
 * has too few frames.
 */
bool room_open(struct room *r, struct test *t, uint64_t nr_pages) __must_check;

/* Returns the frames of the room to the domain, except frames that became page tables. */
void room_close(struct room *r);

/*
 * Allocates @nr pages: zeroed, writable, with an unmapped page on either side. Panics if the room
 * is too small.
 */
void *room_alloc(struct room *r, uint64_t nr);
void room_free(struct room *r, void *page, uint64_t nr);

/* Allocates a zeroed frame without a mapping, and a virtual page without a mapping. */
struct spot room_spot(struct room *r);
void room_drop(struct room *r, struct spot s);

/* Opens a room for one spot, @s, and its page tables. spot_close closes it. */
bool spot_open(struct test *t, struct spot *s) __must_check;
void spot_close(struct spot s);

/*
 * Maps @mfn at the virtual page of the spot with the rights @flags; 0 removes the mapping. Returns
 * the result of HYPERVISOR_update_va_mapping.
 */
int spot_show(struct spot s, mfn_t mfn, uint64_t flags) __must_check;

/* The next number of a pseudo-random sequence. The initial *@seed, not 0, selects the sequence. */
uint64_t draw(uint64_t *seed);

/* The request of mmu_update that writes @pfn to the M2P entry of @mfn. */
struct mmu_update m2p_update(mfn_t mfn, uint64_t pfn);

/* The lowest entry of the L4 table in CR3 that is 0. Never entry 0, which holds address 0. */
unsigned int l4_empty_slot(struct domain *d);

/*
 * Returns the first MFN from @from on whose M2P entry holds a PFN, and which this domain does not
 * own. INVALID_MFN: there is none.
 */
mfn_t foreign_frame(const struct domain *d, mfn_t from);

/* Returns a frame that belongs to Xen: the L3 table of Xen's part of the address space. */
mfn_t xen_frame(struct domain *d);

/*
 * Skips a test of Xen that would test the PV shim instead. The shim has its own table of event
 * channel ports, returns other errnos for unknown hypercalls, and knows no other domain.
 */
bool shim_is_between(struct test *t);

/*
 * Counts the event channel ports that are open by EVTCHNOP_status. *@highest is the last of them.
 * PORTS_UNKNOWN if XSM/FLASK denies the status of a port: its default policy does for a VIRQ or an
 * IPI.
 */
#define PORTS_UNKNOWN UINT32_MAX
unsigned int ports_open(evtchn_port_t *highest);

/*
 * @rc is the result of a request for a port. Skips the test, and returns true, if the kernel itself
 * has all ports that Xen allows this domain (max_event_channels): -ENOSPC, and each open port has a
 * handler of the kernel. A leak of ports is no reason to skip a test, unless ports_open() cannot
 * tell.
 */
bool ports_are_used_up(struct test *t, long rc);

/* Opens a port for events of this domain to itself. False: the test is skipped or in error. */
bool ipi_open(struct test *t, evtchn_handler_t handler, void *context,
              evtchn_port_t *port) __must_check;

/* As CHECK_RC, for a @step on the frame @mfn. check_frame_refused: the result must be any negative
 * errno.
 */
void check_frame(struct test *t, long rc, long expected, const char *step, mfn_t mfn);
void check_frame_refused(struct test *t, long rc, const char *step, mfn_t mfn);

/* Compares entry @i of an E820 map; @map names the map. */
void check_e820_entry(struct test *t, const char *map, size_t i, const struct e820_entry *found,
                      const struct e820_entry *expected);

#endif
