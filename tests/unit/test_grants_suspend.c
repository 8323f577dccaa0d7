/* SPDX-License-Identifier: MIT */
/*
 * Grants across suspend and resume. In the new domain the grant table is empty and of version 1,
 * every frame has another MFN, and the number of the peer may be another domain's. Without this
 * test a page could be granted to that domain; a suspend could begin while the peer maps a granted
 * page; or a table that cannot be had again could refuse each later suspend.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include "xen/grant_map.h"

#include "kernel/boot/foreign.h"
#include "kernel/suspend.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_tools.h"
#include "tests/unit/live_guest.h"

#include <string.h>
#include <xen/errno.h>

#define NR_GRANTS 40

static struct {
    uint32_t ref;
    pfn_t pfn;
} granted[NR_GRANTS];

/* Restores the guest on a Xen without grant table version 2. */
static long restored_to_version_1(uint64_t start_info)
{
    fake_grants.no_version_2 = true;
    return live_restored(start_info);
}

static pfn_t take_page(void)
{
    struct pfn_run run = frame_pool_alloc_run(&live.frame_pool, 1);

    check_equal("pages of a run of 1 from the frame pool", run.end - run.start, 1);
    return to_pfn(run.start);
}

static void grant_all(void)
{
    for (int i = 0; i < NR_GRANTS; i++)
        check_equal("grant_access of page i to the peer",
                    grant_access(&live.grants, FAKE_PEER, granted[i].pfn, i % 2, &granted[i].ref),
                    0);
}

/* Starts a guest that grants pages, with a table of @version; @many: of more than one frame. */
static void start(unsigned int version, long (*what_happens)(uint64_t), bool many)
{
    uint32_t other;

    live_grants = (enum grants_option)version;
    live_start_suspending(what_happens);
    live_grants = GRANTS_DEFAULT;
    check_equal("grant table version at start", live.grants.version, version);
    granted[0].pfn = take_page();
    for (int i = 0; many && i < 1200; i++)
        check_equal("grant_access, to fill more than one frame",
                    grant_access(&live.grants, FAKE_PEER, granted[0].pfn, false, &other), 0);
    for (int i = 1; i < NR_GRANTS; i++)
        granted[i].pfn = take_page();
    grant_all();
}

static void check_granted(const char *what)
{
    for (int i = 0; i < NR_GRANTS; i++) {
        struct fake_entry e = fake_grants_entry(granted[i].ref);
        uint64_t mfn = p2m_get_ram(&live.p2m, granted[i].pfn).v;

        check_equal(what, e.flags, GTF_permit_access | (i % 2 ? GTF_readonly : 0));
        check_equal(what, e.domid, FAKE_PEER);
        check_equal(what, e.frame, mfn);
        check_equal(what, fake_peer_map(FAKE_PEER, granted[i].ref, i % 2), 0);
        check_equal(what, fake_peer_sees(granted[i].ref), mfn);
        check_true(what, grant_in_use(&live.grants, granted[i].ref));
        fake_peer_unmap(granted[i].ref);
    }
    check_true(what, fake_grants_reserved_untouched());
}

/* In a new domain each entry is empty, the peer can map no page, and the owner is told. */
static void check_dropped(const char *what)
{
    for (int i = 0; i < NR_GRANTS; i++) {
        struct fake_entry e = fake_grants_entry(granted[i].ref);

        check_equal(what, e.flags, 0);
        check_equal(what, e.frame, 0);
        check_true(what, fake_peer_map(FAKE_PEER, granted[i].ref, i % 2) != 0);
        check_true(what, grant_is_dropped(&live.grants, granted[i].ref));
        check_true(what, !grant_in_use(&live.grants, granted[i].ref));
    }
    check_equal(what, live.grants.nr_dropped, live.grants.nr_used);
    check_true(what, fake_grants_reserved_untouched());
}

static void check_kept(const char *what)
{
    for (int i = 0; i < NR_GRANTS; i++)
        check_true(what, !grant_is_dropped(&live.grants, granted[i].ref));
    check_granted(what);
}

static void check_ends(void)
{
    for (int i = 0; i < NR_GRANTS; i++)
        check_equal("grant_end of each grant", grant_end(&live.grants, granted[i].ref), 0);
}

