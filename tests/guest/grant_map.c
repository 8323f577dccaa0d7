/* SPDX-License-Identifier: MIT */
/*
 * Without these a backend could lose a mapping, or keep one that it does not know of: of a batch of
 * which some fail, each must have its own result, and those that failed neither an entry nor a
 * handle. The XSA-361 family (Linux, 2021: "don't bail early from clear_foreign_p2m_mapping()",
 * "also check kernel mapping in set_foreign_p2m_mapping()") was about just that: errors in the
 * middle of a batch. And an entry that holds a grant must go by GNTTABOP_unmap_grant_ref only
 * (<xen/grant_table.h>); a Xen with its assertions on kills who overwrites one.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#include <xen/errno.h>

#define LENT    0x6c656e74
#define WRITTEN 0x77726974

/* The PV shim gives its guest a table to grant from, and no way to map: an error, and no page. */
TEST(grant_shim, "in the PV shim mapping a grant is an error that leaves nothing behind")
{
    struct foreign_room s;
    struct foreign_range *r;
    int16_t status;
    uint64_t *page;
    uint32_t ref;

    if (!boot_info_is_shim(&t->d->boot)) {
        test_skip(t, "this domain is not in the PV shim");
        return;
    }
    if (!share_open(&s, t, 16))
        return;
    page = room_alloc(&s.room, 1);
    r = share_range(&s, FOREIGN_GRANT, s.self, 1);
    ref = share_grant(&s, page, false);
    CHECK_RC(grant_map(r, 0, &ref, &status, 1, false), -XEN_EOPNOTSUPP, "mapping reference %u",
             ref);
    CHECK(status != GNTST_okay, "a page is told to be mapped");
    share_check_empty(&s, r, 0);
    share_end(&s, ref);
    share_drop(&s, r);
    room_free(&s.room, page, 1);
    share_close(&s);
}

TEST(grant_self, "a page granted to ourselves is one page at two addresses, until it is unmapped")
{
    struct grant_map_counts before = grant_map_counts;
    struct foreign_room s;
    struct foreign_range *r;
    uint64_t *page, pte, value;
    int16_t status;
    uint32_t ref;
    int rc;

    if (!share_open_maps(&s, t, 16))
        return;
    page = room_alloc(&s.room, 1);
    r = share_range(&s, FOREIGN_GRANT, s.self, 1);
    page[7] = LENT;
    ref = share_grant(&s, page, false);
    rc = grant_map(r, 0, &ref, &status, 1, false);
    CHECK(!rc, "reference %u cannot be mapped: %d, %s", ref, rc, grant_status_name(status));
    if (!rc) {
        pte = share_pte(&s, r, 0);
        CHECK(mfn_eq(pte_mfn(pte), pt_mfn(&s.room.pt, (uintptr_t)page)),
              "the entry is %016lx, of another frame than the page's", pte);
        CHECK(pte & PTE_NX, "a granted page can be run: its entry is %016lx", pte);
        CHECK(share_page(r, 0)[7] == LENT, "the page reads 0x%lx", share_page(r, 0)[7]);
        share_page(r, 0)[511] = WRITTEN;
        CHECK(page[511] == WRITTEN, "what was written there is 0x%lx here", page[511]);
        CHECK(grant_in_use(&t->d->grants, ref), "a grant that is mapped is not in use");
    }
    CHECK(grant_map(r, 0, &ref, &status, 1, false) == -EEXIST, "it can be mapped twice there");
    CHECK(probe_read(share_page(r, 0) - 1, &value) && probe_read(share_page(r, 1), &value),
          "a guard beside the page can be read");
    CHECK(!grant_unmap(r, 0, 1), "it cannot be unmapped");
    share_check_empty(&s, r, 0);
    CHECK(probe_read(share_page(r, 0), &value), "the page can be read after its end");
    CHECK(!grant_in_use(&t->d->grants, ref), "a grant that nobody maps is in use");
    CHECK(!grant_unmap(r, 0, 1), "to unmap nothing is an error");
    CHECK(grant_map_counts.nr_mapped - before.nr_mapped == 1 &&
              grant_map_counts.nr_unmapped - before.nr_unmapped == 1,
          "one page was mapped, the counts say %lu, and %lu unmapped",
          grant_map_counts.nr_mapped - before.nr_mapped,
          grant_map_counts.nr_unmapped - before.nr_unmapped);
    share_end(&s, ref);
    share_drop(&s, r);
    room_free(&s.room, page, 1);
    share_close(&s);
}

