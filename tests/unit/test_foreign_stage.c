/* SPDX-License-Identifier: MIT */
/*
 * Foreign mappings and grant mappings across suspend and resume. Without this test a mapping of
 * another domain's page could survive a migration, where the same MFN belongs to some other owner;
 * or a refused suspend could leave the guest without its mappings.
 */
#include "kernel/boot/foreign.h"

#include "lib/errno.h"

#include "xen/grant_map.h"

#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_grants.h"
#include "tests/unit/fake_tools.h"
#include "tests/unit/harness.h"
#include "tests/unit/live_guest.h"

#include <string.h>

#define NR_PAGES 600

/* A range of pages that the peer granted, with unpopulated PFNs. */
static struct mapped {
    struct foreign_range *range;
    struct foreign_owner owner;
    uint32_t refs[NR_PAGES];
    int16_t status[NR_PAGES];
    uint64_t pfn;
    bool gives_pfns, is_new_domain;
    int nr_unmaps, nr_remaps;
} b;

static int unmap_granted(struct foreign_range *range, void *context)
{
    check_true("unmap is called for the owner's range and context",
               range == b.range && context == &b);
    b.nr_unmaps++;
    if (b.gives_pfns)
        check_equal("unpopulated_free in the unmap call",
                    unpopulated_free(&live.unpopulated, b.pfn), 0);
    return grant_unmap(range, 0, range->nr);
}

static int remap_granted(struct foreign_range *range, void *context, bool new_domain)
{
    check_true("remap is called for the owner's range and context",
               range == b.range && context == &b);
    b.nr_remaps++;
    b.is_new_domain = new_domain;
    if (b.gives_pfns)
        check_equal("unpopulated_alloc in the remap call",
                    unpopulated_alloc(&live.unpopulated, range, &b.pfn), 0);
    return grant_map(range, 0, b.refs, b.status, range->nr, false);
}

static void start(long (*what_happens)(uint64_t), bool with_owner)
{
    live_start_suspending(what_happens);
    memset(&b, 0, sizeof(b));
    b.owner = (struct foreign_owner){"a test", unmap_granted, remap_granted, &b};
    b.gives_pfns = true;
    check_equal("foreign_reserve of the test's range",
                foreign_reserve(&live.foreign, FOREIGN_GRANT, FAKE_PEER, NR_PAGES,
                                with_owner ? &b.owner : NULL, &b.range),
                0);
    for (unsigned int i = 0; i < NR_PAGES; i++) {
        b.refs[i] = fake_peer_grant(FAKE_DOMID, false);
        fake_ram(fake_peer_mfn(b.refs[i]))[3] = i * 3;
    }
    check_equal("grant_map of the test's range",
                grant_map(b.range, 0, b.refs, b.status, NR_PAGES, false), 0);
    check_equal("unpopulated_alloc for the test's range",
                unpopulated_alloc(&live.unpopulated, b.range, &b.pfn), 0);
}

/* Checks each page of the range by its PFN and by its address. */
static void check_mapped(const char *what)
{
    for (uint64_t i = 0; i < NR_PAGES; i++) {
        const uint64_t *page = page_show(&live.fixmap, &live.unpopulated, to_pfn(b.pfn + i));

        check_true(what, page == (const uint64_t *)foreign_va(b.range, i));
        check_equal(what, page[3], i * 3);
        check_equal(what, fake_walk((uintptr_t)page).mfn, fake_peer_mfn(b.refs[i]));
    }
    check_equal(what, fake_grants_handles(), NR_PAGES);
    check_true(what, !page_show(&live.fixmap, &live.unpopulated, to_pfn(b.pfn + NR_PAGES)));
}

static void give_back(void)
{
    check_equal("grant_unmap of the test's range", grant_unmap(b.range, 0, NR_PAGES), 0);
    check_equal("unpopulated_free of the test's PFNs", unpopulated_free(&live.unpopulated, b.pfn),
                0);
    check_equal("foreign_release of the test's range", foreign_release(&live.foreign, b.range), 0);
    live_check("guest after releasing the test's range");
}

static void test_page_show(void **state)
{
    uint64_t *page;

    (void)state;
    start(live_restored, true);
    check_mapped("pages of the test's range at start");
    page = (uint64_t *)page_show(&live.fixmap, &live.unpopulated,
                                 to_pfn(live.frame_pool.free.runs[0].start));
    check_equal("MFN that page_show maps for a PFN of RAM", fake_walk((uintptr_t)page).mfn,
                p2m_get_ram(&live.p2m, to_pfn(live.frame_pool.free.runs[0].start)).v);
    check_true(
        "page_show of a PFN without a frame returns NULL",
        !page_show(&live.fixmap, &live.unpopulated, to_pfn(live.balloon.empty.runs[0].start)));
    check_true("page_show of PFN UINT64_MAX returns NULL",
               !page_show(&live.fixmap, &live.unpopulated, to_pfn(UINT64_MAX)));
    give_back();
}

