/* SPDX-License-Identifier: MIT */
/*
 * The P2M as Xen's tools read it when they save a domain: from shared_info and machine frames only.
 * Written from the description of xg_sr_save_x86_pv.c (Xen's tools/libs/guest), including the bugs
 * of the tools, and independent of mm/, so that an error in one cannot hide an error in the other.
 */
#ifndef TESTS_UNIT_TOOLS_ORACLE_H
#define TESTS_UNIT_TOOLS_ORACLE_H

#include "lib/types.h"

#include <xen/xen.h>

struct tools_p2m {
    char error[120];  /* error message of the tool; empty if it read the P2M */
    uint64_t nr_pfns; /* length of the P2M as the tool computes it */
    uint64_t nr_leaves;
    uint64_t *leaves; /* MFNs of the pages of the P2M list, in order */
};

/* Reads the P2M as the tools do: through the P2M list if p2m_cr3 is set, else through the tree. */
void tools_read(struct tools_p2m *t, const struct arch_shared_info *shared);
void tools_free(struct tools_p2m *t);

/* The P2M entry of @pfn, which must be below nr_pfns. */
uint64_t tools_entry(const struct tools_p2m *t, uint64_t pfn);

#endif
