/* SPDX-License-Identifier: MIT */
#include "mm/readback.h"

#include "lib/errno.h"
#include "lib/printk.h"

#include "mm/publish.h"

#define LEAVES_PER_TABLE ((uint64_t)PTES_PER_TABLE)

/*
 * The messages quote those of Xen's tools (tools/libs/guest/xg_sr_save_x86_pv.c) behind what they
 * mean. @form is "", " list" or " tree".
 */
#define COMPLAIN(form, ...)                                                                     \
    do {                                                                                        \
        printk(LOG_ERROR, "P2M%s that arch_shared_info publishes: xl save would fail: ", form); \
        print(__VA_ARGS__);                                                                     \
    } while (0)

static bool bad_frame(const struct readback *rb, mfn_t mfn)
{
    return mfn.v == 0 || mfn.v >= rb->m2p->nr;
}

/* A leaf must be a page of this domain, with consistent P2M and M2P entries. */
static int check_leaf(const struct readback *rb, uint64_t leaf, mfn_t mfn)
{
    pfn_t pfn = m2p_get(rb->m2p, mfn);

    if (pfn.v < rb->shared->max_pfn && mfn_eq(p2m_get_ram(rb->p2m, pfn), mfn))
        return 0;
    COMPLAIN(
        "",
        "Bad mfn in p2m_frame_list[%lu]: MFN 0x%lx has M2P entry PFN 0x%lx, whose P2M entry is "
        "MFN 0x%lx; expected a PFN below max_pfn 0x%lx and the same MFN\n",
        leaf, mfn.v, pfn.v, p2m_get_ram(rb->p2m, pfn).v, rb->shared->max_pfn);
    return -ERANGE;
}

static int check_addresses(uint64_t start, uint64_t end)
{
    if (end >= start && va_canonical(start) && va_canonical(end) &&
        (end < HYPERVISOR_VIRT_START || start >= HYPERVISOR_VIRT_END))
        return 0;
    COMPLAIN(" list",
             "Bad virtual p2m address range 0x%lx-0x%lx (p2m_vaddr to end): expected "
             "ascending canonical addresses outside Xen's area\n",
             start, end);
    return -ERANGE;
}

/* Walks to @va. *@leaf is the frame mapped there, *@l1 the level 1 table. */
static int walk(const struct readback *rb, uint64_t va, mfn_t *leaf, mfn_t *l1)
{
    mfn_t mfn = maddr_to_mfn(rb->shared->p2m_cr3);

    for (unsigned int level = PT_LEVELS; level; level--) {
        mfn = pte_mfn(pt_read(rb->pt, mfn, level, pte_index(va, level)));
        if (bad_frame(rb, mfn)) {
            COMPLAIN(" list",
                     "Bad mfn 0x%lx during page table walk for vaddr 0x%lx at level %u: "
                     "expected 1 to max_mfn 0x%lx\n",
                     mfn.v, va, level, rb->m2p->nr - 1);
            return -ERANGE;
        }
        if (level == 2)
            *l1 = mfn;
    }
    *leaf = mfn;
    return 0;
}

/* Where in the published P2M, and in which level 1 table or mid page, a walk is. */
struct position {
    uint64_t leaf;
    mfn_t table; /* of the leaf before; INVALID_MFN at the start */
};

/*
 * Is @table, whose entries for the leaves from @p->leaf on are all those that it has, the table of
 * the LEAVES_PER_TABLE leaves before? Then a tool reads the same leaves again.
 */
static bool repeats(const struct position *p, mfn_t table, uint64_t index)
{
    return index == 0 && p->leaf >= LEAVES_PER_TABLE && mfn_eq(table, p->table);
}

static int check_list(const struct readback *rb, uint64_t leaves)
{
    uint64_t vaddr = rb->shared->p2m_vaddr;

    if (!rb->shared->p2m_cr3)
        return -ENOENT;
    if (!bad_frame(rb, maddr_to_mfn(rb->shared->p2m_cr3)))
        return check_addresses(vaddr, vaddr + leaves * PAGE_SIZE - 1);
    COMPLAIN(" list", "Bad p2m_cr3 value 0x%lx: MFN 0x%lx, expected 1 to max_mfn 0x%lx\n",
             rb->shared->p2m_cr3, maddr_to_mfn(rb->shared->p2m_cr3).v, rb->m2p->nr - 1);
    return -ERANGE;
}

