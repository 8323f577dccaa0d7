/* SPDX-License-Identifier: MIT */
/*
 * A domU that runs on the fake Xen, with everything that the stages of boot leave in struct domain,
 * a toolstack's xenstore, and a reader of its console. Stages run unchanged where this is possible;
 * memory is set up as in guest.h.
 *
 * The kernel's static pages (store ring, shared_info, start_info) are pages of this program, with
 * entries in the guest's page tables like any other page of the guest's image.
 */
#ifndef TESTS_UNIT_LIVE_GUEST_H
#define TESTS_UNIT_LIVE_GUEST_H

#include "kernel/domain.h"

#include "tests/unit/guest.h"

/* The domain of this program (struct domain of the kernel). */
extern struct domain live;

/* The requested version of its grant table; GRANTS_DEFAULT: no request. */
extern enum grants_option live_grants;

/* The lowest MFN of its machine; 0: that of fake_builder.h. */
extern uint64_t live_first_mfn;

/* Builds and boots the domain. Its P2M list has some 1000 PFNs without a frame and a hole, and some
 * pages are ballooned out. */
void live_start(void);
void live_stop(void);
/* live_stop() as the teardown of a test. */
int live_teardown(void **state);

/* Boots the domain with a zeroed fake_tools. A suspend calls @what_happens, and returns its
 * result. */
void live_start_suspending(long (*what_happens)(uint64_t start_info));
/* Counts the frames in use, which live_check() compares with the count of the start. */
void live_count_in_use(void);

/* The memory map of the domain at its start, and the map that Xen returns from now on. */
extern const struct e820_entry live_map[3];
void live_set_map(const struct e820_entry *entries, unsigned int nr);

/* For @what_happens: the tools save the guest and restore it on another machine, or cancel. */
long live_restored(uint64_t start_info);
long live_cancelled(uint64_t start_info);

/* The domain's shared_info at Xen's own address. */
struct shared_info *live_shared(void);

/*
 * Checks all that must hold for a guest at rest: counts agree with Xen's, no frame is lost or used
 * twice, the tools can read the P2M, a timer wakes the guest, and a xenstore write of the toolstack
 * reaches the guest.
 */
void live_check(const char *what);
/* The checks of live_check() that need no xenstore. */
void live_check_memory(const char *what);

#endif