static void test_restore(void **state)
{
    (void)state;
    start(live_restored, true);
    check_equal("suspend with a mapped range", suspend(&live), 0);
    check_true("no message on ranges that could not be remapped",
               !strstr(output(), "could not be remapped"));
    check_equal("unmap calls", b.nr_unmaps, 1);
    check_equal("remap calls", b.nr_remaps, 1);
    check_true("remap is called for a new domain", b.is_new_domain);
    check_mapped("pages of the test's range in the new domain");
    fake_events.suspend = live_cancelled;
    check_equal("suspend that is cancelled", suspend(&live), 1);
    check_true("remap is called for the same domain", !b.is_new_domain);
    check_mapped("pages of the test's range after a cancelled suspend");
    give_back();
}

static void test_peer_is_gone(void **state)
{
    (void)state;
    start(live_restored, true);
    fake_peer_die();
    b.gives_pfns = true;
    check_mapped("pages of the test's range after the peer died");
    check_equal("suspend after the peer died", suspend(&live), 0);
    check_says("message on the range of a dead peer", output(),
               "warning: foreign: 1 foreign ranges could not be remapped completely after resume");
    check_equal("mapped pages of the test's range after the restore", b.range->nr_mapped, 0);
    check_equal("grant status of the last page after the restore", b.status[NR_PAGES - 1],
                GNTST_bad_domain);
    check_true("page_show of the range's PFN returns NULL",
               !page_show(&live.fixmap, &live.unpopulated, to_pfn(b.pfn)));
    give_back();
}

static void test_without_owner(void **state)
{
    (void)state;
    start(live_restored, false);
    check_equal("suspend with a range without an owner", suspend(&live), -EBUSY);
    check_says("message on the range without an owner: address", output(),
               "foreign: suspend refused: foreign range at 0x2300");
    check_says("message on the range without an owner: reason", output(),
               " has 600 mapped pages and no owner that can remap them");
    check_says("message on the refused suspend", output(),
               "refused: boot stage foreign failed to prepare for it: -16");
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    check_mapped("pages of the test's range after a refused suspend");
    give_back();
    check_equal("suspend after releasing the range", suspend(&live), 0);
}

/* An owner keeps its unpopulated PFNs: after a migration the balloon could find frames there. */
static void test_unpopulated_kept(void **state)
{
    (void)state;
    start(live_restored, true);
    b.gives_pfns = false;
    check_equal("suspend while an owner keeps unpopulated PFNs", suspend(&live), -EBUSY);
    check_says("message on unpopulated PFNs in use", output(),
               "foreign: suspend refused: 1 PFN runs of unpopulated_alloc are not freed");
    check_says("message on the refused suspend", output(),
               "refused: boot stage foreign failed to prepare for it: -16");
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    check_equal("unmap calls", b.nr_unmaps, 1);
    check_equal("remap calls", b.nr_remaps, 1);
    check_mapped("pages of the test's range after a refused suspend");
    b.gives_pfns = true;
    check_equal("suspend when the owner frees its PFNs", suspend(&live), 0);
    check_mapped("pages of the test's range in the new domain");
    give_back();
}

static unsigned int bad_op;

static int16_t one_bad(unsigned int op)
{
    return op == bad_op ? GNTST_eagain : GNTST_okay;
}

/* One page that Xen will not unmap: the suspend is refused, and the kernel's grant table is mapped
 * again. */
static void test_unmap_refused(void **state)
{
    uint64_t nr_mapped;

    (void)state;
    start(live_restored, true);
    nr_mapped = live.grants.table->nr_mapped;
    b.gives_pfns = false;
    fake_grants.nr_ops = 0;
    bad_op = 555;
    fake_grants.verdict = one_bad;
    check_equal("suspend with a page that Xen will not unmap", suspend(&live), -EIO);
    fake_grants.verdict = NULL;
    check_says("message on the pages in use: address", output(), "foreign range at 0x2300");
    check_says("message on the pages in use: owner", output(),
               "its owner cannot unmap them: a test");
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    check_equal("mapped pages of the test's range after the refused suspend", b.range->nr_mapped,
                1);
    check_equal("mapped pages of the grant table's range after the refused suspend",
                live.grants.table->nr_mapped, nr_mapped);
    check_equal("grant_map of the unmapped pages",
                grant_map(b.range, 0, b.refs, b.status, bad_op, false) |
                    grant_map(b.range, bad_op + 1, b.refs + bad_op + 1, b.status,
                              NR_PAGES - bad_op - 1, false),
                0);
    check_mapped("pages of the test's range after mapping them again");
    give_back();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_page_show, live_teardown),
        cmocka_unit_test_teardown(test_restore, live_teardown),
        cmocka_unit_test_teardown(test_peer_is_gone, live_teardown),
        cmocka_unit_test_teardown(test_without_owner, live_teardown),
        cmocka_unit_test_teardown(test_unpopulated_kept, live_teardown),
        cmocka_unit_test_teardown(test_unmap_refused, live_teardown),
    };

    return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
