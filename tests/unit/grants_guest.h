/* SPDX-License-Identifier: MIT */
/* A guest with a grant table, and checks of the table that must hold at any time. */
#ifndef TESTS_UNIT_GRANTS_GUEST_H
#define TESTS_UNIT_GRANTS_GUEST_H

#include "xen/grants.h"

#include "tests/unit/foreign_guest.h"

extern struct grants grants;

/* Starts a guest without a grant table; struct fake_grants may be set afterwards. */
void gg_start(enum fake_mfns mfns);
/* Starts a guest with a grant table of @version. */
void gg_start_version(unsigned int version);

/* Allocates a page of the frame pool, to be granted. */
pfn_t gg_page(void);
void gg_free_page(pfn_t pfn);
uint64_t gg_mfn(pfn_t pfn);
/* Grants @pfn to the peer. Returns the grant reference. */
uint32_t gg_access(pfn_t pfn, bool readonly);

/* Checks that entry @ref grants page @pfn to the peer. */
void gg_check_entry(const char *what, uint32_t ref, pfn_t pfn, bool readonly);
/* Checks that nothing is granted, and that each reference of the table can be allocated once. */
void gg_check_all_free(const char *what);

#endif
