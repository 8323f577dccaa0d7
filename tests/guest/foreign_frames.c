/* SPDX-License-Identifier: MIT */
/*
 * Without this the window would be tried with our own pages only, and a toolstack, which maps the
 * frames of others by number, would be the first to see what becomes of those. There is one owner
 * whose frames every privileged domain may read: DOMID_XEN (<xen/xen.h>), to whom the M2P belongs.
 * XENMEM_machphys_mfn_list (<xen/memory.h>) names its frames, 2 MiB each, and we see the same table
 * at the address where Xen shows it to all: two ways to one memory. Nobody may write it.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#include <xen/memory.h>

#define EXTENT_PAGES PTES_PER_TABLE
#define EXTENT_MFNS  (level_bytes(2) / sizeof(uint64_t))
#define MAX_EXTENTS  16 /* that are asked for; a large machine has thousands */
#define NR_TRIED     3  /* pages of an extent */

/* The frames that Xen names, 0 where there is a gap. Returns how many it wrote. */
static unsigned int ask_for_extents(struct test *t, uint64_t extents[MAX_EXTENTS])
{
    struct xen_machphys_mfn_list list = {.max_extents = MAX_EXTENTS};
    long rc;

    set_xen_guest_handle(list.extent_start, extents);
    rc = HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list);
    CHECK(rc == 0 && list.nr_extents, "XENMEM_machphys_mfn_list says %ld, and %u extents", rc,
          list.nr_extents);
    return rc ? 0 : list.nr_extents;
}

/* The first, the middle and the last page of the extent number @n, which begins at frame @base. */
static void compare(struct foreign_room *s, struct foreign_range *r, unsigned int n, uint64_t base)
{
    static const uint64_t at[NR_TRIED] = {0, EXTENT_PAGES / 2, EXTENT_PAGES - 1};
    struct test *t = s->room.t;
    const uint64_t *table = t->d->host.m2p.table + n * EXTENT_MFNS;
    mfn_t mfns[NR_TRIED];
    uint64_t shown, read;
    int rc;

    for (unsigned int i = 0; i < NR_TRIED; i++)
        mfns[i] = to_mfn(base + at[i]);
    rc = foreign_map(&s->window, r, 0, mfns, NR_TRIED, PTE_RO);
    CHECK(!rc, "the M2P's frames from 0x%lx on cannot be mapped: %d (%s)", base, rc,
          errno_name(rc));
    for (unsigned int i = 0; !rc && i < NR_TRIED; i++) {
        const uint64_t *page = table + at[i] * PAGE_SIZE / sizeof(*table);
        uint64_t pte = share_pte(s, r, i);

        CHECK(mfn_eq(pte_mfn(pte), mfns[i]) && (pte & PTE_NX) && !(pte & PTE_W),
              "frame 0x%lx, for reading, has entry %016lx", mfns[i].v, pte);
        CHECK(probe_write(share_page(r, i), 0) == -EFAULT, "the M2P can be written there");
        for (unsigned int w = 0; w < PAGE_SIZE / sizeof(*table); w += 7)
            CHECK(probe_read(&share_page(r, i)[w], &read) == 0 &&
                      probe_read(&page[w], &shown) == 0 && read == shown,
                  "the M2P's entry for MFN 0x%lx is not the same in both places",
                  (uint64_t)(page + w - t->d->host.m2p.table));
    }
    CHECK(foreign_map(&s->window, r, 0, mfns, 1, PTE_RO) == (rc ? rc : -EEXIST),
          "a page can be mapped twice");
    rc = foreign_unmap(&s->window, r, 0, NR_TRIED);
    CHECK(!rc, "they cannot be unmapped: %d (%s)", rc, errno_name(rc));
}

/* One of three is refused: then none is mapped. */
static void check_all_or_none(struct foreign_room *s, struct foreign_range *r, uint64_t base)
{
    mfn_t mfns[NR_TRIED] = {to_mfn(base), INVALID_MFN, to_mfn(base + 1)};
    struct test *t = s->room.t;

    CHECK_RC(foreign_map(&s->window, r, 0, mfns, NR_TRIED, PTE_RO), -EINVAL, "no frame");
    mfns[1] = pt_mfn(&s->room.pt, (uintptr_t)image_start); /* ours, and not Xen's */
    CHECK(foreign_map(&s->window, r, 0, mfns, NR_TRIED, PTE_RO) < 0, "our frame is Xen's");
    CHECK_RC(foreign_map(&s->window, r, NR_TRIED - 1, mfns, 2, PTE_RO), -ERANGE, "past the range");
    for (unsigned int i = 0; i < NR_TRIED; i++)
        share_check_empty(s, r, i);
}

TEST(foreign_frames, "Xen's own M2P frames can be mapped by a dom0, to be read only; by a domU not")
{
    uint64_t extents[MAX_EXTENTS];
    struct foreign_range *r;
    struct foreign_room s;
    unsigned int nr, nr_compared = 0;

    if (!share_open(&s, t, 24))
        return;
    r = share_range(&s, FOREIGN_FRAME, DOMID_XEN, NR_TRIED);
    nr = ask_for_extents(t, extents);
    for (unsigned int n = 0; n < nr; n++) {
        mfn_t first = to_mfn(extents[n]);

        if (!first.v)
            continue;
        if (n && extents[n] == extents[n - 1])
            continue; /* a gap, told as what lies before it */
        CHECK(foreign_map(&s.window, r, 0, &first, 1, PTE_RW) < 0, "the M2P can be written");
        share_check_empty(&s, r, 0);
        if (boot_info_is_initdomain(&t->d->boot)) {
            compare(&s, r, n, first.v);
            check_all_or_none(&s, r, first.v);
        } else {
            CHECK_RC(foreign_map(&s.window, r, 0, &first, 1, PTE_RO), -EPERM, "the M2P, by a domU");
            share_check_empty(&s, r, 0);
        }
        nr_compared++;
    }
    CHECK(nr_compared, "of %u extents none is there", nr);
    share_drop(&s, r);
    share_close(&s);
}
