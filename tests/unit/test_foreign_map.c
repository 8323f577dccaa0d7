/* SPDX-License-Identifier: MIT */
/*
 * Without this a batch that Xen refuses half way could leave mappings that no range knows of, or
 * a device's page could be cached, or a suspend could begin while frames of others are mapped, or
 * be refused and leave a hole where they were.
 */
#include "tests/unit/foreign_guest.h"

#include "lib/errno.h"

#include <string.h>
#include <xen/errno.h>

#define MAX_PAGES 1030

static mfn_t mfns[MAX_PAGES];
static struct foreign_range *range;

static void start(uint64_t nr)
{
    range = wg_start_range(FOREIGN_MACHINE, DOMID_IO, nr);
    wg_take_devices(mfns, nr);
}

static void check_mapped(const char *what, uint64_t nr)
{
    wg_check(what);
    check_equal(what, range->nr_mapped, nr);
}

/* The page's entry as it is in the table. */
static uint64_t entry(uint64_t i)
{
    struct pt_entry e = pt_walk(&wg.g.pt, foreign_va(range, i));

    return e.level == 1 ? e.pte : 0;
}

static void test_devices(void **state)
{
    (void)state;
    start(4);
    *fake_ram(mfns[1].v) = 0x1234;
    check_equal("map", foreign_map(&wg.window, range, 1, mfns + 1, 2, PTE_RW), 0);
    check_mapped("two", 2);
    check_equal("not cached", entry(1) & PTE_UC, PTE_UC);
    check_true("writable", entry(1) & PTE_W);
    check_equal("read", *(volatile uint64_t *)foreign_va(range, 1), 0x1234);
    *(volatile uint64_t *)foreign_va(range, 2) = 0x77;
    check_equal("written", *fake_ram(mfns[2].v), 0x77);
    check_true("is mapped", foreign_is_mapped(range, 1) && !foreign_is_mapped(range, 0));
    check_equal("over it", foreign_map(&wg.window, range, 0, mfns, 2, PTE_RO), -EEXIST);
    check_mapped("none of these", 2);
    check_equal("past the range", foreign_map(&wg.window, range, 3, mfns, 2, PTE_RO), -ERANGE);
    check_equal("far past it", foreign_map(&wg.window, range, UINT64_MAX, mfns, 2, PTE_RO),
                -ERANGE);
    check_equal("unmap past it", foreign_unmap(&wg.window, range, 4, 1), -ERANGE);
    check_equal("unmap far past it", foreign_unmap(&wg.window, range, 2, UINT64_MAX), -ERANGE);
    check_equal("no such MFN",
                foreign_map(&wg.window, range, 0, &(mfn_t){INVALID_ENTRY}, 1, PTE_RO), -EINVAL);
    check_equal(
        "one of 41 bits",
        foreign_map(&wg.window, range, 0, &(mfn_t){mfns[0].v | (uint64_t)1 << 40}, 1, PTE_RO),
        -EINVAL);
    check_equal("nothing", foreign_map(&wg.window, range, 4, mfns, 0, PTE_RO), 0);
    check_equal("release", foreign_release(&wg.window, range), -EBUSY);
    check_equal("unmap all", foreign_unmap(&wg.window, range, 0, 4), 0);
    check_true("flushed", !fake_tlb_writable(foreign_va(range, 2)));
    check_mapped("none", 0);
    check_equal("read only", foreign_map(&wg.window, range, 3, mfns, 1, PTE_RO), 0);
    check_true("read only", !(entry(3) & PTE_W));
    check_equal("unmap", foreign_unmap(&wg.window, range, 3, 1), 0);
    wg_release(range);
    wg_check_empty("after");
}

static void test_whose_frames(void **state)
{
    static const struct {
        const char *what;
        bool privileged;
        domid_t domain;
        int rc[4]; /* for a device's frame, the peer's, our own, one that there is not */
    } rows[] = {
        {"devices",        true,  DOMID_IO,   {0, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL}      },
        {"the peer",       true,  FAKE_PEER,  {-XEN_EINVAL, 0, -XEN_EINVAL, -XEN_EINVAL}      },
        {"ourselves",      false, DOMID_SELF, {-XEN_EINVAL, -XEN_EINVAL, 0, -XEN_EINVAL}      },
        {"no such domain", true,  77,         {-XEN_ESRCH, -XEN_ESRCH, -XEN_ESRCH, -XEN_ESRCH}},
        {"no right to it", false, FAKE_PEER,  {-XEN_EPERM, -XEN_EPERM, -XEN_EPERM, -XEN_EPERM}},
        {"nor to devices", false, DOMID_IO,   {-XEN_EPERM, -XEN_EPERM, -XEN_EPERM, -XEN_EPERM}},
    };
    mfn_t frames[4];

    (void)state;
    start(1);
    frames[0] = mfns[0];
    frames[1] = to_mfn(fake_peer_mfn(fake_peer_grant(FAKE_DOMID, false)));
    check_equal("a frame of ours", frame_pool_alloc(&wg.g.frame_pool, &frames[2]), 0);
    frames[3] = to_mfn(fake.first_mfn + fake.nr_mfns + 5);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct foreign_range *r = wg_reserve(FOREIGN_FRAME, rows[i].domain, 3);

        fake_grants.privileged = rows[i].privileged;
        for (int k = 0; k < 4; k++) {
            check_equal(rows[i].what, foreign_map(&wg.window, r, 1, &frames[k], 1, PTE_RW),
                        rows[i].rc[k]);
            check_equal(rows[i].what, fake_walk(foreign_va(r, 1)).present, !rows[i].rc[k]);
            if (!rows[i].rc[k])
                check_equal("cached", pt_walk(&wg.g.pt, foreign_va(r, 1)).pte & PTE_UC, 0);
            check_equal("unmap", foreign_unmap(&wg.window, r, 0, 3), 0);
        }
        wg_release(r);
    }
}

