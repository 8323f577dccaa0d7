/* SPDX-License-Identifier: MIT */
/*
 * In a new domain the grant table is empty and of version 1, and every frame has another number.
 * Without this a grant of before could be missing there, or lead to a frame that is another
 * domain's; or a suspend could begin while the peer is at our pages, and carry them away under it.
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
} lent[NR_GRANTS];

/* To a Xen that has no version 2. */
static long restored_to_version_1(uint64_t start_info)
{
    fake_grants.no_version_2 = true;
    return live_restored(start_info);
}

static pfn_t take_page(void)
{
    struct pfn_run run = frame_pool_alloc_run(&live.frame_pool, 1);

    check_equal("a page", run.end - run.start, 1);
    return to_pfn(run.start);
}

/* A guest that grants pages, by a table of version @version, of more than one frame if @many. */
static void start(unsigned int version, long (*what_happens)(uint64_t), bool many)
{
    uint32_t other;

    live_grants = (enum grants_option)version;
    live_start_suspending(what_happens);
    live_grants = GRANTS_DEFAULT;
    check_equal("version", live.grants.version, version);
    lent[0].pfn = take_page();
    for (int i = 0; many && i < 1200; i++)
        check_equal("one more", grant_access(&live.grants, FAKE_PEER, lent[0].pfn, false, &other),
                    0);
    for (int i = 0; i < NR_GRANTS; i++) {
        lent[i].pfn = i ? take_page() : lent[i].pfn;
        check_equal("granter",
                    grant_access(&live.grants, FAKE_PEER, lent[i].pfn, i % 2, &lent[i].ref), 0);
    }
}

static void check_lent(const char *what)
{
    for (int i = 0; i < NR_GRANTS; i++) {
        struct fake_entry e = fake_grants_entry(lent[i].ref);
        uint64_t mfn = p2m_get_ram(&live.p2m, lent[i].pfn).v;

        check_equal(what, e.flags, GTF_permit_access | (i % 2 ? GTF_readonly : 0));
        check_equal(what, e.domid, FAKE_PEER);
        check_equal(what, e.frame, mfn);
        check_equal(what, fake_peer_map(FAKE_PEER, lent[i].ref, i % 2), 0);
        check_equal(what, fake_peer_sees(lent[i].ref), mfn);
        check_true(what, grant_in_use(&live.grants, lent[i].ref));
        fake_peer_unmap(lent[i].ref);
    }
    check_true(what, fake_grants_reserved_untouched());
}

static void check_ends(void)
{
    for (int i = 0; i < NR_GRANTS; i++)
        check_equal("end", grant_end(&live.grants, lent[i].ref), 0);
}

static void test_restore(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++)
        for (int many = 0; many < 2; many++) {
            uint64_t mfn;

            start(version, live_restored, many);
            mfn = p2m_get_ram(&live.p2m, lent[3].pfn).v;
            check_lent("before");
            check_equal("suspend", suspend(&live), 0);
            check_true("all is said", !strstr(output(), "could not be remapped"));
            check_true("another frame", p2m_get_ram(&live.p2m, lent[3].pfn).v != mfn);
            check_equal("version", fake_grants_version(), version);
            check_equal("as many frames", fake_grants_frames(), live.grants.nr_frames);
            check_lent("in the new domain");
            check_equal("and the next", suspend(&live), 0);
            check_lent("in the next");
            fake_events.suspend = live_cancelled;
            check_equal("a checkpoint", suspend(&live), 1);
            check_lent("after that");
            check_ends();
            live_stop();
        }
}

/* The peer does not sleep: it begins to use a page while we do, and nothing of that is undone. */
static long cancelled_and_used(uint64_t start_info)
{
    fake_tools_save(start_info);
    check_equal("map", fake_peer_map(FAKE_PEER, lent[4].ref, false), 0);
    return 1;
}

static void test_used_meanwhile(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, cancelled_and_used, false);
        check_equal("suspend", suspend(&live), 1);
        check_true("in use", grant_in_use(&live.grants, lent[4].ref));
        check_equal("no end", grant_end(&live.grants, lent[4].ref), -EBUSY);
        fake_peer_unmap_all();
        check_lent("after that");
        live_stop();
    }
}

/* A page that the peer kept comes back by the restore: nobody has mapped it there. */
static void test_deferred(void **state)
{
    uint64_t nr_free;

    (void)state;
    start(2, live_restored, false);
    check_equal("map", fake_peer_map(FAKE_PEER, lent[5].ref, true), 0);
    check_equal("end later", grant_end_page(&live.grants, lent[5].ref), 0);
    check_equal("end now", grant_end_page(&live.grants, lent[6].ref), 0);
    check_equal("one waits", live.grants.nr_deferred, 1);
    check_equal("in use", suspend(&live), -EBUSY);
    check_equal("Xen was not asked", fake_tools.nr_saved, 0);
    check_says("said", output(), "block the suspend: grants");
    check_equal("it waits", grants_poll(&live.grants), 1);
    fake_peer_unmap(lent[5].ref); /* and nobody polls */
    nr_free = live.frame_pool.free.nr_pfns;
    check_equal("suspend", suspend(&live), 0);
    check_equal("nothing waits", live.grants.nr_deferred, 0);
    check_true("free", frame_pool_has(&live.frame_pool, lent[5].pfn));
    check_equal("one more", live.frame_pool.free.nr_pfns, nr_free + 1);
    check_equal("no entry", fake_grants_entry(lent[5].ref).flags, 0);
}