int readback_list(const struct readback *rb, readback_visit_t visit, void *context,
                  struct readback_result *result)
{
    uint64_t vaddr = rb->shared->p2m_vaddr, changed = 0;
    uint64_t leaves = DIV_ROUND_UP(rb->shared->max_pfn, P2M_PER_PAGE);
    struct position p = {.table = INVALID_MFN};
    int rc = check_list(rb, leaves);

    while (!rc && p.leaf < leaves) {
        uint64_t va = vaddr + p.leaf * PAGE_SIZE;
        mfn_t mfn, l1 = INVALID_MFN;

        rc = walk(rb, va, &mfn, &l1);
        if (!rc && repeats(&p, l1, pte_index(va, 1))) {
            p.leaf = min_u64(p.leaf + LEAVES_PER_TABLE, leaves);
            continue;
        }
        if (!rc)
            rc = check_leaf(rb, p.leaf, mfn);
        if (rc)
            return rc;
        if (!mfn_eq(l1, p.table))
            changed = p.leaf / LEAVES_PER_TABLE;
        p.table = l1;
        visit(context, p.leaf++, mfn);
    }
    *result = (struct readback_result){.nr_leaves = p.leaf, .nr_pfns = rb->shared->max_pfn};
    if (changed != (leaves - 1) / LEAVES_PER_TABLE)
        result->nr_pfns = changed * LEAVES_PER_TABLE * P2M_PER_PAGE;
    return rc;
}

/* Reads entry @index of the tree's top page (@level 2) or of a mid page (@level 1). */
static int tree_entry(const struct readback *rb, mfn_t page, unsigned int level, uint64_t index,
                      mfn_t *mfn)
{
    *mfn = to_mfn(pt_read(rb->pt, page, level, (unsigned int)index));
    if (!bad_frame(rb, *mfn))
        return 0;
    COMPLAIN(" tree",
             "Bad mfn 0x%lx for p2m frame list%s at index %lu: expected 1 to max_mfn 0x%lx\n",
             mfn->v, level == 2 ? " list" : "", index, rb->m2p->nr - 1);
    return -ERANGE;
}

/* *@top is the root page of the tree. */
static int check_tree(const struct readback *rb, uint64_t leaves, mfn_t *top)
{
    *top = to_mfn(rb->shared->pfn_to_mfn_frame_list_list);
    if (top->v == 0 || top->v == INVALID_ENTRY)
        return -ENOENT;
    if (bad_frame(rb, *top)) {
        COMPLAIN(" tree", "Bad mfn 0x%lx for p2m frame list list: expected 1 to max_mfn 0x%lx\n",
                 top->v, rb->m2p->nr - 1);
        return -ERANGE;
    }
    if (leaves <= LEAVES_PER_TABLE * PTES_PER_TABLE)
        return 0;
    COMPLAIN(" tree", "max_pfn is 0x%lx, expected at most 0x%lx, the entries of a P2M tree\n",
             rb->shared->max_pfn, TREE_MAX_PFNS);
    return -ERANGE;
}

int readback_tree(const struct readback *rb, readback_visit_t visit, void *context,
                  struct readback_result *result)
{
    uint64_t leaves = DIV_ROUND_UP(rb->shared->max_pfn, P2M_PER_PAGE);
    struct position p = {.table = INVALID_MFN};
    mfn_t top;
    int rc = check_tree(rb, leaves, &top);

    while (!rc && p.leaf < leaves) {
        uint64_t index = p.leaf % LEAVES_PER_TABLE;
        mfn_t mid, mfn;

        rc = tree_entry(rb, top, 2, p.leaf / LEAVES_PER_TABLE, &mid);
        if (!rc && repeats(&p, mid, index)) {
            p.leaf = min_u64(p.leaf + LEAVES_PER_TABLE, leaves);
            continue;
        }
        if (!rc)
            rc = tree_entry(rb, mid, 1, index, &mfn);
        if (!rc)
            rc = check_leaf(rb, p.leaf, mfn);
        if (rc)
            return rc;
        p.table = mid;
        visit(context, p.leaf++, mfn);
    }
    *result = (struct readback_result){.nr_leaves = p.leaf, .nr_pfns = rb->shared->max_pfn};
    return rc;
}
