/* SPDX-License-Identifier: MIT */
/*
 * A grant is a hole in the wall between two domains. Without this one could lead to another page
 * than was meant, stay open when it was said to be closed, or be closed while the peer still is at
 * the page, which then is used for something else. The peer here does what a hostile one would.
 */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

static void test_give_and_end(void **state)
{
    (void)state;
    for (unsigned int version = 1; version <= 2; version++) {
        uint32_t ref, ro;
        pfn_t pfn;

        gg_start_version(version);
        pfn = gg_page();
        ref = gg_access(pfn, false);
        ro = gg_access(pfn, true);
        check_equal("the first that is free", ref, 8);
        check_equal("and the next", ro, 9);
        check_equal("used", grants.nr_used, 2);
        check_equal("another domain", fake_peer_map(6, ref, true), GNTST_general_error);
        check_true("nobody", !grant_in_use(&grants, ref));
        check_equal("to write what is to be read", fake_peer_map(FAKE_PEER, ro, false),
                    GNTST_general_error);
        check_true("nobody", !grant_in_use(&grants, ro));
        check_equal("to read it", fake_peer_map(FAKE_PEER, ro, true), 0);
        check_true("the peer", grant_in_use(&grants, ro));
        check_true("by that one only", !grant_in_use(&grants, ref));
        check_equal("to write", fake_peer_map(FAKE_PEER, ref, false), 0);
        check_equal("the page", fake_peer_sees(ref), gg_mfn(pfn));
        fake_peer_unmap(ref);
        fake_peer_unmap(ro);
        check_equal("end", grant_end(&grants, ref), 0);
        check_equal("end it twice", grant_end(&grants, ref), -EINVAL);
        check_equal("or later", grant_end_page(&grants, ref), -EINVAL);
        check_equal("no more", fake_peer_map(FAKE_PEER, ref, true), GNTST_general_error);
        check_equal("the other holds", fake_peer_map(FAKE_PEER, ro, true), 0);
        fake_peer_unmap(ro);
        check_equal("end", grant_end(&grants, ro), 0);
        gg_free_page(pfn);
        gg_check_all_free("at the end");
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
            check_equal("end", grant_end(&grants, refs[i]), -EINVAL);
            check_equal("end later", grant_end_page(&grants, refs[i]), -EINVAL);
        }
        check_equal("a PFN without a frame",
                    grant_access(&grants, FAKE_PEER, to_pfn(1 << 19), false, &ref), -EINVAL);
        check_equal("no reference", ref, 77);
        gg_check_all_free("after");
    }
}

/* While the peer is there, no attempt to end it succeeds, however often it is tried. */
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
            check_equal("map", fake_peer_map(FAKE_PEER, ref, readonly), 0);
            for (int i = 0; i < 3; i++) {
                check_equal("in use", grant_end(&grants, ref), -EBUSY);
                check_true("in use", grant_in_use(&grants, ref));
                gg_check_entry("still a grant", ref, pfn, readonly);
                check_equal("and counted", grants.nr_used, 1);
            }
            fake_peer_unmap(ref);
            check_equal("it still holds", fake_peer_map(FAKE_PEER, ref, readonly), 0);
            fake_peer_unmap(ref);
            check_equal("end", grant_end(&grants, ref), 0);
            gg_free_page(pfn);
            gg_check_all_free("at the end");
        }
}

/* Deferred: the page is the peer's until it lets go, and nobody's before. */
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
                check_equal("map", fake_peer_map(FAKE_PEER, refs[i], false), 0);
        }
        for (int i = 0; i < 4; i++)
            check_equal("end", grant_end_page(&grants, refs[i]), 0);
        check_true("nobody was there", frame_pool_has(&wg.g.frame_pool, pages[0]));
        check_equal("deferred", grants.nr_deferred, 3);
        check_equal("used", grants.nr_used, 0);
        check_equal("none of them is a grant", grant_end(&grants, refs[1]), -EINVAL);
        check_equal("to be ended", grant_end_page(&grants, refs[1]), -EINVAL);
        check_equal("poll", grants_poll(&grants), 3);
        /* what is mapped can be mapped again: Xen does not ask the entry */
        check_equal("again", fake_peer_map(FAKE_PEER, refs[2], false), 0);
        fake_peer_unmap(refs[2]);
        check_equal("poll", grants_poll(&grants), 3);
        check_true("not free", !frame_pool_has(&wg.g.frame_pool, pages[2]));
        fake_peer_unmap(refs[2]);
        check_equal("the one in the middle", grants_poll(&grants), 2);
        check_true("free", frame_pool_has(&wg.g.frame_pool, pages[2]));
        check_equal("not by this one", fake_peer_map(FAKE_PEER, refs[2], false),
                    GNTST_general_error);
        fake_peer_unmap(refs[3]);
        check_equal("the first", grants_poll(&grants), 1);
        check_true("free", frame_pool_has(&wg.g.frame_pool, pages[3]));
        fake_peer_unmap(refs[1]);
        check_equal("the last", grants_poll(&grants), 0);
        check_true("free", frame_pool_has(&wg.g.frame_pool, pages[1]));
        gg_check_all_free("at the end");
    }
}

