/* SPDX-License-Identifier: MIT */
/*
 * Publication: tells Xen's tools where the P2M is, through struct arch_shared_info of
 * <xen/arch-x86/xen.h>. All stores to max_pfn, p2m_cr3, p2m_vaddr, p2m_generation and
 * pfn_to_mfn_frame_list_list are in publish.c. There are two forms:
 *
 *   list   (Xen 4.6 and later) p2m_cr3 has the level 4 table, p2m_vaddr the address of the list.
 *   tree   pfn_to_mfn_frame_list_list has the root of a tree of MFNs. It is read by older tools,
 *          for Xen's crash notes, and by all tools if no list is published. Its leaves are those of
 *          the list. A tree can describe 512 GiB.
 *
 *      pfn_to_mfn_frame_list_list -> top [ 512 MFNs ] -> mid [ 512 MFNs ] -> leaf of the list
 *                                         1 GiB each
 *
 * A tool that finds p2m_cr3 set does not read the tree. Every tool stops with an error while
 * max_pfn is 0, so max_pfn is written last. After a restore max_pfn is not 0, and the kernel sets
 * p2m_cr3 to 0 first.
 */
#ifndef MM_PUBLISH_H
#define MM_PUBLISH_H

#include "mm/heap.h"

#include <xen/xen.h>

/* The argument p2m= of the command line. */
enum publish_form { PUBLISH_BOTH, PUBLISH_LIST, PUBLISH_TREE };

/* The number of PFNs that a tree can describe: 512 x 512 x 512, which is 512 GiB. */
#define TREE_MAX_PFNS ((uint64_t)512 * 512 * P2M_PER_PAGE)

struct publication {
    uint64_t *top;    /* the root page; NULL: no tree */
    uint64_t *mids;   /* @nr_mids pages on the heap   */
    uint64_t nr_mids; /* one for each GiB of PFNs, but one for a whole run of GiBs without RAM */
    mfn_t top_mfn;    /* the frame of @top            */
};

/*
 * Builds the tree for the list of @p2m, in pages of @heap. Returns 0; -ENOMEM; or -ERANGE if the
 * list has more than TREE_MAX_PFNS entries. After an error @pub has no tree.
 */
int publish_build_tree(struct publication *pub, struct pagetable *pt, struct heap *heap,
                       const struct p2m *p2m) __must_check;

/*
 * Fills the tree's pages again, after a suspend: in a new domain all MFNs are different. The page
 * tables of the list must have the same shape as when the tree was built.
 */
void publish_fill_tree(struct publication *pub, struct pagetable *pt, const struct p2m *p2m);

/*
 * Publishes @p2m in @shared in the form @form, with one 64-bit store for each field and max_pfn
 * last. If there is no tree, pfn_to_mfn_frame_list_list becomes ~0. Returns 0, or -EINVAL if @form
 * is PUBLISH_TREE and @pub has no tree: then nothing is written.
 */
int publish(struct arch_shared_info *shared, const struct publication *pub,
            const struct pagetable *pt, const struct p2m *p2m, enum publish_form form) __must_check;

/*
 * Sets p2m_cr3 to 0, so that no tool reads the P2M list. Called in a new domain directly after the
 * resume: the tools copy shared_info, and p2m_cr3 then names a frame of the old host. publish()
 * sets p2m_cr3 again.
 */
void publish_revoke(struct arch_shared_info *shared);

/*
 * Tells the tools that the mapping of the P2M list has changed: sets p2m_generation to the next odd
 * and then to the next even number, which is returned. A tool that is reading the list must then
 * fail (p2m_generation in <xen/arch-x86/xen.h>).
 */
uint64_t publish_bump_generation(struct arch_shared_info *shared);

#endif