static void map_pattern(unsigned int nr, unsigned int bad)
{
    mfn_t batch[6];

    for (unsigned int i = 0; i < nr; i++)
        batch[i] = bad >> i & 1 ? to_mfn(fake.root) : mfns[i];
    check_equal("map", foreign_map(&wg.window, range, 1, batch, nr, PTE_RW), bad ? -XEN_EINVAL : 0);
    check_mapped("all or none", bad ? 0 : nr);
    check_equal("unmap", foreign_unmap(&wg.window, range, 0, 8), 0);
    check_mapped("none", 0);
}

/* All or none, whichever of the frames Xen refuses. */
static void test_every_pattern(void **state)
{
    (void)state;
    start(8);
    wg_each_pattern(map_pattern);
}

static void map_one_bad(unsigned int nr, unsigned int bad)
{
    mfn_t was = mfns[bad];

    mfns[bad] = to_mfn(fake.root);
    check_equal("one is bad", foreign_map(&wg.window, range, 3, mfns, nr, PTE_RW), -XEN_EINVAL);
    mfns[bad] = was;
    check_mapped("none", 0);
    check_equal("uses", fake_frame(mfns[0].v)->refs, 0);
}

/* One frame that Xen refuses, at either side of where one hypercall ends and another begins. */
static void test_across_hypercalls(void **state)
{
    static const unsigned int sizes[] = {511, 512, 513, 1024, 1025};

    (void)state;
    start(MAX_PAGES);
    wg_around_hypercalls(map_one_bad);
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        fake.largest_update = 0;
        check_equal("map", foreign_map(&wg.window, range, 3, mfns, sizes[s], PTE_RW), 0);
        check_equal("by 512", fake.largest_update, min_u64(sizes[s], 512));
        check_mapped("all", sizes[s]);
        fake.largest_update = 0;
        check_equal("unmap", foreign_unmap(&wg.window, range, 0, MAX_PAGES), 0);
        check_equal("by 512", fake.largest_update, min_u64(sizes[s], 512));
        check_mapped("none", 0);
    }
}

static struct {
    uint64_t nr;
    int rc;
    bool unmap;
} job;

static void do_job(void *arg)
{
    (void)arg;
    job.rc = job.unmap ? foreign_unmap(&wg.window, range, 0, range->nr)
                       : foreign_map(&wg.window, range, 0, mfns, job.nr, PTE_RW);
}

/* As above, by hypercalls: what is done stays known, so that a second attempt does the rest. */
static void test_every_hypercall(void **state)
{
    static const unsigned int afters[] = {0, 1, 300, 512};

    (void)state;
    for (int unmap = 0; unmap < 2; unmap++)
        for (size_t a = 0; a < ARRAY_SIZE(afters); a++)
            for (unsigned int n = 1;; n++) {
                const char *panic;

                start(900);
                job.unmap = false;
                job.nr = 900;
                if (unmap)
                    do_job(NULL);
                job.unmap = unmap;
                fake.fail_after = afters[a];
                panic = guest_fail_nth(n, -XEN_EINVAL, do_job, NULL);
                fake.fail_after = 0;
                if (fake.nr_hypercalls < n)
                    break;
                if (panic) {
                    check_says("why", panic, ": cannot ");
                    continue;
                }
                check_equal("errno", job.rc, -XEN_EINVAL);
                wg_check("as it is known");
                if (!unmap)
                    check_mapped("none", 0);
                check_equal("again", foreign_unmap(&wg.window, range, 0, 900), 0);
                check_mapped("none is left", 0);
                wg_release(range);
                wg_check_empty("all is given back");
            }
    check_true("more than one hypercall", fake.nr_hypercalls > 2);
}

/* Owners: each remembers what it was asked. */
static struct owner_log {
    struct foreign_owner owner;
    uint64_t nr_mapped;
    int unmap_rc, remap_rc, nr_unmaps, nr_remaps;
    bool new_domain;
} logs[3];

