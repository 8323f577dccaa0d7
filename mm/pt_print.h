/* SPDX-License-Identifier: MIT */
/* Prints page-table walks, for the shell and for a fatal trap. */
#ifndef MM_PT_PRINT_H
#define MM_PT_PRINT_H

#include "mm/pagetable.h"

/*
 * Prints the entries of a walk to @va: a line for each level with index, table, value and the names
 * of the flags, until the page or the entry that is not present.
 */
void pt_print_walk(struct pagetable *pt, uint64_t va);

#endif
