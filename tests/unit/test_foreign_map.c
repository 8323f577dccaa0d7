/* SPDX-License-Identifier: MIT */
/*
 * Mapping foreign frames. Without this test a batch that Xen refuses half way could leave mappings
 * that no range records; a device's page could be mapped cacheable; a suspend could begin while
 * foreign frames are mapped; or a refused suspend could leave a range without its mappings.
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
    range = fg_start_range(FOREIGN_MACHINE, DOMID_IO, nr);
    fg_take_devices(mfns, nr);
}

static void check_mapped(const char *what, uint64_t nr)
{
    fg_check(what);
    check_equal(what, range->nr_mapped, nr);
}

/* The PTE of page @i of the range; 0 if there is no level 1 table. */
static uint64_t entry(uint64_t i)
{
    struct pt_entry e = pt_walk(&fg.g.pt, foreign_va(range, i));

    return e.level == 1 ? e.pte : 0;
}

static void test_devices(void **state)
{
    (void)state;
    start(4);
    *fake_ram(mfns[1].v) = 0x1234;
    check_equal("foreign_map of pages 1 and 2, read-write",
                foreign_map(&fg.window, range, 1, mfns + 1, 2, PTE_RW), 0);
    check_mapped("foreign range after mapping 2 pages", 2);
    check_equal("PTE_UC bits of a device page's PTE", entry(1) & PTE_UC, PTE_UC);
    check_true("a page mapped read-write has a writable PTE", entry(1) & PTE_W);
    check_equal("word read through the mapping", *(volatile uint64_t *)foreign_va(range, 1),
                0x1234);
    *(volatile uint64_t *)foreign_va(range, 2) = 0x77;
    check_equal("word written through the mapping", *fake_ram(mfns[2].v), 0x77);
    check_true("foreign_is_mapped says page 1 is mapped, page 0 is not",
               foreign_is_mapped(range, 1) && !foreign_is_mapped(range, 0));
    check_equal("foreign_map over a mapped page",
                foreign_map(&fg.window, range, 0, mfns, 2, PTE_RO), -EEXIST);
    check_mapped("foreign range after a refused foreign_map", 2);
    check_equal("foreign_map past the end of the range",
                foreign_map(&fg.window, range, 3, mfns, 2, PTE_RO), -ERANGE);
    check_equal("foreign_map at page UINT64_MAX",
                foreign_map(&fg.window, range, UINT64_MAX, mfns, 2, PTE_RO), -ERANGE);
    check_equal("foreign_unmap past the end of the range", foreign_unmap(&fg.window, range, 4, 1),
                -ERANGE);
    check_equal("foreign_unmap of UINT64_MAX pages",
                foreign_unmap(&fg.window, range, 2, UINT64_MAX), -ERANGE);
    check_equal("foreign_map of INVALID_ENTRY",
                foreign_map(&fg.window, range, 0, &(mfn_t){INVALID_ENTRY}, 1, PTE_RO), -EINVAL);
    check_equal(
        "foreign_map of an MFN of 41 bits",
        foreign_map(&fg.window, range, 0, &(mfn_t){mfns[0].v | (uint64_t)1 << 40}, 1, PTE_RO),
        -EINVAL);
    check_equal("foreign_map of 0 pages", foreign_map(&fg.window, range, 4, mfns, 0, PTE_RO), 0);
    check_equal("foreign_release of a range with mapped pages", foreign_release(&fg.window, range),
                -EBUSY);
    check_equal("foreign_unmap of the whole range", foreign_unmap(&fg.window, range, 0, 4), 0);
    check_true("foreign_unmap flushed the TLB entry of page 2",
               !fake_tlb_writable(foreign_va(range, 2)));
    check_mapped("foreign range after unmapping all pages", 0);
    check_equal("foreign_map of page 3, read-only",
                foreign_map(&fg.window, range, 3, mfns, 1, PTE_RO), 0);
    check_true("a page mapped read-only has a read-only PTE", !(entry(3) & PTE_W));
    check_equal("foreign_unmap of page 3", foreign_unmap(&fg.window, range, 3, 1), 0);
    fg_release(range);
    fg_check_empty("foreign window after releasing the range");
}