static void test_restore(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++)
        for (int many = 0; many < 2; many++) {
            uint64_t mfn;

            start(version, live_restored, many);
            mfn = p2m_get_ram(&live.p2m, granted[3].pfn).v;
            check_granted("grants before the suspend");
            check_equal("first suspend", suspend(&live), 0);
            check_true("no message on ranges that could not be remapped",
                       !strstr(output(), "could not be remapped"));
            check_true("a granted page has another MFN after the restore",
                       p2m_get_ram(&live.p2m, granted[3].pfn).v != mfn);
            check_equal("Xen's grant table version after the restore", fake_grants_version(),
                        version);
            check_equal("Xen's grant table frames after the restore", fake_grants_frames(),
                        live.grants.nr_frames);
            check_dropped("grants in the new domain");
            check_says("message on the dropped grants", output(),
                       many ? "so 1240 grants of the old domain"
                            : "so 40 grants of the old domain");
            output_clear();
            check_equal("second suspend", suspend(&live), 0);
            check_dropped("grants in the second new domain");
            check_true("no second message", !strstr(output(), "grants of the old domain"));
            check_ends();
            check_equal("grants in force after the end of the dropped ones", live.grants.nr_used,
                        many ? 1200 : 0);
            check_equal("dropped grants", live.grants.nr_dropped, live.grants.nr_used);
            grant_all();
            check_kept("grants given in the new domain");
            fake_events.suspend = live_cancelled;
            check_equal("suspend that is cancelled", suspend(&live), 1);
            check_kept("grants after a cancelled suspend");
            check_ends();
            live_stop();
        }
}

/* The peer maps a page during the guest's suspend: the mapping must stay after a cancelled suspend.
 */
static long cancelled_and_used(uint64_t start_info)
{
    fake_tools_save(start_info);
    check_equal("the peer maps grant 4 during the suspend",
                fake_peer_map(FAKE_PEER, granted[4].ref, false), 0);
    return 1;
}

static void test_used_meanwhile(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, cancelled_and_used, false);
        check_equal("suspend that is cancelled", suspend(&live), 1);
        check_true("the grant that the peer mapped during the suspend is in use",
                   grant_in_use(&live.grants, granted[4].ref));
        check_equal("grant_end of the grant mapped during the suspend",
                    grant_end(&live.grants, granted[4].ref), -EBUSY);
        fake_peer_unmap_all();
        check_granted("grants after the cancelled suspend");
        live_stop();
    }
}

/* A restore ends a deferred grant: in the new domain nobody maps the page. */
static void test_deferred(void **state)
{
    uint64_t nr_free;

    (void)state;
    start(2, live_restored, false);
    check_equal("the peer maps grant 5", fake_peer_map(FAKE_PEER, granted[5].ref, true), 0);
    check_equal("grant_end_page of a mapped grant", grant_end_page(&live.grants, granted[5].ref),
                0);
    check_equal("grant_end_page of an unmapped grant", grant_end_page(&live.grants, granted[6].ref),
                0);
    check_equal("deferred grants", live.grants.nr_deferred, 1);
    check_equal("suspend while the peer maps a page", suspend(&live), -EBUSY);
    check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
    check_says("message on the refused suspend", output(), "its owner cannot unmap them: grants");
    check_equal("deferred grants left after the refused suspend", grants_poll(&live.grants), 1);
    fake_peer_unmap(granted[5].ref); /* without a call of grants_poll */
    nr_free = live.frame_pool.free.nr_pfns;
    check_equal("suspend after the peer unmapped the page", suspend(&live), 0);
    check_equal("deferred grants after the restore", live.grants.nr_deferred, 0);
    check_true("the page of the deferred grant is in the frame pool",
               frame_pool_has(&live.frame_pool, granted[5].pfn));
    check_equal("free frames after the restore", live.frame_pool.free.nr_pfns, nr_free + 1);
    check_equal("flags of the deferred grant's entry after the restore",
                fake_grants_entry(granted[5].ref).flags, 0);
}

static void test_refused_in_use(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, live_restored, false);
        check_equal("the peer maps the last grant",
                    fake_peer_map(FAKE_PEER, granted[NR_GRANTS - 1].ref, true), 0);
        check_equal("suspend while the peer maps a page", suspend(&live), -EBUSY);
        check_equal("saves by the tools after a refused suspend", fake_tools.nr_saved, 0);
        check_true("the mapped grant is in use after a refused suspend",
                   grant_in_use(&live.grants, granted[NR_GRANTS - 1].ref));
        check_equal("grant_end of the mapped grant",
                    grant_end(&live.grants, granted[NR_GRANTS - 1].ref), -EBUSY);
        fake_peer_unmap_all();
        check_granted("grants after a refused suspend");
        check_equal("suspend after the peer unmapped the page", suspend(&live), 0);
        check_dropped("grants in the new domain");
        live_stop();
    }
}

