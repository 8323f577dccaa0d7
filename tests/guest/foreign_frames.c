/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, foreign mappings by MFN would be tried with frames of this domain only, and
 * a toolstack, which maps frames of other domains by MFN, would be the first to meet an error.
 *
 * DOMID_XEN (<xen/xen.h>) owns frames that every privileged domain may read: those of the M2P.
 * XENMEM_machphys_mfn_list (<xen/memory.h>) returns their MFNs in extents of 2 MiB. Xen also maps
 * the M2P into each PV guest, so the same memory can be read at two addresses and compared. Xen
 * must refuse a writable mapping to dom0, and any mapping to a domU.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#include <xen/memory.h>

#define EXTENT_PAGES PTES_PER_TABLE
#define EXTENT_MFNS  (level_bytes(2) / sizeof(uint64_t))
#define MAX_EXTENTS  16 /* extents that are looked at; a large host has thousands */
#define NR_TRIED     3  /* pages of an extent that are mapped */

/* The test's range has NR_TRIED pages, of DOMID_XEN. */
struct extent {
    struct foreign_room *fr;
    struct foreign_range *r;
    unsigned int n; /* index in the list */
    uint64_t mfn;   /* of the extent's first frame */
    bool is_first;  /* only one extent provokes lines in Xen's log */
};

/* Returns the number of extents. A gap of the M2P has no extent: 0, or the MFN before the gap. */
static unsigned int read_extents(struct test *t, uint64_t mfns[MAX_EXTENTS])
{
    struct xen_machphys_mfn_list list = {.max_extents = MAX_EXTENTS};
    long rc;

    set_xen_guest_handle(list.extent_start, mfns);
    rc = HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list);
    CHECK_RC(rc, 0, "XENMEM_machphys_mfn_list");
    return rc ? 0 : list.nr_extents;
}

static void for_each_extent(struct test *t, void (*check)(const struct extent *x))
{
    uint64_t mfns[MAX_EXTENTS];
    unsigned int nr, nr_checked = 0;
    struct foreign_room fr;
    struct extent x = {.fr = &fr};

    if (!foreign_room_open(&fr, t, 24))
        return;
    x.r = foreign_room_range(&fr, FOREIGN_FRAME, DOMID_XEN, NR_TRIED);
    nr = read_extents(t, mfns);
    for (unsigned int n = 0; n < nr; n++) {
        if (!mfns[n] || (n && mfns[n] == mfns[n - 1]))
            continue;
        x.n = n;
        x.mfn = mfns[n];
        x.is_first = !nr_checked;
        check(&x);
        nr_checked++;
    }
    CHECK(nr_checked,
          "XENMEM_machphys_mfn_list returned %u extents, none of them with an MFN, expected one or "
          "more",
          nr);
    foreign_room_drop(&fr, x.r);
    foreign_room_close(&fr);
}

static bool skip_in_domu(struct test *t)
{
    if (boot_info_is_initdomain(&t->d->boot))
        return false;
    test_skip(t, "a domU may not map frames of DOMID_XEN");
    return true;
}

/* Page @i of the range maps M2P page @page of the extent: the PTE, and each seventh word. */
static void check_page(const struct extent *x, uint64_t i, uint64_t page)
{
    struct test *t = x->fr->room.t;
    const uint64_t *m2p = t->d->host.m2p.table;
    const uint64_t *shown = m2p + x->n * EXTENT_MFNS + page * PAGE_SIZE / sizeof(*m2p);
    uint64_t *mapped = foreign_room_page(x->r, i);

    foreign_room_check_pte(x->fr, x->r, i, to_mfn(x->mfn + page), PTE_NX, PTE_W);
    if (x->is_first && !page)
        CHECK_RC(probe_write(mapped, 0), -EFAULT,
                 "write at %p, a read-only mapping of M2P frame MFN 0x%lx", (void *)mapped, x->mfn);
    for (unsigned int w = 0; w < PAGE_SIZE / sizeof(*m2p); w += 7) {
        uint64_t here = 0, by_xen = 0;
        int rc = probe_read(&mapped[w], &here), rc_xen = probe_read(&shown[w], &by_xen);

        CHECK(!rc && !rc_xen && here == by_xen,
              "M2P entry of MFN 0x%lx, read by a foreign mapping at %p, is 0x%lx (%s), expected "
              "0x%lx (%s) as in Xen's own mapping",
              (uint64_t)(shown + w - m2p), (void *)&mapped[w], here, errno_name(rc), by_xen,
              errno_name(rc_xen));
    }
}

/* The first, the middle and the last page of an extent. */
static void check_readable(const struct extent *x)
{
    static const uint64_t pages[NR_TRIED] = {0, EXTENT_PAGES / 2, EXTENT_PAGES - 1};
    mfn_t mfns[NR_TRIED];

    for (unsigned int i = 0; i < NR_TRIED; i++)
        mfns[i] = to_mfn(x->mfn + pages[i]);
    if (!foreign_room_map_frames(x->fr, x->r, 0, mfns, NR_TRIED, PTE_RO, 0)) {
        for (unsigned int i = 0; i < NR_TRIED; i++)
            check_page(x, i, pages[i]);
        foreign_room_map_frames(x->fr, x->r, 0, mfns, 1, PTE_RO, -EEXIST);
    }
    foreign_room_unmap(x->fr, x->r, 0, NR_TRIED);
    foreign_room_check_empty(x->fr, x->r, 0);
}

TEST(foreign_frames,
     "dom0 may map the M2P frames of DOMID_XEN read-only (XENMEM_machphys_mfn_list)")
{
    if (!skip_in_domu(t))
        for_each_extent(t, check_readable);
}

static void check_refused(const struct extent *x)
{
    const struct domain *d = x->fr->room.t->d;
    mfn_t mfn = to_mfn(x->mfn);
    bool initdom = boot_info_is_initdomain(&d->boot);

    if (x->is_first || !initdom)
        foreign_room_map_frames(x->fr, x->r, 0, &mfn, 1, PTE_RW, ANY_ERROR);
    foreign_room_check_empty(x->fr, x->r, 0);
    if (initdom)
        return;
    foreign_room_map_frames(x->fr, x->r, 0, &mfn, 1, PTE_RO, d->host.has_flask ? -EACCES : -EPERM);
    foreign_room_check_empty(x->fr, x->r, 0);
}

TEST(foreign_frames_refused,
     "Xen allows no mapping of M2P frames (DOMID_XEN) except a read-only mapping by a dom0")
{
    for_each_extent(t, check_refused);
}

static void check_all_or_none(const struct extent *x)
{
    mfn_t mfns[NR_TRIED] = {to_mfn(x->mfn), INVALID_MFN, to_mfn(x->mfn + 1)};

    foreign_room_map_frames(x->fr, x->r, 0, mfns, NR_TRIED, PTE_RO, -EINVAL);
    mfns[1] = to_mfn(((uint64_t)1 << MFN_BITS) - 1); /* refused by Xen, without a line in its log */
    foreign_room_map_frames(x->fr, x->r, 0, mfns, NR_TRIED, PTE_RO, ANY_ERROR);
    foreign_room_map_frames(x->fr, x->r, NR_TRIED - 1, mfns, 2, PTE_RO, -ERANGE);
    for (unsigned int i = 0; i < NR_TRIED; i++)
        foreign_room_check_empty(x->fr, x->r, i);
}

TEST(foreign_frames_batch, "foreign_map of several MFNs maps none of them if one MFN is refused")
{
    if (!skip_in_domu(t))
        for_each_extent(t, check_all_or_none);
}