static void test_refused_in_use(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, live_restored, false);
        check_equal("map", fake_peer_map(FAKE_PEER, lent[NR_GRANTS - 1].ref, true), 0);
        check_equal("suspend", suspend(&live), -EBUSY);
        check_equal("Xen was not asked", fake_tools.nr_saved, 0);
        check_true("it holds", grant_in_use(&live.grants, lent[NR_GRANTS - 1].ref));
        check_equal("end", grant_end(&live.grants, lent[NR_GRANTS - 1].ref), -EBUSY);
        fake_peer_unmap_all();
        check_lent("as before");
        check_equal("then", suspend(&live), 0);
        check_lent("in a new domain");
        live_stop();
    }
}

/* The table is not to be had there. It is said; nothing is granted, and no use does harm. */
static void check_down(void)
{
    uint32_t ref;

    check_says("said", output(), "foreign: ");
    check_says("said", output(), " foreign ranges could not be remapped after resume");
    check_equal("no grant", grant_access(&live.grants, FAKE_PEER, lent[0].pfn, false, &ref),
                -ENOSYS);
    check_true("nobody knows", grant_in_use(&live.grants, lent[0].ref));
    check_equal("no end", grant_end(&live.grants, lent[0].ref), -EBUSY);
    check_equal("later", grant_end_page(&live.grants, lent[1].ref), 0);
    check_equal("it waits", grants_poll(&live.grants), 1);
    check_true("not free", !frame_pool_has(&live.frame_pool, lent[1].pfn));
}

static void test_no_version_2_there(void **state)
{
    (void)state;
    start(2, restored_to_version_1, true);
    check_equal("suspend", suspend(&live), 0);
    check_down();
    check_equal("of a version 2 table", live.grants.version, 2);
    check_equal("nothing is granted", fake_grants_entry(lent[0].ref).flags, 0);
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
        check_equal("suspend", suspend(&live), 0);
        check_down();
        live_stop();
    }
}

/* A frame there whose number version 1 cannot hold: no entry, rather than another's frame. */
static long restored_wide(uint64_t start_info)
{
    long rc = live_restored(start_info);

    live.p2m.list[lent[2].pfn.v] |= (uint64_t)1 << 33;
    return rc;
}

static void test_wide_there(void **state)
{
    (void)state;
    start(1, restored_wide, false);
    check_equal("suspend", suspend(&live), 0);
    check_says("said", output(), "foreign: 1 foreign ranges could not be remapped after resume");
    check_equal("no entry", fake_grants_entry(lent[2].ref).flags, 0);
    check_equal("the others", fake_grants_entry(lent[3].ref).flags,
                GTF_permit_access | GTF_readonly);
    live.p2m.list[lent[2].pfn.v] &= UINT32_MAX;
    check_equal("it ends", grant_end(&live.grants, lent[2].ref), 0);
}

/* The stage once more, under a Xen whose machine addresses have @bits. */
static void start_again(unsigned int bits)
{
    struct foreign_range *ranges[] = {live.grants.table, live.grants.status};

    for (size_t i = 0; i < ARRAY_SIZE(ranges) && ranges[i]; i++) {
        check_equal("unmap", foreign_unmap(&live.foreign, ranges[i], 0, ranges[i]->nr), 0);
        check_equal("release", foreign_release(&live.foreign, ranges[i]), 0);
    }
    live.host.xen_bits = bits;
    check_equal("foreign", foreign_stage(&live), 0);
}

/* What the stage makes of options, and of a Xen that has no such thing. */
static void test_stage(void **state)
{
    uint32_t ref;

    (void)state;
    fake_grants.none = true;
    live_start();
    check_equal("no table", grant_access(&live.grants, FAKE_PEER, take_page(), false, &ref),
                -ENOSYS);
    fake_events.suspend = live_restored;
    check_equal("suspend", suspend(&live), 0);
    check_true("nothing to say", !strstr(output(), "foreign"));
    live_stop();
    live_start();
    check_equal("46 bits of address", live.grants.version, 2);
    start_again(44);
    check_equal("MFNs of 32 bits", live.grants.version, 1);
    start_again(45);
    check_equal("and one more", live.grants.version, 2);
    start_again(0);
    check_equal("nobody knows", live.grants.version, 1);
    live_stop();
    fake_grants.no_version_2 = true;
    live_start();
    check_equal("by Xen's word", live.grants.version, 1);
}

/* The old domain goes on, told that it is a new one (xg_resume.c, fast=0). */
static long resumed_as_new(uint64_t start_info)
{
    struct start_info *si = (struct start_info *)fake_ram(start_info);

    fake_tools_save(start_info);
    check_equal("a peer maps", fake_peer_map(FAKE_PEER, lent[4].ref, false), 0);
    si->store_mfn = p2m_get_ram(&live.p2m, to_pfn(si->store_mfn)).v;
    si->console.domU.mfn = p2m_get_ram(&live.p2m, to_pfn(si->console.domU.mfn)).v;
    return 0;
}

/* What Xen has marked while we slept is not wiped: the page is not ours alone. */
static void test_used_in_what_is_no_new_domain(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        start(version, resumed_as_new, false);
        check_equal("suspend", suspend(&live), 0);
        check_true("in use", grant_in_use(&live.grants, lent[4].ref));
        check_equal("cannot be ended", grant_end(&live.grants, lent[4].ref), -EBUSY);
        fake_peer_unmap_all();
        check_equal("now it can", grant_end(&live.grants, lent[4].ref), 0);
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
        cmocka_unit_test_teardown(test_wide_there, live_teardown),
        cmocka_unit_test(test_used_in_what_is_no_new_domain),
        cmocka_unit_test_teardown(test_stage, live_teardown),
    };

    return cmocka_run_group_tests_name("grants over a suspend", tests, NULL, NULL);
}
