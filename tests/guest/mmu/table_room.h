/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a test, beside those in use: for the tests of Xen's rules for page tables.
 *
 * A table tree is one table of each level and a page, in a room (abi_room.h). The L4 table is not
 * the one in CR3. Each table names the next lower one:
 *
 *      table[4] ->  table[3] ->  table[2] ->  table[1] ->  page[0]        by entry 0 of each
 *
 * Each frame has a virtual page of its own (struct spot), at which the test writes the frame while
 * Xen does not use it as a page table, and reads the frame at any time.
 *
 * A debug build of Xen logs each refusal. There the tests try one refusal of each kind (brief), on
 * a release build all of them.
 */
#ifndef TESTS_GUEST_MMU_TABLE_ROOM_H
#define TESTS_GUEST_MMU_TABLE_ROOM_H

#include "tests/guest/abi_room.h"

#define NR_TREE_PAGES 3

/* Xen's entries of an L4 table: [XEN_SLOT, XEN_SLOT_END). Entry XEN_SLOT holds the M2P. */
#define XEN_SLOT     256
#define XEN_SLOT_END 272

/*
 * A debug build of Xen reserves this bit of L1 entries for its own checks of grants, and refuses it
 * (_PAGE_GNTTAB of Xen arch/x86/include/asm/x86_64/page.h). A release build ignores it.
 */
#define PTE_GNTTAB ((uint64_t)1 << 62)

struct tree {
    struct room room;
    struct spot table[PT_LEVELS + 1]; /* by level, from 1 */
    struct spot page[NR_TREE_PAGES];
    unsigned int slot; /* an empty entry of the L4 table in CR3, of the lower half   */
    uintptr_t va;      /* the first address of this entry                            */
    bool brief;        /* try one refusal of each kind, since this Xen logs them     */
};

/*
 * Allocates the frames of a tree. All frames are zero and mapped read-only. False: the test is in
 * error.
 */
bool tree_open(struct tree *tr, struct test *t) __must_check;

/* Checks that Xen has no type and no reference left for any frame of the tree, and frees them. */
void tree_close(struct tree *tr);

/*
 * Writes entry @index of the frame of @s, which is not a page table now, by a store. Afterwards the
 * frame is mapped read-only again.
 */
void table_store(struct test *t, struct spot s, unsigned int index, uint64_t value);
/* The same for all 512 entries of the frame. */
void table_fill(struct test *t, struct spot s, uint64_t value);
/* Reads an entry of the frame of @s, which is mapped. */
uint64_t table_entry(struct spot s, unsigned int index);

/* The tree as in the drawing above: writes entry 0 of the tables of @level and below. */
void tree_link(struct tree *tr, unsigned int level);

/*
 * Hooks table[3] into the L4 table in CR3, so that tr->va maps page[0]; Xen validates the tree.
 * tree_unhook clears the L4 entry, and flushes the TLB.
 */
bool tree_hook(struct tree *tr) __must_check;
void tree_unhook(struct tree *tr);

/*
 * Makes table[4], which is not in use, a copy of the L4 table in CR3, except for Xen's entries, and
 * returns it.
 */
struct spot *tree_copy_root(struct tree *tr);

/* The entry by which a table of @level (2 to 4) names the next lower table of the tree. */
uint64_t tree_entry(const struct tree *tr, unsigned int level);

/* mmu_update of one entry by the command @cmd (MMU_NORMAL_PT_UPDATE and others of <xen/xen.h>). */
int table_update(mfn_t table, unsigned int index, uint64_t value, unsigned int cmd) __must_check;

/*
 * Loads DS with @selector, and then with the old selector again. -EFAULT: one of the loads faults.
 */
int probe_ds_once(unsigned int selector) __must_check;

/* Pins the frame of @s as a table of @level, and unpins it. Each must succeed. */
void table_pin(struct test *t, struct spot s, unsigned int level);
void table_unpin(struct test *t, struct spot s, unsigned int level);

/* One mmuext_op with an MFN. */
int table_mmuext(unsigned int cmd, mfn_t mfn) __must_check;

/*
 * Checks that the frame of @s has no type and no reference left: it can at once become a writable
 * page, and a page of descriptors or a page table (these take turns, since the check costs time);
 * and Xen then exchanges the frame for another one (XENMEM_exchange), which Xen does only if there
 * is no reference to it. @when begins the diagnostics. The spot then has the new frame, zeroed and
 * mapped read-only.
 */
void check_unused(struct room *r, struct spot *s, const char *when);

/*
 * Returns the frame to the room, except if the test has failed: a frame that Xen still uses would
 * stop the kernel later.
 */
void table_drop(struct room *r, struct spot s);

#endif
