/* SPDX-License-Identifier: MIT */
/*
 * Publication: telling Xen's tools where the P2M is, through shared_info. All stores to max_pfn,
 * p2m_cr3, p2m_vaddr, p2m_generation and pfn_to_mfn_frame_list_list are in publish.c.
 *
 * Two forms exist. The list (Xen 4.6 and later) is named by a root table and a virtual address.
 * The tree is what older tools, Xen's crash notes and, for guests up to 512 GiB, every tool reads
 * if there is no list; its leaves are the list's own pages:
 *
 *      pfn_to_mfn_frame_list_list -> top [ 512 MFNs ] -> mid [ 512 MFNs ] -> leaf of the list
 *                                         1 GiB each
 *
 * A tool that finds p2m_cr3 set never looks at the tree. While max_pfn is 0 every tool refuses
 * cleanly, so it is written last. (After a restore it is not 0, and p2m_cr3 is made 0 first.)
 * (<xen/arch-x86/xen.h>, struct arch_shared_info.)
 */
#ifndef MM_PUBLISH_H
#define MM_PUBLISH_H

#include "mm/heap.h"

#include <xen/xen.h>

enum publish_form { PUBLISH_BOTH, PUBLISH_LIST, PUBLISH_TREE };

/* The tree reaches this many PFNs: 512 x 512 x 512, which is 512 GiB. */
#define TREE_MAX_PFNS ((uint64_t)512 * 512 * P2M_PER_PAGE)

struct publication {
    uint64_t *top;  /* NULL: no tree */
    uint64_t *mids; /* nr_mids pages, on the heap */
    uint64_t
        nr_mids; /* one for each GiB of PFN space, and one for each run of GiBs that are all hole */
    mfn_t top_mfn;
};

/*
 * Builds the tree over the mapping of @p2m, in heap pages of its own. -ENOMEM without frames,
 * -ERANGE if the list is too long for a tree; then @pub stays without one.
 */
int publish_build_tree(struct publication *pub, struct pagetable *pt, struct heap *heap,
                       const struct p2m *p2m) __must_check;

/*
 * Fills the tree's pages anew: in a new domain, after a suspend, every frame is another. The list's
 * mapping must be of the shape that it was built for.
 */
void publish_fill_tree(struct publication *pub, struct pagetable *pt, const struct p2m *p2m);

/*
 * Publishes @p2m in @shared, in the forms asked for, in the order the tools rely on. Without a
 * tree in @pub, the tree's root becomes ~0, "not to be had". -EINVAL if that leaves no form.
 */
int publish(struct arch_shared_info *shared, const struct publication *pub,
            const struct pagetable *pt, const struct p2m *p2m, enum publish_form form) __must_check;

/*
 * Makes p2m_cr3 0, so that no tool follows the P2M list. For a new domain, at once after a resume:
 * the tools copy p2m_cr3 with the rest of shared_info, and in it is a frame of the old host.
 * publish() sets p2m_cr3 again.
 */
void publish_revoke(struct arch_shared_info *shared);

/*
 * Tells the tools that the mapping of the P2M list has changed: p2m_generation becomes odd, and
 * then the next even number, which is returned. A tool that reads the list meanwhile must give up.
 */
uint64_t publish_bump_generation(struct arch_shared_info *shared);

#endif
