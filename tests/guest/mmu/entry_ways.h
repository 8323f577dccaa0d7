/* SPDX-License-Identifier: MIT */
/*
 * The ways by which a guest changes a page-table entry of a tree (table_room.h), and what Xen makes
 * of the entry.
 */
#ifndef TESTS_GUEST_MMU_ENTRY_WAYS_H
#define TESTS_GUEST_MMU_ENTRY_WAYS_H

#include "tests/guest/mmu/table_room.h"

/* Xen marks an L1 entry without U as one of the guest's kernel, and adds U; to others it adds G. */
#define GUEST_KERNEL ((uint64_t)1 << 52)
#define PTE_G        ((uint64_t)1 << 8)

#define CACHE_BITS   (PTE_PSE | PTE_PCD | PTE_PWT) /* at level 1, the bit of PSE is PAT */

/* The commands of mmu_update come first. Only an entry of an L1 table can be changed by others. */
enum way { WAY_NORMAL, WAY_PRESERVE, WAY_NO_TRANSLATE, WAY_VA, WAY_STORE, NR_WAYS };
#define NR_COMMANDS WAY_VA

extern const char *const way_names[NR_WAYS];

/* Has this domain the way at @level? */
bool way_exists(const struct test *t, unsigned int level, enum way way);

/*
 * Writes entry 0 of table[@level] of the tree. The tree is hooked for WAY_VA, and the L1 table is
 * in use for WAY_STORE. Returns 0 or a negative errno: -EFAULT for a store that faults.
 */
int way_write(struct tree *tr, unsigned int level, enum way way, uint64_t entry) __must_check;

/* The same write, which must succeed. */
void way_check(struct test *t, struct tree *tr, unsigned int level, enum way way, uint64_t entry);

/* Writes any entry of a table by a command of mmu_update. */
int way_update(mfn_t table, unsigned int index, enum way way, uint64_t entry) __must_check;

/*
 * What Xen makes of an entry that it accepts: it sets U, A at level 4, and G at level 1, except if
 * the entry is one of the guest's kernel (adjust_guest_l1e() to _l4e() of arch/x86/pv/mm.h).
 */
uint64_t entry_adjusted(unsigned int level, uint64_t entry);

#endif
