/* SPDX-License-Identifier: MIT */
/*
 * The P2M as Xen's tools read it when they save a domain: from shared_info and machine frames
 * alone. Written from the description of xg_sr_save_x86_pv.c (Xen's tools/libs/guest) and not from
 * mm/, faults of the tools included, so that neither can hide a mistake of the other.
 */
#ifndef TESTS_UNIT_TOOLS_ORACLE_H
#define TESTS_UNIT_TOOLS_ORACLE_H

#include "lib/types.h"

#include <xen/xen.h>

struct tools_p2m {
    char error[120];  /* what the tool would say; empty if it read the P2M */
    uint64_t nr_pfns; /* as many as it believes in */
    uint64_t nr_leaves;
    uint64_t *leaves; /* MFNs of the pages of the P2M, in order */
};

/* As a tool chooses: by the list if p2m_cr3 is set, else by the tree. */
void tools_read(struct tools_p2m *t, const struct arch_shared_info *shared);
void tools_free(struct tools_p2m *t);

/* The entry of @pfn, which is below nr_pfns. */
uint64_t tools_entry(const struct tools_p2m *t, uint64_t pfn);

#endif
