/* SPDX-License-Identifier: MIT */
/*
 * Without these the tools could fail, or lose memory, where nobody in the guest would notice. What
 * is published is read as they read it (mm/readback.h), by machine frames from shared_info on, and
 * compared with the list the kernel itself uses, entry by entry.
 */
#include "lib/errno.h"

#include "mm/readback.h"

#include "kernel/selftest/test.h"

struct comparison {
    struct test *t;
    struct sweep sweep;       /* of leaves: those whose contents are compared */
    uint64_t next, nr_leaves; /* the next one of them; all that came by       */
};

/* The page that a tool would map for @leaf, against our own view of the list. */
static void compare_leaf(void *context, uint64_t leaf, mfn_t mfn)
{
    struct comparison *c = context;
    struct domain *d = c->t->d;
    const uint64_t *page;

    c->nr_leaves++;
    if (leaf < c->next)
        return;
    c->next = sweep_next(&c->sweep, leaf + 1);
    page = fixmap_map(&d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);
    if (!page) {
        test_fail(c->t, "leaf %lu is frame 0x%lx, which cannot be mapped", leaf, mfn.v);
        return;
    }
    for (uint64_t i = 0; i < P2M_PER_PAGE; i++)
        if (page[i] != d->p2m.list[leaf * P2M_PER_PAGE + i])
            test_fail(c->t, "entry 0x%lx is published as 0x%lx, the list has 0x%lx",
                      leaf * P2M_PER_PAGE + i, page[i], d->p2m.list[leaf * P2M_PER_PAGE + i]);
}

static struct readback readback_of(struct domain *d)
{
    return (struct readback){
        .pt = &d->pt, .p2m = &d->p2m, .m2p = &d->host.m2p, .shared = &d->shared->arch};
}

static void compare_start(struct comparison *c, struct test *t)
{
    *c = (struct comparison){.t = t};
    test_sweep(t, &c->sweep, t->d->p2m.nr / P2M_PER_PAGE, P2M_PAGE_SHIFT, "pages of the list");
    c->next = sweep_next(&c->sweep, 0);
}

/* The last PFN that has a frame, and one more. */
static uint64_t frames_end(const struct p2m *p2m)
{
    uint64_t end = p2m->nr;

    while (end && mfn_eq(p2m_get_ram(p2m, to_pfn(end - 1)), INVALID_MFN))
        end--;
    return end;
}

static void check_complete(struct test *t, const struct comparison *c, int rc)
{
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
    CHECK(rc == 0, "a tool would give up: %d", rc);
    CHECK(c->nr_leaves == t->d->p2m.nr / P2M_PER_PAGE, "a tool sees %lu pages of the list of %lu",
          c->nr_leaves, t->d->p2m.nr / P2M_PER_PAGE);
}

TEST(published_list, "the published list, read as Xen's tools read it, is the list")
{
    struct readback rb = readback_of(t->d);
    struct comparison c;
    uint64_t nr_pfns = 0;
    int rc;

    compare_start(&c, t);
    rc = readback_list(&rb, compare_leaf, &c, &nr_pfns);
    if (t->d->options.form == PUBLISH_TREE) {
        CHECK(rc == -ENOENT, "p2m=tree, and yet a list is published");
        test_skip(t, "p2m=tree: no list was asked for");
        return;
    }
    check_complete(t, &c, rc);
    CHECK(nr_pfns >= frames_end(&t->d->p2m),
          "a tool trims the list to 0x%lx PFNs, frames reach 0x%lx", nr_pfns,
          frames_end(&t->d->p2m));
}

TEST(published_tree, "the published tree leads to the same pages as the list")
{
    struct readback rb = readback_of(t->d);
    struct comparison c;
    int rc;

    compare_start(&c, t);
    rc = readback_tree(&rb, compare_leaf, &c);
    if (t->d->options.form == PUBLISH_LIST || t->d->p2m.nr > TREE_MAX_PFNS) {
        CHECK(rb.shared->pfn_to_mfn_frame_list_list == INVALID_ENTRY,
              "without a tree its root is 0x%lx, expected ~0",
              rb.shared->pfn_to_mfn_frame_list_list);
        test_skip(t, t->d->options.form == PUBLISH_LIST ? "p2m=list: no tree was asked for"
                                                        : "a tree reaches 512 GiB, no further");
        return;
    }
    check_complete(t, &c, rc);
}

TEST(published_fields, "shared_info says a list of whole pages at rest")
{
    const struct arch_shared_info *a = &t->d->shared->arch;

    CHECK(a->p2m_generation % 2 == 0, "p2m_generation is %lu, expected an even number",
          a->p2m_generation);
    CHECK(a->max_pfn == t->d->p2m.nr && a->max_pfn % P2M_PER_PAGE == 0,
          "max_pfn is 0x%lx, expected the list's 0x%lx entries", a->max_pfn, t->d->p2m.nr);
    CHECK(a->p2m_vaddr == (uintptr_t)t->d->p2m.list, "p2m_vaddr is 0x%lx, expected 0x%lx",
          a->p2m_vaddr, (uintptr_t)t->d->p2m.list);
    CHECK(a->p2m_vaddr % level_bytes(3) == 0,
          "p2m_vaddr is 0x%lx: the tools drop the last GiB of a list not aligned to 1 GiB",
          a->p2m_vaddr);
}