static void test_whose_frames(void **state)
{
    static const struct {
        const char *what;
        bool privileged;
        domid_t domain;
        int rc[4]; /* for a frame of a device, of the peer, of the guest, and a missing one */
    } rows[] = {
        {"frames of DOMID_IO",               true,  DOMID_IO,   {0, -XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL}      },
        {"frames of the peer",               true,  FAKE_PEER,  {-XEN_EINVAL, 0, -XEN_EINVAL, -XEN_EINVAL}      },
        {"frames of DOMID_SELF",             false, DOMID_SELF, {-XEN_EINVAL, -XEN_EINVAL, 0, -XEN_EINVAL}      },
        {"frames of a missing domain",       true,  77,         {-XEN_ESRCH, -XEN_ESRCH, -XEN_ESRCH, -XEN_ESRCH}},
        {"frames of the peer, unprivileged",
         false,                                     FAKE_PEER,
         {-XEN_EPERM, -XEN_EPERM, -XEN_EPERM, -XEN_EPERM}                                                       },
        {"frames of DOMID_IO, unprivileged",
         false,                                     DOMID_IO,
         {-XEN_EPERM, -XEN_EPERM, -XEN_EPERM, -XEN_EPERM}                                                       },
    };
    mfn_t frames[4];

    (void)state;
    start(1);
    frames[0] = mfns[0];
    frames[1] = to_mfn(fake_peer_mfn(fake_peer_grant(FAKE_DOMID, false)));
    check_equal("frame_pool_alloc of a frame of the guest",
                frame_pool_alloc(&fg.g.frame_pool, &frames[2]), 0);
    frames[3] = to_mfn(fake.first_mfn + fake.nr_mfns + 5);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct foreign_range *r = fg_reserve(FOREIGN_FRAME, rows[i].domain, 3);

        fake_grants.privileged = rows[i].privileged;
        for (int k = 0; k < 4; k++) {
            check_equal(rows[i].what, foreign_map(&fg.window, r, 1, &frames[k], 1, PTE_RW),
                        rows[i].rc[k]);
            check_equal(rows[i].what, fake_walk(foreign_va(r, 1)).present, !rows[i].rc[k]);
            if (!rows[i].rc[k])
                check_equal("PTE_UC bits of a domain's page",
                            pt_walk(&fg.g.pt, foreign_va(r, 1)).pte & PTE_UC, 0);
            check_equal("foreign_unmap of the range", foreign_unmap(&fg.window, r, 0, 3), 0);
        }
        fg_release(r);
    }
}

static void map_pattern(unsigned int nr, unsigned int bad)
{
    mfn_t batch[6];

    for (unsigned int i = 0; i < nr; i++)
        batch[i] = bad >> i & 1 ? to_mfn(fake.root) : mfns[i];
    check_equal("foreign_map of a batch with a pattern of bad frames",
                foreign_map(&fg.window, range, 1, batch, nr, PTE_RW), bad ? -XEN_EINVAL : 0);
    check_mapped("foreign range after the batch", bad ? 0 : nr);
    check_equal("foreign_unmap of the whole range", foreign_unmap(&fg.window, range, 0, 8), 0);
    check_mapped("foreign range after unmapping all pages", 0);
}

/* foreign_map maps all pages or none, whichever frames Xen refuses. */
static void test_every_pattern(void **state)
{
    (void)state;
    start(8);
    fg_each_pattern(map_pattern);
}