static int unmap_logged(struct foreign_range *r, void *context)
{
    struct owner_log *log = context;

    log->nr_unmaps++;
    log->nr_mapped = r->nr_mapped;
    return log->unmap_rc ? log->unmap_rc : foreign_unmap(&wg.window, r, 0, r->nr);
}

static int remap_logged(struct foreign_range *r, void *context, bool new_domain)
{
    struct owner_log *log = context;

    log->nr_remaps++;
    log->new_domain = new_domain;
    return log->remap_rc ? log->remap_rc
                         : foreign_map(&wg.window, r, 0, mfns, log->nr_mapped, PTE_RW);
}

static struct foreign_range *ranges[3];

/* Three ranges with owners; @empty has nothing mapped, @alone no owner. */
static void start_owners(unsigned int empty, unsigned int alone)
{
    start(3);
    for (unsigned int i = 0; i < 3; i++) {
        logs[i] = (struct owner_log){
            .owner = {"a test", unmap_logged, remap_logged, &logs[i]}
        };
        check_equal("reserve",
                    foreign_reserve(&wg.window, FOREIGN_MACHINE, DOMID_IO, 3,
                                    i == alone ? NULL : &logs[i].owner, &ranges[i]),
                    0);
        if (i != empty)
            check_equal("map", foreign_map(&wg.window, ranges[i], 0, mfns, 2, PTE_RW), 0);
    }
}

static void test_suspend(void **state)
{
    const struct foreign_range *who = NULL;

    (void)state;
    for (int new_domain = 0; new_domain < 2; new_domain++) {
        start_owners(1, 3);
        check_equal("suspend", foreign_suspend(&wg.window, &who), 0);
        for (int i = 0; i < 3; i++)
            check_equal("asked, with or without a mapping", logs[i].nr_unmaps, 1);
        wg_check("down");
        check_true("nothing mapped", !ranges[0]->nr_mapped && !ranges[2]->nr_mapped);
        logs[2].remap_rc = -EIO;
        check_equal("one fails", foreign_resume(&wg.window, new_domain), 1);
        check_equal("the other", ranges[0]->nr_mapped, 2);
        check_equal("it stays as it is", ranges[2]->nr_mapped, 0);
        check_equal("was told", logs[0].new_domain, new_domain);
        check_equal("the empty one too", logs[1].nr_remaps, 1);
        check_equal("once", foreign_resume(&wg.window, new_domain), 0);
        check_equal("not again", logs[0].nr_remaps, 1);
        wg_check("up");
    }
}

static void test_suspend_refused(void **state)
{
    const struct foreign_range *who = NULL;

    (void)state;
    for (unsigned int alone = 0; alone < 3; alone++) {
        start_owners(3, alone);
        check_equal("nobody's", foreign_suspend(&wg.window, &who), -EBUSY);
        check_true("it is said whose", who == ranges[alone]);
        for (unsigned int i = 0; i < 3; i++) {
            check_equal("as before", ranges[i]->nr_mapped, 2);
            check_equal("asked", logs[i].nr_remaps, i < alone);
            check_true("the same domain", !logs[i].new_domain);
        }
        wg_check("as before");
        start_owners(3, 3);
        logs[alone].unmap_rc = -EIO;
        check_equal("cannot", foreign_suspend(&wg.window, &who), -EIO);
        check_true("it is said who", who == ranges[alone]);
        for (unsigned int i = 0; i < 3; i++)
            check_equal("as before", ranges[i]->nr_mapped, 2);
        wg_check("as before");
    }
}

/* Refused, and an owner cannot map again, as after a peer has ended its grant: that is its loss. */
static void test_no_way_back(void **state)
{
    const struct foreign_range *who;

    (void)state;
    start_owners(3, 2);
    logs[0].remap_rc = -EIO;
    check_equal("refused", foreign_suspend(&wg.window, &who), -EBUSY);
    check_true("it is said whose", who == ranges[2]);
    check_equal("one is not mapped", ranges[0]->nr_mapped, 0);
    check_equal("the other is", ranges[1]->nr_mapped, 2);
    wg_check("as it is known");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_devices, wg_teardown),
        cmocka_unit_test_teardown(test_whose_frames, wg_teardown),
        cmocka_unit_test_teardown(test_every_pattern, wg_teardown),
        cmocka_unit_test_teardown(test_across_hypercalls, wg_teardown),
        cmocka_unit_test_teardown(test_every_hypercall, wg_teardown),
        cmocka_unit_test_teardown(test_suspend, wg_teardown),
        cmocka_unit_test_teardown(test_suspend_refused, wg_teardown),
        cmocka_unit_test_teardown(test_no_way_back, wg_teardown),
    };

    return cmocka_run_group_tests_name("foreign mappings", tests, NULL, NULL);
}
