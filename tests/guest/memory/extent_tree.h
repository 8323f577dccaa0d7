/* SPDX-License-Identifier: MIT */
/*
 * Page tables that consist of frames of struct extents, in an empty slot of the L4 table:
 *
 *      L4 in CR3 --slot--> L3, PFN 3 --0--> L2, PFN 2 --0--> L1, PFN 1 --0--> page, PFN 0
 */
#ifndef TESTS_GUEST_MEMORY_EXTENT_TREE_H
#define TESTS_GUEST_MEMORY_EXTENT_TREE_H

#include "tests/guest/memory/extents.h"

/* The frames 0 to 3 of the extents: the page, and the tables of levels 1 to 3. */
#define TREE_FRAMES 4

struct extent_tree {
    unsigned int slot; /* of the L4 table                    */
    uint64_t *page;    /* the address that the tree gives it */
};

/* Fills the frames and enters the tree. False: Xen refused a step, and the test fails. */
bool extent_tree_hook(struct extent_tree *tree, struct extents *e) __must_check;

/* Empties the L4 entry, so that no table of the tree is in use. */
void extent_tree_unhook(const struct extent_tree *tree, struct extents *e);

#endif