static void map_one_bad(unsigned int nr, unsigned int bad)
{
    mfn_t was = mfns[bad];

    mfns[bad] = to_mfn(fake.root);
    check_equal("foreign_map of a batch with one bad frame",
                foreign_map(&fg.window, range, 3, mfns, nr, PTE_RW), -XEN_EINVAL);
    mfns[bad] = was;
    check_mapped("foreign range after a batch with one bad frame", 0);
    check_equal("references of the first frame after a batch with one bad frame",
                fake_frame(mfns[0].v)->refs, 0);
}

/* One frame that Xen refuses, on either side of the end of each hypercall. */
static void test_across_hypercalls(void **state)
{
    static const unsigned int sizes[] = {511, 512, 513, 1024, 1025};

    (void)state;
    start(MAX_PAGES);
    fg_around_hypercalls(map_one_bad);
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        fake.largest_update = 0;
        check_equal("foreign_map across hypercalls",
                    foreign_map(&fg.window, range, 3, mfns, sizes[s], PTE_RW), 0);
        check_equal("largest mmu_update of foreign_map", fake.largest_update,
                    min_u64(sizes[s], 512));
        check_mapped("foreign range after foreign_map across hypercalls", sizes[s]);
        fake.largest_update = 0;
        check_equal("foreign_unmap across hypercalls",
                    foreign_unmap(&fg.window, range, 0, MAX_PAGES), 0);
        check_equal("largest mmu_update of foreign_unmap", fake.largest_update,
                    min_u64(sizes[s], 512));
        check_mapped("foreign range after foreign_unmap across hypercalls", 0);
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
    job.rc = job.unmap ? foreign_unmap(&fg.window, range, 0, range->nr)
                       : foreign_map(&fg.window, range, 0, mfns, job.nr, PTE_RW);
}

/* Each hypercall fails once: the range records what was done, so a second attempt does the rest. */
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
                    check_says("panic of foreign_map or foreign_unmap", panic, ": cannot ");
                    continue;
                }
                check_equal("foreign_map or foreign_unmap with a failing hypercall", job.rc,
                            -XEN_EINVAL);
                fg_check("foreign window after a failing hypercall");
                if (!unmap)
                    check_mapped("foreign range after foreign_map failed", 0);
                check_equal("second foreign_unmap", foreign_unmap(&fg.window, range, 0, 900), 0);
                check_mapped("foreign range after the second foreign_unmap", 0);
                fg_release(range);
                fg_check_empty("foreign window after releasing the range");
            }
    check_true("foreign_unmap of 900 pages makes more than two hypercalls", fake.nr_hypercalls > 2);
}

/* Owners of ranges; each records the calls of its functions. */
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
    return log->unmap_rc ? log->unmap_rc : foreign_unmap(&fg.window, r, 0, r->nr);
}

static int remap_logged(struct foreign_range *r, void *context, bool new_domain)
{
    struct owner_log *log = context;

    log->nr_remaps++;
    log->new_domain = new_domain;
    return log->remap_rc ? log->remap_rc
                         : foreign_map(&fg.window, r, 0, mfns, log->nr_mapped, PTE_RW);
}

static struct foreign_range *ranges[3];

/* Reserves three ranges with owners. Range @empty has no mapped page, range @alone no owner. */
static void start_owners(unsigned int empty, unsigned int alone)
{
    start(3);
    for (unsigned int i = 0; i < 3; i++) {
        logs[i] = (struct owner_log){
            .owner = {"a test", unmap_logged, remap_logged, &logs[i]}
        };
        check_equal("foreign_reserve of a range of 3 pages",
                    foreign_reserve(&fg.window, FOREIGN_MACHINE, DOMID_IO, 3,
                                    i == alone ? NULL : &logs[i].owner, &ranges[i]),
                    0);
        if (i != empty)
            check_equal("foreign_map of 2 pages",
                        foreign_map(&fg.window, ranges[i], 0, mfns, 2, PTE_RW), 0);
    }
}