/* The pool's array is full: the page waits until there is room, and is not lost. */
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
    wg.g.frame_pool.free.cap_runs = wg.g.frame_pool.free.nr_runs;
    check_equal("end", grant_end_page(&grants, ref), 0);
    check_equal("it waits", grants_poll(&grants), 1);
    check_true("not free", !frame_pool_has(&wg.g.frame_pool, pfn));
    check_equal("nobody can map it", fake_peer_map(FAKE_PEER, ref, true), GNTST_general_error);
    wg.g.frame_pool.free.cap_runs = ARRAY_SIZE(wg.g.runs);
    check_equal("there is room", grants_poll(&grants), 0);
    check_true("free", frame_pool_has(&wg.g.frame_pool, pfn));
}

/* Sequences against a model: what is granted, what is waiting, which pages are whose. */
#define MAX_LIVE 64

static struct live_grant {
    uint32_t ref; /* 0: none */
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
            check_true("a reference of its own", o == l || o->ref != l->ref);
        return;
    }
    switch (rng_below(rng, 5)) {
    case 0:
        check_equal("end", grant_end(&grants, l->ref), l->deferred ? -EINVAL : in_use ? -EBUSY : 0);
        if (!l->deferred && !in_use) {
            gg_free_page(l->pfn);
            l->ref = 0;
        }
        break;
    case 1:
        check_equal("end later", grant_end_page(&grants, l->ref), l->deferred ? -EINVAL : 0);
        l->deferred = true;
        break;
    case 2:
        if (l->nr_mapped < 3 && (!l->deferred || in_use)) {
            check_equal("map", fake_peer_map(FAKE_PEER, l->ref, l->readonly), 0);
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
        check_true("the count", grants_poll(&grants) < MAX_LIVE);
        check_true("given to the pool", frame_pool_has(&wg.g.frame_pool, l->pfn));
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
        check_equal("in use", grant_in_use(&grants, l->ref), l->nr_mapped > 0);
        check_true("not free", !frame_pool_has(&wg.g.frame_pool, l->pfn));
        if (!l->deferred)
            gg_check_entry("a grant", l->ref, l->pfn, l->readonly);
    }
    check_equal("used", grants.nr_used, nr_used);
    check_equal("deferred", grants.nr_deferred, nr_deferred);
    check_true("console and store", fake_grants_reserved_untouched());
}

static void test_random_sequences(void **state)
{
    struct rng rng = {.state = 0x4752414e};

    (void)state;
    print_message("# seed %#lx\n", rng.state);
    for (unsigned int version = 1; version <= 2; version++) {
        uint64_t nr_free;

        gg_start_version(version);
        nr_free = wg.g.frame_pool.free.nr_pfns;
        memset(live_grants, 0, sizeof(live_grants));
        for (int i = 0; i < 6000; i++) {
            step(&rng);
            check_live();
        }
        fake_peer_unmap_all();
        for (struct live_grant *l = live_grants; l < live_grants + MAX_LIVE; l++)
            if (l->ref && !l->deferred)
                check_equal("end", grant_end_page(&grants, l->ref), 0);
        check_equal("all have ended", grants_poll(&grants), 0);
        check_equal("no frame is lost", wg.g.frame_pool.free.nr_pfns, nr_free);
        gg_check_all_free("at the end");
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

    check_equal("copy", grant_copy(ops, ARRAY_SIZE(ops)), 0);
    check_equal("there it is", fake_ram(fake_peer_mfn(rw))[7], 9);
    check_equal("and no more", fake_ram(fake_peer_mfn(rw))[8], 0);
    check_equal("its status", ops[0].status, GNTST_okay);
    check_equal("to be read only", ops[1].status, GNTST_general_error);
    check_equal("another's", ops[2].status, GNTST_general_error);
    check_equal("nobody's", ops[3].status, GNTST_bad_domain);
    check_equal("across a page", ops[4].status, GNTST_bad_copy_arg);
    fake.fail_at = fake.nr_hypercalls + 1;
    fake.fail_with = -XEN_EFAULT;
    check_equal("refused", grant_copy(ops, 1), -EFAULT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_give_and_end, wg_teardown),
        cmocka_unit_test_teardown(test_no_grants, wg_teardown),
        cmocka_unit_test_teardown(test_end_in_use, wg_teardown),
        cmocka_unit_test_teardown(test_deferred, wg_teardown),
        cmocka_unit_test_teardown(test_deferred_pool_full, wg_teardown),
        cmocka_unit_test_teardown(test_random_sequences, wg_teardown),
        cmocka_unit_test_teardown(test_copy, wg_teardown),
    };

    return cmocka_run_group_tests_name("grants", tests, NULL, NULL);
}