/*
 * The new domain's grant table cannot be mapped: a message says so, no page can be granted, the old
 * grants can end, and the next suspend is not refused. A later domain has a table again.
 */
static void check_down(void)
{
    uint32_t ref;

    check_says("message on ranges that could not be remapped: stage", output(), "foreign: ");
    check_says("message on ranges that could not be remapped", output(),
               " foreign ranges could not be remapped completely after resume");
    check_equal("grant_access without a grant table",
                grant_access(&live.grants, FAKE_PEER, granted[0].pfn, false, &ref), -ENOSYS);
    check_true("the grants are dropped", grant_is_dropped(&live.grants, granted[0].ref));
    check_true("a dropped grant is not in use", !grant_in_use(&live.grants, granted[0].ref));
    check_equal("grant_end without a grant table", grant_end(&live.grants, granted[0].ref), 0);
    check_equal("grant_end_page without a grant table",
                grant_end_page(&live.grants, granted[1].ref), 0);
    check_true("the page of a dropped grant is in the frame pool",
               frame_pool_has(&live.frame_pool, granted[1].pfn));
    fake_grants.no_version_2 = false;
    fake_grants.setup_status = fake_grants.get_status = 0;
    fake_events.suspend = live_restored;
    check_equal("suspend without a grant table", suspend(&live), 0);
    check_equal("grant_access in a domain that has a grant table again",
                grant_access(&live.grants, FAKE_PEER, granted[0].pfn, false, &ref), 0);
    check_equal("the peer maps this grant", fake_peer_map(FAKE_PEER, ref, false), 0);
    fake_peer_unmap(ref);
}

static void test_no_version_2_there(void **state)
{
    (void)state;
    start(2, restored_to_version_1, true);
    check_equal("suspend to a Xen without version 2", suspend(&live), 0);
    check_equal("grant table version of the kernel", live.grants.version, 2);
    check_equal("flags of entry 0 in the new domain", fake_grants_entry(granted[0].ref).flags, 0);
    check_down();
}

static int16_t *lie;

static long restored_and_denied(uint64_t start_info)
{
    *lie = GNTST_permission_denied;
    return live_restored(start_info);
}

static void test_no_table_there(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        start(2, restored_and_denied, false);
        lie = which ? &fake_grants.get_status : &fake_grants.setup_status;
        check_equal("suspend to a Xen that denies the grant table", suspend(&live), 0);
        check_down();
        live_stop();
    }
}

static long cancelled_and_denied(uint64_t start_info)
{
    fake_grants.setup_status = GNTST_permission_denied;
    return live_cancelled(start_info);
}

/*
 * After a cancelled suspend Xen denies the table: the grants are in force, perhaps in use, and the
 * table is asked for again at the next suspend.
 */
static void test_no_table_here(void **state)
{
    (void)state;
    start(1, cancelled_and_denied, false);
    check_equal("suspend that is cancelled", suspend(&live), 1);
    check_true("without a grant table a grant counts as in use",
               grant_in_use(&live.grants, granted[0].ref));
    check_equal("grant_end without a grant table", grant_end(&live.grants, granted[0].ref), -EBUSY);
    check_equal("grant_end_page without a grant table",
                grant_end_page(&live.grants, granted[1].ref), 0);
    check_true("the page of that grant is not in the frame pool",
               !frame_pool_has(&live.frame_pool, granted[1].pfn));
    check_equal("suspend while Xen denies the table", suspend(&live), -EBUSY);
    fake_grants.setup_status = 0;
    fake_events.suspend = live_restored;
    check_equal("suspend when Xen grants the table again", suspend(&live), 0);
    check_true("in the new domain the page of the ended grant is in the frame pool",
               frame_pool_has(&live.frame_pool, granted[1].pfn));
}

/* Runs the foreign stage again, on a host whose RAM ends at MFN @ram_end. */
static void start_again(uint64_t ram_end)
{
    struct foreign_range *ranges[] = {live.grants.table, live.grants.status};

    for (size_t i = 0; i < ARRAY_SIZE(ranges) && ranges[i]; i++) {
        check_equal("foreign_unmap of the grant table's range",
                    foreign_unmap(&live.foreign, ranges[i], 0, ranges[i]->nr), 0);
        check_equal("foreign_release of the grant table's range",
                    foreign_release(&live.foreign, ranges[i]), 0);
    }
    fake.ram_end = ram_end;
    host_read(&live.host);
    output_clear();
    check_equal("foreign_stage", foreign_stage(&live), 0);
}

