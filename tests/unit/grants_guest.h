/* SPDX-License-Identifier: MIT */
/* A guest with a grant table of its own, and what must be true of that at any time. */
#ifndef TESTS_UNIT_GRANTS_GUEST_H
#define TESTS_UNIT_GRANTS_GUEST_H

#include "xen/grants.h"

#include "tests/unit/foreign_guest.h"

extern struct grants grants;

/* A guest without its table: struct fake_grants may be set now. */
void gg_start(enum fake_mfns mfns);
/* And with it. */
void gg_start_version(unsigned int version);

/* A page of the pool's, to be granted. */
pfn_t gg_page(void);
void gg_free_page(pfn_t pfn);
uint64_t gg_mfn(pfn_t pfn);
/* Grants it to the peer; the reference. */
uint32_t gg_access(pfn_t pfn, bool readonly);

/* Is the entry as a grant of that page to the peer must be? */
void gg_check_entry(const char *what, uint32_t ref, pfn_t pfn, bool readonly);
/* Nothing is granted, and every reference that the table has can be had once, and no other. */
void gg_check_all_free(const char *what);

#endif
