/* SPDX-License-Identifier: MIT */
/*
 * Granting pages to another domain. Without this test a grant entry could name another page than
 * the caller's, stay valid after grant_end reported success, or be ended while the peer still maps
 * the page, which the pool then reuses for other data. The peer does what a hostile peer would do.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

static void test_grant_and_end(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        uint32_t ref, ro;
        pfn_t pfn;

        gg_start_version(version);
        pfn = gg_page();
        ref = gg_access(pfn, false);
        ro = gg_access(pfn, true);
        check_equal("first reference of an empty table", ref, 8);
        check_equal("second reference of an empty table", ro, 9);
        check_equal("references in use after two grants", grants.nr_used, 2);
        check_equal("domain 6 maps a grant to the peer", fake_peer_map(6, ref, true),
                    GNTST_general_error);
        check_true("a grant that domain 6 could not map is not in use",
                   !grant_in_use(&grants, ref));
        check_equal("the peer maps a read-only grant read-write",
                    fake_peer_map(FAKE_PEER, ro, false), GNTST_general_error);
        check_true("a grant whose mapping was refused is not in use", !grant_in_use(&grants, ro));
        check_equal("the peer maps a read-only grant read-only", fake_peer_map(FAKE_PEER, ro, true),
                    0);
        check_true("a mapped grant is in use", grant_in_use(&grants, ro));
        check_true("the other grant of the same page is not in use", !grant_in_use(&grants, ref));
        check_equal("the peer maps a read-write grant", fake_peer_map(FAKE_PEER, ref, false), 0);
        check_equal("MFN that the peer has mapped", fake_peer_sees(ref), gg_mfn(pfn));
        fake_peer_unmap(ref);
        fake_peer_unmap(ro);
        check_equal("grant_end of the read-write grant", grant_end(&grants, ref), 0);
        check_equal("grant_end of an ended grant", grant_end(&grants, ref), -EINVAL);
        check_equal("grant_end_page of an ended grant", grant_end_page(&grants, ref), -EINVAL);
        check_equal("the peer maps an ended grant", fake_peer_map(FAKE_PEER, ref, true),
                    GNTST_general_error);
        check_equal("the peer maps the other grant", fake_peer_map(FAKE_PEER, ro, true), 0);
        fake_peer_unmap(ro);
        check_equal("grant_end of the read-only grant", grant_end(&grants, ro), 0);
        gg_free_page(pfn);
        gg_check_all_free("grant table after ending all grants");
    }
}

static void test_no_grants(void **state)
{
    static const uint32_t refs[] = {0, 1, 7, 8, 255, 256, 511, 512, 1 << 20, UINT32_MAX};
    uint32_t ref = 77;

    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        gg_start_version(version);
        for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
            check_equal("grant_end of a reference that is not granted", grant_end(&grants, refs[i]),
                        -EINVAL);
            check_equal("grant_end_page of a reference that is not granted",
                        grant_end_page(&grants, refs[i]), -EINVAL);
        }
        check_equal("grant_access of a PFN without a frame",
                    grant_access(&grants, FAKE_PEER, to_pfn(1 << 19), false, &ref), -EINVAL);
        check_equal("reference after a failed grant_access", ref, 77);
        gg_check_all_free("grant table after failed calls");
    }
}

/* While the peer maps the page, grant_end fails, however often it is called. */
static void test_end_in_use(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++)
        for (int readonly = 0; readonly < 2; readonly++) {
            uint32_t ref;
            pfn_t pfn;

            gg_start_version(version);
            pfn = gg_page();
            ref = gg_access(pfn, readonly);
            check_equal("the peer maps the grant", fake_peer_map(FAKE_PEER, ref, readonly), 0);
            for (int i = 0; i < 3; i++) {
                check_equal("grant_end of a mapped grant", grant_end(&grants, ref), -EBUSY);
                check_true("a mapped grant is in use", grant_in_use(&grants, ref));
                gg_check_entry("grant entry after a refused grant_end", ref, pfn, readonly);
                check_equal("references in use after a refused grant_end", grants.nr_used, 1);
            }
            fake_peer_unmap(ref);
            check_equal("the peer maps the grant again after a refused grant_end",
                        fake_peer_map(FAKE_PEER, ref, readonly), 0);
            fake_peer_unmap(ref);
            check_equal("grant_end after the peer unmapped the grant", grant_end(&grants, ref), 0);
            gg_free_page(pfn);
            gg_check_all_free("grant table after ending all grants");
        }
}