static void test_suspend(void **state)
{
    const struct foreign_range *who = NULL;

    (void)state;
    for (int new_domain = 0; new_domain < 2; new_domain++) {
        start_owners(1, 3);
        check_equal("foreign_suspend with an owner for each range",
                    foreign_suspend(&fg.window, &who), 0);
        for (int i = 0; i < 3; i++)
            check_equal("unmap calls of each owner", logs[i].nr_unmaps, 1);
        fg_check("foreign window after foreign_suspend");
        check_true("no page is mapped after foreign_suspend",
                   !ranges[0]->nr_mapped && !ranges[2]->nr_mapped);
        logs[2].remap_rc = -EIO;
        check_equal("owners that foreign_resume could not remap",
                    foreign_resume(&fg.window, new_domain), 1);
        check_equal("pages mapped in range 0 after foreign_resume", ranges[0]->nr_mapped, 2);
        check_equal("pages mapped in range 2, whose remap failed", ranges[2]->nr_mapped, 0);
        check_equal("new_domain argument of the remap call", logs[0].new_domain, new_domain);
        check_equal("remap calls of the range without mapped pages", logs[1].nr_remaps, 1);
        check_equal("second foreign_resume", foreign_resume(&fg.window, new_domain), 0);
        check_equal("remap calls after the second foreign_resume", logs[0].nr_remaps, 1);
        fg_check("foreign window after foreign_resume");
    }
}

static void test_suspend_refused(void **state)
{
    const struct foreign_range *who = NULL;

    (void)state;
    for (unsigned int alone = 0; alone < 3; alone++) {
        start_owners(3, alone);
        check_equal("foreign_suspend with a range without an owner",
                    foreign_suspend(&fg.window, &who), -EBUSY);
        check_true("foreign_suspend returns the range without an owner", who == ranges[alone]);
        for (unsigned int i = 0; i < 3; i++) {
            check_equal("pages mapped after a refused foreign_suspend", ranges[i]->nr_mapped, 2);
            check_equal("remap calls after a refused foreign_suspend", logs[i].nr_remaps,
                        i < alone);
            check_true("remap is called for the same domain", !logs[i].new_domain);
        }
        fg_check("foreign window after a refused foreign_suspend");
        start_owners(3, 3);
        logs[alone].unmap_rc = -EIO;
        check_equal("foreign_suspend with a failing unmap call", foreign_suspend(&fg.window, &who),
                    -EIO);
        check_true("foreign_suspend returns the range whose unmap failed", who == ranges[alone]);
        for (unsigned int i = 0; i < 3; i++)
            check_equal("pages mapped after a failed unmap call", ranges[i]->nr_mapped, 2);
        fg_check("foreign window after a failed unmap call");
    }
}

/* A refused suspend, where an owner cannot remap, for example because its peer has ended the grant:
 * this owner's range stays unmapped. */
static void test_no_way_back(void **state)
{
    const struct foreign_range *who;

    (void)state;
    start_owners(3, 2);
    logs[0].remap_rc = -EIO;
    check_equal("foreign_suspend with a range without an owner", foreign_suspend(&fg.window, &who),
                -EBUSY);
    check_true("foreign_suspend returns the range without an owner", who == ranges[2]);
    check_equal("pages mapped in the range that could not be remapped", ranges[0]->nr_mapped, 0);
    check_equal("pages mapped in the range that was remapped", ranges[1]->nr_mapped, 2);
    fg_check("foreign window after a remap failed");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_devices, fg_teardown),
        cmocka_unit_test_teardown(test_whose_frames, fg_teardown),
        cmocka_unit_test_teardown(test_every_pattern, fg_teardown),
        cmocka_unit_test_teardown(test_across_hypercalls, fg_teardown),
        cmocka_unit_test_teardown(test_every_hypercall, fg_teardown),
        cmocka_unit_test_teardown(test_suspend, fg_teardown),
        cmocka_unit_test_teardown(test_suspend_refused, fg_teardown),
        cmocka_unit_test_teardown(test_no_way_back, fg_teardown),
    };

    return cmocka_run_group_tests_name("foreign mappings", tests, NULL, NULL);
}