/* CPUID leaf 5 says 46 bits in all rows: a Xen without CONFIG_BIGMEM says 44 where RAM is higher.
 */
static void test_version(void **state)
{
    static const struct {
        const char *what;
        uint64_t ram_end;
        bool no_version_2;
        unsigned int version;
        const char *says;
    } rows[] = {
        {"RAM ends at MFN 2^20",               1 << 20,                 false, 1, ""                         },
        {"the last MFN has 32 bits",           (uint64_t)1 << 32,       false, 1, ""                         },
        {"the last MFN is 2^32",               ((uint64_t)1 << 32) + 1, false, 2, ""                         },
        {"RAM at 2^46 bytes",                  0x400100000,             false, 2, ""                         },
        {"RAM up to the last MFN",             (uint64_t)1 << MFN_BITS, false, 2, ""                         },
        {"no version 2, MFNs of 32 bits",      (uint64_t)1 << 32,       true,  1, ""                         },
        {"no version 2, RAM at 2^46 bytes",    0x400100000,             true,  1, "RAM up to MFN 0x4000fffff"},
        {"XENMEM_maximum_ram_page is refused", (uint64_t)-XEN_EPERM,    false, 1, ""                         },
    };

    (void)state;
    live_start();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fake_grants.no_version_2 = rows[i].no_version_2;
        start_again(rows[i].ram_end);
        check_equal(rows[i].what, live.grants.version, rows[i].version);
        check_says(rows[i].what, output(), rows[i].says);
        check_true(rows[i].what, *rows[i].says || !strstr(output(), "warning"));
    }
}

static void test_no_tables(void **state)
{
    uint32_t ref;

    (void)state;
    fake_grants.none = true;
    live_start();
    check_equal("grant_access on a Xen without grant tables",
                grant_access(&live.grants, FAKE_PEER, take_page(), false, &ref), -ENOSYS);
    fake_events.suspend = live_restored;
    check_equal("suspend on a Xen without grant tables", suspend(&live), 0);
    check_true("no message of the foreign stage", !strstr(output(), "foreign: "));
}

/* The old domain continues as if it were a new one (xg_resume.c, fast=0). */
static long resumed_as_new(uint64_t start_info)
{
    struct start_info *si = (struct start_info *)fake_ram(start_info);

    fake_tools_save(start_info);
    check_equal("the peer maps grant 4 during the suspend",
                fake_peer_map(FAKE_PEER, granted[4].ref, false), 0);
    si->store_mfn = p2m_get_ram(&live.p2m, to_pfn(si->store_mfn)).v;
    si->console.domU.mfn = p2m_get_ram(&live.p2m, to_pfn(si->console.domU.mfn)).v;
    return 0;
}

/* GTF_reading or GTF_writing that Xen set during the suspend must stay: the peer maps the page. */
static void test_used_after_resume_as_new(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, resumed_as_new, false);
        check_equal("suspend that resumes as a new domain", suspend(&live), 0);
        check_equal("grants that the same domain drops", live.grants.nr_dropped, 0);
        check_true("the grant that the peer mapped during the suspend is in use",
                   grant_in_use(&live.grants, granted[4].ref));
        check_equal("grant_end while the peer maps the page",
                    grant_end(&live.grants, granted[4].ref), -EBUSY);
        fake_peer_unmap_all();
        check_equal("grant_end after the peer unmapped the page",
                    grant_end(&live.grants, granted[4].ref), 0);
        live_stop();
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_used_meanwhile),
        cmocka_unit_test_teardown(test_deferred, live_teardown),
        cmocka_unit_test(test_refused_in_use),
        cmocka_unit_test_teardown(test_no_version_2_there, live_teardown),
        cmocka_unit_test(test_no_table_there),
        cmocka_unit_test_teardown(test_no_table_here, live_teardown),
        cmocka_unit_test(test_used_after_resume_as_new),
        cmocka_unit_test_teardown(test_version, live_teardown),
        cmocka_unit_test_teardown(test_no_tables, live_teardown),
    };

    return cmocka_run_group_tests_name("grants over a suspend", tests, NULL, NULL);
}