/* Deferred grant end: the page returns to the pool only after the peer unmaps it (XSA-396). */
static void test_deferred(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        uint32_t refs[4];
        pfn_t pages[4];

        gg_start_version(version);
        for (int i = 0; i < 4; i++) {
            pages[i] = gg_page();
            refs[i] = gg_access(pages[i], false);
            if (i)
                check_equal("the peer maps grant 1, 2 or 3",
                            fake_peer_map(FAKE_PEER, refs[i], false), 0);
        }
        for (int i = 0; i < 4; i++)
            check_equal("grant_end_page of each grant", grant_end_page(&grants, refs[i]), 0);
        check_true("the page that was not mapped is in the frame pool",
                   frame_pool_has(&fg.g.frame_pool, pages[0]));
        check_equal("deferred grants", grants.nr_deferred, 3);
        check_equal("references in use after grant_end_page", grants.nr_used, 0);
        check_equal("grant_end of a deferred grant", grant_end(&grants, refs[1]), -EINVAL);
        check_equal("grant_end_page of a deferred grant", grant_end_page(&grants, refs[1]),
                    -EINVAL);
        check_equal("deferred grants left by grants_poll", grants_poll(&grants), 3);
        /* the peer can map a page again that it has mapped: Xen does not check the entry */
        check_equal("the peer maps a deferred grant that it has mapped",
                    fake_peer_map(FAKE_PEER, refs[2], false), 0);
        fake_peer_unmap(refs[2]);
        check_equal("deferred grants left after one of two unmaps", grants_poll(&grants), 3);
        check_true("a page that the peer still maps is not in the frame pool",
                   !frame_pool_has(&fg.g.frame_pool, pages[2]));
        fake_peer_unmap(refs[2]);
        check_equal("deferred grants left after the peer unmapped grant 2", grants_poll(&grants),
                    2);
        check_true("page 2 is in the frame pool", frame_pool_has(&fg.g.frame_pool, pages[2]));
        check_equal("the peer maps the ended reference", fake_peer_map(FAKE_PEER, refs[2], false),
                    GNTST_general_error);
        fake_peer_unmap(refs[3]);
        check_equal("deferred grants left after the peer unmapped grant 3", grants_poll(&grants),
                    1);
        check_true("page 3 is in the frame pool", frame_pool_has(&fg.g.frame_pool, pages[3]));
        fake_peer_unmap(refs[1]);
        check_equal("deferred grants left after the peer unmapped grant 1", grants_poll(&grants),
                    0);
        check_true("page 1 is in the frame pool", frame_pool_has(&fg.g.frame_pool, pages[1]));
        gg_check_all_free("grant table after ending all grants");
    }
}

/* The frame pool's array of runs is full: the page stays deferred until there is room. */
static void test_deferred_pool_full(void **state)
{
    uint32_t ref;
    pfn_t pfn;

    (void)state;
    gg_start_version(2);
    (void)gg_page();
    pfn = gg_page();
    (void)gg_page();
    ref = gg_access(pfn, false);
    fg.g.frame_pool.free.cap_runs = fg.g.frame_pool.free.nr_runs;
    check_equal("grant_end_page with a full frame pool", grant_end_page(&grants, ref), 0);
    check_equal("deferred grants left with a full frame pool", grants_poll(&grants), 1);
    check_true("the deferred page is not in the frame pool",
               !frame_pool_has(&fg.g.frame_pool, pfn));
    check_equal("the peer maps an ended grant", fake_peer_map(FAKE_PEER, ref, true),
                GNTST_general_error);
    fg.g.frame_pool.free.cap_runs = ARRAY_SIZE(fg.g.runs);
    check_equal("deferred grants left with room in the frame pool", grants_poll(&grants), 0);
    check_true("the page is in the frame pool", frame_pool_has(&fg.g.frame_pool, pfn));
}

/* Random sequences against a model: which references are granted or deferred, which pages are free.
 */
#define MAX_LIVE 64

static struct live_grant {
    uint32_t ref; /* 0: the slot is free */
    pfn_t pfn;
    bool readonly, deferred;
    unsigned int nr_mapped;
} live_grants[MAX_LIVE];

static void step(struct rng *rng)
{
    struct live_grant *l = &live_grants[rng_below(rng, MAX_LIVE)];
    bool in_use = l->nr_mapped > 0;

    if (!l->ref) {
        *l = (struct live_grant){.pfn = gg_page(), .readonly = rng_below(rng, 2)};
        l->ref = gg_access(l->pfn, l->readonly);
        for (struct live_grant *o = live_grants; o < live_grants + MAX_LIVE; o++)
            check_true("each grant has its own reference", o == l || o->ref != l->ref);
        return;
    }
    switch (rng_below(rng, 5)) {
    case 0:
        check_equal("grant_end against the model", grant_end(&grants, l->ref),
                    l->deferred ? -EINVAL
                    : in_use    ? -EBUSY
                                : 0);
        if (!l->deferred && !in_use) {
            gg_free_page(l->pfn);
            l->ref = 0;
        }
        break;
    case 1:
        check_equal("grant_end_page against the model", grant_end_page(&grants, l->ref),
                    l->deferred ? -EINVAL : 0);
        l->deferred = true;
        break;
    case 2:
        if (l->nr_mapped < 3 && (!l->deferred || in_use)) {
            check_equal("the peer maps a grant", fake_peer_map(FAKE_PEER, l->ref, l->readonly), 0);
            l->nr_mapped++;
        }
        break;
    default:
        if (in_use) {
            fake_peer_unmap(l->ref);
            l->nr_mapped--;
        }
    }
    if (l->ref && l->deferred && !l->nr_mapped) {
        check_true("grants_poll returns a number of deferred grants",
                   grants_poll(&grants) < MAX_LIVE);
        check_true("the page of a finished deferred grant is in the frame pool",
                   frame_pool_has(&fg.g.frame_pool, l->pfn));
        l->ref = 0;
    }
}

