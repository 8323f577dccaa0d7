/* SPDX-License-Identifier: MIT */
/* Page tables for people: what a walk meets. */
#ifndef MM_PT_PRINT_H
#define MM_PT_PRINT_H

#include "mm/pagetable.h"

/* Prints a line for each level on the way to what is mapped at @va, with all flags by name. */
void pt_print_walk(struct pagetable *pt, uint64_t va);

#endif
