/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a backend could lose a mapping, or keep one that it does not know of. In a
 * batch of which some references fail, each reference must have its own status, and a failed one
 * must leave neither a PTE nor a handle. Linux got just that wrong (XSA-361, "Linux: grant mapping
 * error handling issues": "don't bail early from clear_foreign_p2m_mapping()", "also check kernel
 * mapping in set_foreign_p2m_mapping()").
 *
 * A PTE that holds a grant may be removed by GNTTABOP_unmap_grant_ref only (<xen/grant_table.h>); a
 * debug build of Xen kills a domain that overwrites one.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

TEST(grant_shim, "in the PV shim, grant_map maps nothing: it returns -EOPNOTSUPP")
{
    struct foreign_room fr;
    struct foreign_range *r;
    uint64_t *page;
    uint32_t ref;

    if (!boot_info_is_shim(&t->d->boot)) {
        test_skip(t, "this domain does not run in the PV shim");
        return;
    }
    if (!foreign_room_open_to_grant(&fr, t, 16))
        return;
    page = room_alloc(&fr.room, 1);
    r = foreign_room_range(&fr, FOREIGN_GRANT, fr.self, 1);
    ref = foreign_room_grant(&fr, page, false);
    foreign_room_map_fails(&fr, r, 0, ref, -EOPNOTSUPP);
    foreign_room_check_empty(&fr, r, 0);
    foreign_room_end_grant(&fr, ref);
    foreign_room_drop(&fr, r);
    room_free(&fr.room, page, 1);
    foreign_room_close(&fr);
}

/* Page 0 of the range maps the granted page, read-write. */
static void check_same_page(struct self_grant *g)
{
    struct test *t = g->fr.room.t;

    foreign_room_check_pte(&g->fr, g->r, 0, pt_mfn(&g->fr.room.pt, (uintptr_t)g->page), PTE_NX, 0);
    foreign_room_check_word(&g->fr, g->r, 0, 7, GRANTER_WORD);
    foreign_room_page(g->r, 0)[511] = GRANTEE_WORD;
    CHECK_EQ(g->page[511], GRANTEE_WORD,
             "after a write by the grant mapping at 0x%lx: word 511 of the granted page",
             foreign_va(g->r, 0));
}

TEST(grant_self,
     "a page granted to this domain itself and the mapping of that grant are the same memory")
{
    struct self_grant g;

    if (!self_grant_open(&g, t, 1))
        return;
    g.page[7] = GRANTER_WORD;
    if (foreign_room_map(&g.fr, g.r, 0, g.ref, false))
        check_same_page(&g);
    self_grant_close(&g);
}

TEST(grant_map_free,
     "grant_map returns -EEXIST for an address in use, -ERANGE for one past the reserved range")
{
    struct self_grant g;

    if (!self_grant_open(&g, t, 1))
        return;
    (void)foreign_room_map(&g.fr, g.r, 0, g.ref, false);
    foreign_room_map_fails(&g.fr, g.r, 0, g.ref, -EEXIST);
    foreign_room_map_fails(&g.fr, g.r, 1, g.ref, -ERANGE);
    self_grant_close(&g);
}

TEST(grant_guards, "a foreign range with a mapped grant has an unmapped guard page on each side")
{
    struct self_grant g;

    if (!self_grant_open(&g, t, 1))
        return;
    (void)foreign_room_map(&g.fr, g.r, 0, g.ref, false);
    foreign_room_check_fault(&g.fr, foreign_room_page(g.r, 0) - 1,
                             "the guard page below a mapped grant");
    foreign_room_check_fault(&g.fr, foreign_room_page(g.r, 1),
                             "the guard page above a mapped grant");
    self_grant_close(&g);
}

static void check_in_use(struct self_grant *g, bool expected)
{
    struct test *t = g->fr.room.t;

    CHECK_EQ(grant_in_use(&t->d->grants, g->ref), expected,
             "grant_in_use (1: Xen has set GTF_reading or GTF_writing) of reference %u, %s,",
             g->ref, expected ? "mapped" : "unmapped");
}

TEST(grant_unmap,
     "grant_unmap removes a grant mapping completely: PTE, handle, GTF_reading and GTF_writing")
{
    struct grant_map_counts before;
    struct self_grant g;

    if (!self_grant_open(&g, t, 1))
        return;
    before = grant_map_counts;
    if (foreign_room_map(&g.fr, g.r, 0, g.ref, false))
        check_in_use(&g, true);
    foreign_room_unmap(&g.fr, g.r, 0, 1);
    foreign_room_check_empty(&g.fr, g.r, 0);
    foreign_room_check_fault(&g.fr, foreign_room_page(g.r, 0), "a page after grant_unmap,");
    check_in_use(&g, false);
    foreign_room_unmap(&g.fr, g.r, 0, 1); /* nothing is mapped: no error */
    CHECK(
        grant_map_counts.nr_mapped == before.nr_mapped + 1 &&
            grant_map_counts.nr_unmapped == before.nr_unmapped + 1,
        "grant_map_counts of self-test grant_unmap: %lu pages mapped, %lu unmapped, expected 1, 1",
        grant_map_counts.nr_mapped - before.nr_mapped,
        grant_map_counts.nr_unmapped - before.nr_unmapped);
    self_grant_close(&g);
}

/* Read-only because the grantee asks for it, and because the grant is. */
TEST(grant_readonly, "a write to a page that grant_map mapped read-only causes a page fault")
{
    struct self_grant g;
    int16_t status[2];
    uint32_t refs[2];
    int rc;

    if (!self_grant_open(&g, t, 2))
        return;
    g.page[0] = GRANTER_WORD;
    refs[0] = g.ref;
    refs[1] = foreign_room_grant(&g.fr, g.page, true);
    rc = grant_map(g.r, 0, refs, status, 2, true);
    CHECK_RC(rc, 0, "grant_map of references %u and %u, read-only (Xen's statuses: %s, %s)",
             refs[0], refs[1], grant_status_name(status[0]), grant_status_name(status[1]));
    for (unsigned int i = 0; i < 2 && foreign_is_mapped(g.r, i); i++) {
        foreign_room_check_pte(&g.fr, g.r, i, pt_mfn(&g.fr.room.pt, (uintptr_t)g.page), 0, PTE_W);
        foreign_room_check_word(&g.fr, g.r, i, 0, GRANTER_WORD);
        CHECK_RC(probe_write(foreign_room_page(g.r, i), GRANTEE_WORD), -EFAULT,
                 "write to a read-only grant mapping at 0x%lx", foreign_va(g.r, i));
    }
    CHECK_EQ(g.page[0], GRANTER_WORD,
             "word 0 of the granted page after attempts to write to its read-only mappings");
    foreign_room_unmap(&g.fr, g.r, 0, 2);
    foreign_room_end_grant(&g.fr, refs[1]);
    self_grant_close(&g);
}

/*
 * References of a batch, and the status of each in Xen's common/grant_table.c. (grant_ended tries a
 * reference that is not in use.)
 */
enum { GOOD, PAST_TABLE, OTHER_DOMAIN, READONLY, GOOD_TOO, NR_BATCH };

static const struct {
    const char *what;
    int16_t status;
} batch[NR_BATCH] = {
    [GOOD] = {"valid",                        GNTST_okay         },
    [PAST_TABLE] = {"past the grant table",         GNTST_bad_gntref   },
    [OTHER_DOMAIN] = {"granted to another domain",    GNTST_general_error},
    [READONLY] = {"read-only, mapped read-write", GNTST_general_error},
    [GOOD_TOO] = {"valid",                        GNTST_okay         },
};

static void check_batch(struct self_grant *g, const int16_t *status)
{
    struct test *t = g->fr.room.t;

    for (unsigned int i = 0; i < NR_BATCH; i++) {
        CHECK_GNTST(status[i], batch[i].status,
                    "grant_map of 5 references: reference at index %u (%s)", i, batch[i].what);
        if (batch[i].status != GNTST_okay)
            foreign_room_check_empty(&g->fr, g->r, i);
        else if (foreign_is_mapped(g->r, i))
            foreign_room_check_word(&g->fr, g->r, i, 0, g->page[0]);
    }
    CHECK_EQ(g->r->nr_mapped, 2,
             "number of pages mapped by grant_map of 5 references, 2 of them valid,");
}

TEST(grant_batch, "grant_map of several references maps exactly the valid ones (XSA-361)")
{
    struct grants *grants = &t->d->grants;
    uint32_t refs[NR_BATCH], other;
    int16_t status[NR_BATCH];
    struct self_grant g;

    if (!self_grant_open(&g, t, NR_BATCH))
        return;
    g.page[0] = GRANTER_WORD;
    refs[GOOD] = g.ref;
    for (unsigned int i = GOOD + 1; i < NR_BATCH; i++)
        refs[i] = foreign_room_grant(&g.fr, g.page, i == READONLY);
    foreign_room_end_grant(&g.fr, refs[OTHER_DOMAIN]);
    CHECK_RC(grant_access(grants, NO_DOMAIN, foreign_room_pfn(&g.fr, g.page), false, &other), 0,
             "grant_access to domain %u", NO_DOMAIN);
    foreign_room_end_grant(&g.fr, refs[PAST_TABLE]);
    refs[OTHER_DOMAIN] = other;
    refs[PAST_TABLE] = grants->max_frames * (uint32_t)(PAGE_SIZE / sizeof(grant_entry_v1_t));

    CHECK_RC(grant_map(g.r, 0, refs, status, NR_BATCH, false), -EIO,
             "grant_map of 5 references, 3 of them bad");
    check_batch(&g, status);
    foreign_room_unmap(&g.fr, g.r, 0, NR_BATCH);
    for (unsigned int i = 0; i < NR_BATCH; i++)
        foreign_room_check_empty(&g.fr, g.r, i);

    foreign_room_end_grant(&g.fr, refs[GOOD_TOO]);
    foreign_room_end_grant(&g.fr, refs[READONLY]);
    foreign_room_end_grant(&g.fr, other);
    self_grant_close(&g);
}

TEST(grant_bad_domain, "grant_map of a grant of a nonexistent domain fails with GNTST_bad_domain")
{
    struct foreign_range *r;
    struct self_grant g;
    int16_t status;
    int rc;

    if (!self_grant_open(&g, t, 1))
        return;
    r = foreign_room_range(&g.fr, FOREIGN_GRANT, NO_DOMAIN, 1);
    rc = grant_map(r, 0, &g.ref, &status, 1, false);
    CHECK(rc == -EIO && status == GNTST_bad_domain,
          "grant_map of reference %u of domain %u: result is %d (%s), status %s, expected -5 "
          "(EIO), status GNTST_bad_domain",
          g.ref, NO_DOMAIN, rc, errno_name(rc), grant_status_name(status));
    foreign_room_check_empty(&g.fr, r, 0);
    foreign_room_drop(&g.fr, r);
    self_grant_close(&g);
}
