/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a save, a live migration or a dump could fail or lose memory, and nothing in
 * the guest would notice. The published P2M is read as Xen's tools read it (mm/readback.h, after
 * xg_sr_save_x86_pv.c): from shared_info on, by MFN. Each entry is compared with the P2M list that
 * the kernel itself uses. The fields are those of struct arch_shared_info in
 * <xen/arch-x86/xen.h>.
 */
#include "lib/errno.h"

#include "mm/readback.h"

#include "kernel/selftest/test.h"

struct comparison {
    struct test *t;
    struct sweep sweep; /* of leaves: those whose entries are compared */
    uint64_t next;      /* the next leaf of the sweep */
};

/* A readback_visit_t: @mfn is the page that a tool would map for @leaf. */
static void compare_leaf(void *context, uint64_t leaf, mfn_t mfn)
{
    struct comparison *c = context;
    struct domain *d = c->t->d;
    const uint64_t *page;

    if (leaf < c->next)
        return;
    c->next = sweep_next(&c->sweep, leaf + 1);
    page = fixmap_map(&d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);
    if (!page) {
        test_fail(c->t,
                  "P2M page %lu that arch_shared_info publishes (MFN 0x%lx) cannot be mapped, "
                  "expected a frame of this domain",
                  leaf, mfn.v);
        return;
    }
    for (uint64_t i = 0; i < P2M_PER_PAGE; i++) {
        uint64_t pfn = leaf * P2M_PER_PAGE + i;

        if (page[i] != d->p2m.list[pfn])
            test_fail(c->t,
                      "P2M entry of PFN 0x%lx that arch_shared_info publishes (P2M page %lu, MFN "
                      "0x%lx) is 0x%lx, expected 0x%lx as in the kernel's P2M list",
                      pfn, leaf, mfn.v, page[i], d->p2m.list[pfn]);
    }
}

static struct readback readback_of(struct domain *d)
{
    return (struct readback){
        .pt = &d->pt, .p2m = &d->p2m, .m2p = &d->host.m2p, .shared = &d->shared->arch};
}

static void compare_start(struct comparison *c, struct test *t)
{
    *c = (struct comparison){.t = t};
    test_sweep(t, &c->sweep, t->d->p2m.nr / P2M_PER_PAGE, P2M_PAGE_SHIFT, "pages of the P2M list");
    c->next = sweep_next(&c->sweep, 0);
}

/*
 * The end of the PFNs with a frame: RAM PFNs that are not in the balloon's set of PFNs without one.
 * No P2M entry is read: the gap below RAM at 2^46 has 2^34 of them.
 */
static uint64_t end_of_frames(const struct domain *d)
{
    const struct ranges *map = &d->p2m.ranges;
    const struct pfn_runs *empty = &d->balloon.empty;
    size_t run = empty->nr_runs;

    for (size_t i = map->nr; i-- > 0;) {
        uint64_t start = map->r[i].start, end = min_u64(map->r[i].end, d->p2m.nr);

        if (map->r[i].kind != RANGE_RAM || start >= end)
            continue;
        while (run && empty->runs[run - 1].start >= end)
            run--;
        if (run && empty->runs[run - 1].end >= end) /* no run touches the next one */
            end = max_u64(empty->runs[run - 1].start, start);
        if (start < end)
            return end;
    }
    return 0;
}

static void check_complete(struct test *t, int rc, const struct readback_result *read,
                           const char *form)
{
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
    CHECK_RC(rc, 0, "reading the P2M %s that arch_shared_info publishes", form);
    CHECK_EQ(read->nr_leaves, t->d->p2m.nr / P2M_PER_PAGE,
             "number of pages of entries in the P2M %s that arch_shared_info publishes", form);
}

TEST(published_list,
     "P2M list (arch_shared_info.p2m_cr3), read as Xen's tools do, equals the kernel's P2M list")
{
    struct readback rb = readback_of(t->d);
    struct readback_result read = {0};
    struct comparison c;
    uint64_t end;
    int rc;

    compare_start(&c, t);
    rc = readback_list(&rb, compare_leaf, &c, &read);
    if (t->d->options.form == PUBLISH_TREE) {
        CHECK_RC(rc, -ENOENT, "reading the P2M list (p2m_cr3), which p2m=tree must not publish");
        test_skip(t, "p2m=tree: no P2M list is published");
        return;
    }
    check_complete(t, rc, &read, "list (p2m_cr3)");
    end = end_of_frames(t->d);
    CHECK(read.nr_pfns >= end,
          "P2M list that arch_shared_info publishes has 0x%lx PFNs, read as Xen's tools do, "
          "expected 0x%lx (end of the PFNs with a frame) or more",
          read.nr_pfns, end);
}

TEST(published_tree,
     "P2M tree (pfn_to_mfn_frame_list_list), read as Xen's tools do, equals the kernel's P2M list")
{
    struct readback rb = readback_of(t->d);
    struct readback_result read = {0};
    struct comparison c;
    int rc;

    compare_start(&c, t);
    rc = readback_tree(&rb, compare_leaf, &c, &read);
    if (t->d->options.form == PUBLISH_LIST || t->d->p2m.nr > TREE_MAX_PFNS) {
        CHECK_EQ(rb.shared->pfn_to_mfn_frame_list_list, INVALID_ENTRY,
                 "arch_shared_info.pfn_to_mfn_frame_list_list (~0: no P2M tree)");
        test_skip(t, t->d->options.form == PUBLISH_LIST
                         ? "p2m=list: no P2M tree is published"
                         : "a P2M tree reaches 512 GiB, this domain's P2M list is longer");
        return;
    }
    check_complete(t, rc, &read, "tree (pfn_to_mfn_frame_list_list)");
}

TEST(published_fields,
     "arch_shared_info.max_pfn and .p2m_vaddr are the size and address of the kernel's P2M list")
{
    const struct arch_shared_info *a = &t->d->shared->arch;

    CHECK_EQ(a->max_pfn, t->d->p2m.nr, "arch_shared_info.max_pfn");
    CHECK_EQ(a->max_pfn % P2M_PER_PAGE, 0, "arch_shared_info.max_pfn modulo 512");
    CHECK_EQ(a->p2m_vaddr, (uintptr_t)t->d->p2m.list, "arch_shared_info.p2m_vaddr");
    /* The tools would leave out the last GiB of a list that begins elsewhere. */
    CHECK_EQ(a->p2m_vaddr % level_bytes(3), 0, "arch_shared_info.p2m_vaddr modulo 1 GiB");
}

TEST(published_generation,
     "arch_shared_info.p2m_generation is even while the P2M list is not being changed")
{
    uint64_t generation = t->d->shared->arch.p2m_generation;

    CHECK(generation % 2 == 0, "arch_shared_info.p2m_generation is %lu, expected an even number",
          generation);
}
