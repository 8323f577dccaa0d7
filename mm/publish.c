/* SPDX-License-Identifier: MIT */
#include "mm/publish.h"

#include "lib/errno.h"

#include "arch/x86/cpu.h"

#define LEAVES_PER_MID (PAGE_SIZE / sizeof(uint64_t))

/* The level 1 table that maps the leaves from @leaf on. It maps as many as one mid page lists. */
static mfn_t l1_of(struct pagetable *pt, const struct p2m *p2m, uint64_t leaf)
{
    return pt_walk(pt, (uintptr_t)p2m->list + leaf * PAGE_SIZE).table;
}

static void fill_mid(uint64_t *mid, struct pagetable *pt, mfn_t l1)
{
    const volatile uint64_t *table = pt_show(pt, l1, 1);

    for (unsigned int i = 0; i < LEAVES_PER_MID; i++) {
        uint64_t pte = table[i];

        mid[i] = pte_present(pte) ? pte_mfn(pte).v : INVALID_ENTRY;
    }
}

/*
 * The list starts where a level 1 table starts, so a mid page lists the leaves of one level 1
 * table. A shared level 1 table gives a shared mid page.
 */
static uint64_t count_mids(struct pagetable *pt, const struct p2m *p2m)
{
    uint64_t n = 0, leaves = p2m->nr / P2M_PER_PAGE;
    mfn_t last = INVALID_MFN;

    for (uint64_t leaf = 0; leaf < leaves; leaf += LEAVES_PER_MID) {
        mfn_t l1 = l1_of(pt, p2m, leaf);

        n += !mfn_eq(l1, last);
        last = l1;
    }
    return n;
}

static void free_tree(struct publication *pub, struct heap *heap)
{
    heap_free(heap, pub->top, PAGE_SIZE);
    heap_free(heap, pub->mids, pub->nr_mids * PAGE_SIZE);
    *pub = (struct publication){0};
}

int publish_build_tree(struct publication *pub, struct pagetable *pt, struct heap *heap,
                       const struct p2m *p2m)
{
    *pub = (struct publication){0};
    if (p2m->nr > TREE_MAX_PFNS)
        return -ERANGE;
    pub->nr_mids = count_mids(pt, p2m);
    pub->mids = heap_alloc(heap, pub->nr_mids * PAGE_SIZE);
    pub->top = heap_alloc(heap, PAGE_SIZE);
    if (!pub->top || !pub->mids) {
        free_tree(pub, heap);
        return -ENOMEM;
    }

    publish_fill_tree(pub, pt, p2m);
    return 0;
}

void publish_fill_tree(struct publication *pub, struct pagetable *pt, const struct p2m *p2m)
{
    uint64_t leaves = p2m->nr / P2M_PER_PAGE, *mid = pub->mids;
    mfn_t last = INVALID_MFN, mid_mfn = INVALID_MFN;

    for (uint64_t leaf = 0; leaf < leaves; leaf += LEAVES_PER_MID) {
        mfn_t l1 = l1_of(pt, p2m, leaf);

        if (!mfn_eq(l1, last)) {
            fill_mid(mid, pt, l1);
            mid_mfn = pt_mfn(pt, (uintptr_t)mid);
            mid += LEAVES_PER_MID;
            last = l1;
        }
        pub->top[leaf / LEAVES_PER_MID] = mid_mfn.v;
    }
    pub->top_mfn = pt_mfn(pt, (uintptr_t)pub->top);
}

/* One store, which the compiler neither splits nor moves. */
#define PUBLISH(field, value) (*(volatile __typeof__(field) *)&(field) = (value), store_barrier())

int publish(struct arch_shared_info *shared, const struct publication *pub,
            const struct pagetable *pt, const struct p2m *p2m, enum publish_form form)
{
    bool tree = pub->top && form != PUBLISH_LIST;

    if (!tree && form == PUBLISH_TREE)
        return -EINVAL;
    store_barrier(); /* The list and the tree are complete before a field points to them. */
    PUBLISH(shared->p2m_vaddr, (uintptr_t)p2m->list);
    PUBLISH(shared->p2m_generation, 0);
    PUBLISH(shared->pfn_to_mfn_frame_list_list, tree ? pub->top_mfn.v : INVALID_ENTRY);
    PUBLISH(shared->p2m_cr3, form == PUBLISH_TREE ? 0 : mfn_to_maddr(pt->root));
    PUBLISH(shared->max_pfn, p2m->nr);
    return 0;
}

void publish_revoke(struct arch_shared_info *shared)
{
    PUBLISH(shared->p2m_cr3, 0);
}

uint64_t publish_bump_generation(struct arch_shared_info *shared)
{
    uint64_t generation = shared->p2m_generation;

    PUBLISH(shared->p2m_generation, generation + 1);
    PUBLISH(shared->p2m_generation, generation + 2);
    return generation + 2;
}
