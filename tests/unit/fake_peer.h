/* SPDX-License-Identifier: MIT */
/* Shared by fake_grants.c and fake_peer.c: the operations that concern both domains. */
#ifndef TESTS_UNIT_FAKE_PEER_H
#define TESTS_UNIT_FAKE_PEER_H

#include "tests/unit/fake_grants.h"

/* Where Xen sets GTF_reading and GTF_writing for entry @ref of the guest's table; NULL: no entry.
 */
uint16_t *fake_grants_status(uint32_t ref);

void fake_grants_map(struct gnttab_map_grant_ref *ops, unsigned int nr);
void fake_grants_unmap(struct gnttab_unmap_grant_ref *ops, unsigned int nr);
void fake_grants_copy(struct gnttab_copy *ops, unsigned int nr);

void fake_peer_forget(void);
void fake_peer_new_domain(uint64_t (*moved)(uint64_t mfn));

#endif