TEST(grant_readonly, "a page that is mapped for reading cannot be written there")
{
    struct foreign_room s;
    struct foreign_range *r;
    uint64_t *page, pte;
    int16_t status[2];
    uint32_t refs[2];

    if (!share_open_maps(&s, t, 16))
        return;
    page = room_alloc(&s.room, 1);
    r = share_range(&s, FOREIGN_GRANT, s.self, 2);
    page[0] = LENT;
    refs[0] = share_grant(&s, page, false); /* by our own wish */
    refs[1] = share_grant(&s, page, true);  /* by its owner's  */
    CHECK(!grant_map(r, 0, refs, status, 2, true), "two pages cannot be mapped for reading");
    for (unsigned int i = 0; i < 2 && foreign_is_mapped(r, i); i++) {
        pte = share_pte(&s, r, i);
        CHECK(!(pte & PTE_W), "page %u, for reading, has entry %016lx", i, pte);
        CHECK(share_page(r, i)[0] == LENT, "page %u reads 0x%lx", i, share_page(r, i)[0]);
        CHECK(probe_write(share_page(r, i), WRITTEN) == -EFAULT, "page %u can be written", i);
    }
    CHECK(page[0] == LENT, "the page was changed to 0x%lx", page[0]);
    CHECK(!grant_unmap(r, 0, 2), "they cannot be unmapped");
    share_end(&s, refs[0]);
    share_end(&s, refs[1]);
    share_drop(&s, r);
    room_free(&s.room, page, 1);
    share_close(&s);
}

/* A batch, and what is to become of each. The results are Xen's, as _set_status() has them. */
enum { GOOD, FREE, PAST, OTHERS, READONLY, GOOD_TOO, NR_BATCH };

static const struct {
    const char *what;
    int16_t status;
} batch[NR_BATCH] = {
    [GOOD] = {"a page of ours",                GNTST_okay         },
    [FREE] = {"a reference that is not given", GNTST_general_error},
    [PAST] = {"one past the table",            GNTST_bad_gntref   },
    [OTHERS] = {"one for another domain",        GNTST_general_error},
    [READONLY] = {"a read-only one, for writing",  GNTST_general_error},
    [GOOD_TOO] = {"a page behind all those",       GNTST_okay         },
};

static void check_batch(struct foreign_room *s, struct foreign_range *r, const int16_t *status,
                        const uint64_t *page)
{
    struct test *t = s->room.t;

    for (unsigned int i = 0; i < NR_BATCH; i++) {
        CHECK(status[i] == batch[i].status, "%s: Xen says %d (%s), expected %d", batch[i].what,
              status[i], grant_status_name(status[i]), batch[i].status);
        if (batch[i].status != GNTST_okay)
            share_check_empty(s, r, i);
        else if (foreign_is_mapped(r, i))
            CHECK(share_page(r, i)[0] == page[0], "%s reads 0x%lx", batch[i].what,
                  share_page(r, i)[0]);
    }
    CHECK(r->nr_mapped == 2, "%lu pages are mapped, expected 2", r->nr_mapped);
}

TEST(grant_batch, "in a batch each grant has its result, and what failed leaves nothing behind")
{
    struct grants *g = &t->d->grants;
    uint32_t refs[NR_BATCH], other;
    int16_t status[NR_BATCH];
    struct foreign_range *r, *nobodys;
    struct foreign_room s;
    uint64_t *page;

    if (!share_open_maps(&s, t, 24))
        return;
    page = room_alloc(&s.room, 1);
    page[0] = LENT;
    r = share_range(&s, FOREIGN_GRANT, s.self, NR_BATCH);
    nobodys = share_range(&s, FOREIGN_GRANT, NO_DOMAIN, 1);
    for (unsigned int i = 0; i < NR_BATCH; i++)
        refs[i] = share_grant(&s, page, i == READONLY);
    share_end(&s, refs[FREE]);
    share_end(&s, refs[OTHERS]);
    CHECK(!grant_access(g, NO_DOMAIN, share_pfn(&s, page), false, &other), "no grant to others");
    share_end(&s, refs[PAST]); /* last, so that it was not given to the others */
    refs[FREE] = refs[PAST];
    refs[OTHERS] = other;
    refs[PAST] = g->max_frames * (uint32_t)(PAGE_SIZE / sizeof(grant_entry_v1_t));

    CHECK(grant_map(r, 0, refs, status, NR_BATCH, false) == -EIO, "no failure is told");
    check_batch(&s, r, status, page);
    CHECK(grant_map(r, NR_BATCH, refs, status, 1, false) == -ERANGE, "a page past the range");
    CHECK(status[0] != GNTST_okay, "which is told to be mapped");
    CHECK(grant_map(nobodys, 0, &refs[GOOD], status, 1, false) == -EIO &&
              status[0] == GNTST_bad_domain,
          "a domain that is not there: %s", grant_status_name(status[0]));
    share_check_empty(&s, nobodys, 0);
    CHECK(!grant_unmap(r, 0, NR_BATCH), "with gaps between they cannot be unmapped");
    for (unsigned int i = 0; i < NR_BATCH; i++)
        share_check_empty(&s, r, i);

    share_end(&s, refs[GOOD]);
    share_end(&s, refs[GOOD_TOO]);
    share_end(&s, refs[READONLY]);
    share_end(&s, other);
    share_drop(&s, nobodys);
    share_drop(&s, r);
    room_free(&s.room, page, 1);
    share_close(&s);
}