static void check_live(void)
{
    unsigned int nr_used = 0, nr_deferred = 0;

    for (struct live_grant *l = live_grants; l < live_grants + MAX_LIVE; l++) {
        if (!l->ref)
            continue;
        nr_used += !l->deferred;
        nr_deferred += l->deferred;
        check_equal("grant_in_use against the model", grant_in_use(&grants, l->ref),
                    l->nr_mapped > 0);
        check_true("a granted page is not in the frame pool",
                   !frame_pool_has(&fg.g.frame_pool, l->pfn));
        if (!l->deferred)
            gg_check_entry("grant entry against the model", l->ref, l->pfn, l->readonly);
    }
    check_equal("references in use against the model", grants.nr_used, nr_used);
    check_equal("deferred grants against the model", grants.nr_deferred, nr_deferred);
    check_true("grant entries of console and xenstore are untouched",
               fake_grants_reserved_untouched());
}

static void test_random_sequences(void **state)
{
    struct rng rng = {.state = 0x4752414e};

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (unsigned int version = 1; version <= 2; version++) {
        uint64_t nr_free;

        gg_start_version(version);
        nr_free = fg.g.frame_pool.free.nr_pfns;
        memset(live_grants, 0, sizeof(live_grants));
        for (int i = 0; i < 6000; i++) {
            step(&rng);
            check_live();
        }
        fake_peer_unmap_all();
        for (struct live_grant *l = live_grants; l < live_grants + MAX_LIVE; l++)
            if (l->ref && !l->deferred)
                check_equal("grant_end_page of each remaining grant",
                            grant_end_page(&grants, l->ref), 0);
        check_equal("deferred grants left after the peer unmapped all", grants_poll(&grants), 0);
        check_equal("free frames at the end against the start", fg.g.frame_pool.free.nr_pfns,
                    nr_free);
        gg_check_all_free("grant table after ending all grants");
    }
}

static void test_copy(void **state)
{
    uint32_t rw, ro, other;
    pfn_t pfn;

    (void)state;
    gg_start_version(2);
    rw = fake_peer_grant(FAKE_DOMID, false);
    ro = fake_peer_grant(FAKE_DOMID, true);
    other = fake_peer_grant(6, false);
    pfn = gg_page();
    for (unsigned int i = 0; i < 512; i++)
        fake_ram(gg_mfn(pfn))[i] = i;
    struct gnttab_copy_ptr ours = {.u.gmfn = gg_mfn(pfn), .domid = DOMID_SELF, .offset = 16};
    struct gnttab_copy ops[] = {
        {ours, {.u.ref = rw, .domid = FAKE_PEER},                 64, GNTCOPY_dest_gref, 1},
        {ours, {.u.ref = ro, .domid = FAKE_PEER},                 64, GNTCOPY_dest_gref, 1},
        {ours, {.u.ref = other, .domid = FAKE_PEER},              64, GNTCOPY_dest_gref, 1},
        {ours, {.u.ref = rw, .domid = 6},                         64, GNTCOPY_dest_gref, 1},
        {ours, {.u.ref = rw, .domid = FAKE_PEER, .offset = 4090}, 64, GNTCOPY_dest_gref, 1},
    };

    check_equal("grant_copy of 5 operations", grant_copy(ops, ARRAY_SIZE(ops)), 0);
    check_equal("last copied word in the peer's page", fake_ram(fake_peer_mfn(rw))[7], 9);
    check_equal("word after the copied words in the peer's page", fake_ram(fake_peer_mfn(rw))[8],
                0);
    check_equal("status of a copy to a read-write grant", ops[0].status, GNTST_okay);
    check_equal("status of a copy to a read-only grant", ops[1].status, GNTST_general_error);
    check_equal("status of a copy to a grant to another domain", ops[2].status,
                GNTST_general_error);
    check_equal("status of a copy to a missing domain", ops[3].status, GNTST_bad_domain);
    check_equal("status of a copy across the end of a page", ops[4].status, GNTST_bad_copy_arg);
    fake.fail_at = fake.nr_hypercalls + 1;
    fake.fail_with = -XEN_EFAULT;
    check_equal("grant_copy whose hypercall fails", grant_copy(ops, 1), -EFAULT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_grant_and_end, fg_teardown),
        cmocka_unit_test_teardown(test_no_grants, fg_teardown),
        cmocka_unit_test_teardown(test_end_in_use, fg_teardown),
        cmocka_unit_test_teardown(test_deferred, fg_teardown),
        cmocka_unit_test_teardown(test_deferred_pool_full, fg_teardown),
        cmocka_unit_test_teardown(test_random_sequences, fg_teardown),
        cmocka_unit_test_teardown(test_copy, fg_teardown),
    };

    return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
