/* SPDX-License-Identifier: MIT */
/*
 * A guest that lives: a domU on the fake Xen, with everything that the stages of boot leave in
 * struct domain, a toolstack's xenstore and a reader of its console. What can be run of the stages
 * themselves, is; memory is set up as guest.h does it.
 *
 * The kernel's static pages (store ring, shared_info, start_info) are pages of this program, with
 * entries in the guest's own tables like any other page of its image.
 */
#ifndef TESTS_UNIT_LIVE_GUEST_H
#define TESTS_UNIT_LIVE_GUEST_H

#include "kernel/domain.h"

#include "tests/unit/guest.h"

/* The domain of this program. */
extern struct domain live;

/* The version of its grant table that is asked for; GRANTS_DEFAULT: none. */
extern enum grants_option live_grants;

/* Builds it and boots it; its list has some 1000 empty PFNs and a hole, and some are ballooned out.
 */
void live_start(void);
void live_stop(void);
/* The same as live_stop, as the teardown of a test. */
int live_teardown(void **state);

/* Boots it, with nothing left in fake_tools; a suspend ends as @what_happens says. */
void live_start_suspending(long (*what_happens)(uint64_t start_info));
/* For that: the tools save the guest, and restore it on another machine, or cancel the suspend. */
long live_restored(uint64_t start_info);
long live_cancelled(uint64_t start_info);

/* What the domain's shared_info is to Xen. */
struct shared_info *live_shared(void);

/*
 * All that must be true of a guest at rest: numbers agree with Xen, no frame is lost or used twice,
 * the tools can read the list, a timer wakes it, and what the toolstack writes reaches it.
 */
void live_check(const char *what);
/* As much of that as is true without xenstore. */
void live_check_memory(const char *what);

#endif
