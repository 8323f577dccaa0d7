/* SPDX-License-Identifier: MIT */
#include "tests/unit/grants_guest.h"

#include "lib/errno.h"

#include <stdlib.h>

struct grants grants;

void gg_start(enum fake_mfns mfns)
{
    fg_start_on(mfns, 16 << 20);
    fake_grants.privileged = false;
    grants = (struct grants){
        .window = &fg.window, .heap = &fg.g.heap, .p2m = &fg.g.p2m, .pool = &fg.g.frame_pool};
}

void gg_start_version(unsigned int version)
{
    gg_start(FAKE_MFNS_SHUFFLED);
    check_equal("grants_start of the requested version", grants_start(&grants, version), 0);
    check_equal("grant table version of the kernel", grants.version, version);
    check_equal("grant table version of Xen", fake_grants_version(), version);
}

pfn_t gg_page(void)
{
    struct pfn_run run = frame_pool_alloc_run(&fg.g.frame_pool, 1);

    check_equal("pages of a run of 1 from the frame pool", run.end - run.start, 1);
    return to_pfn(run.start);
}

void gg_free_page(pfn_t pfn)
{
    check_equal("frame_pool_add of one page", frame_pool_add(&fg.g.frame_pool, pfn.v, pfn.v + 1),
                0);
}

uint64_t gg_mfn(pfn_t pfn)
{
    return p2m_get_ram(&fg.g.p2m, pfn).v;
}

uint32_t gg_access(pfn_t pfn, bool readonly)
{
    uint32_t ref = 0;

    check_equal("grant_access to the peer", grant_access(&grants, FAKE_PEER, pfn, readonly, &ref),
                0);
    gg_check_entry("grant entry after grant_access", ref, pfn, readonly);
    return ref;
}

void gg_check_entry(const char *what, uint32_t ref, pfn_t pfn, bool readonly)
{
    struct fake_entry e = fake_grants_entry(ref);

    check_true(what, ref >= GNTTAB_NR_RESERVED_ENTRIES);
    check_equal(what, e.flags & ~(GTF_reading | GTF_writing),
                GTF_permit_access | (readonly ? GTF_readonly : 0));
    check_equal(what, e.domid, FAKE_PEER);
    check_equal(what, e.frame, gg_mfn(pfn));
}

void gg_check_all_free(const char *what)
{
    uint32_t per = grants.version == 1 ? 512 : 256, nr = grants.nr_frames * per;
    bool *seen = calloc(nr, sizeof(*seen));
    pfn_t pfn = gg_page();

    check_equal(what, grants.nr_used, 0);
    check_equal(what, grants.nr_deferred, 0);
    check_equal(what, grants.nr_record_frames, nr / per * DIV_ROUND_UP(per * 16, PAGE_SIZE));
    for (uint32_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < nr; ref++)
        check_equal(what, fake_grants_entry(ref).flags, 0);
    for (uint32_t i = GNTTAB_NR_RESERVED_ENTRIES; i < nr; i++) {
        uint32_t ref = gg_access(pfn, false);

        if (ref >= nr || seen[ref])
            fail_msg("%s: grant_access returned reference %u of %u%s", what, ref, nr,
                     ref < nr ? ", which is in use" : ", which does not exist");
        seen[ref] = true;
    }
    check_equal(what, grants.nr_frames, nr / per);
    for (uint32_t ref = GNTTAB_NR_RESERVED_ENTRIES; ref < nr; ref++)
        check_equal(what, grant_end(&grants, ref), 0);
    check_true(what, fake_grants_reserved_untouched());
    gg_free_page(pfn);
    free(seen);
}
