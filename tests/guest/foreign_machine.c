/* SPDX-License-Identifier: MIT */
/*
 * Without this a driver could read a device through the cache, or a domU that tries what is not its
 * own could be ended by a fault where an error would do (QubesOS issue 6052: a PV domU that touched
 * the chipset at 0xfe000000). Device memory is mapped by machine address, for DOMID_IO
 * (<xen/xen.h>), never cached; Xen's iomem rights decide, and it says so by an errno.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

#define VGA_TEXT 0xb8 /* frames of every PC: the screen ...         */
#define BIOS_ROM 0xf0 /* ... and the firmware, which stays the same */

static void check_uncached(struct foreign_room *s, const struct foreign_range *r, uint64_t i,
                           mfn_t mfn)
{
    struct test *t = s->room.t;
    uint64_t pte = share_pte(s, r, i);

    CHECK(mfn_eq(pte_mfn(pte), mfn), "the entry for frame 0x%lx is %016lx", mfn.v, pte);
    CHECK((pte & PTE_UC) == PTE_UC, "frame 0x%lx is cached: its entry is %016lx", mfn.v, pte);
    CHECK(pte & PTE_NX, "frame 0x%lx can be run: its entry is %016lx", mfn.v, pte);
}

/* The firmware, read as a device's memory, and as what its identity PFN names. */
static void compare(struct foreign_room *s, const struct foreign_range *r)
{
    struct test *t = s->room.t;
    mfn_t mfn = p2m_get(&t->d->p2m, to_pfn(BIOS_ROM));
    const uint64_t *shown = fixmap_map(&t->d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);

    CHECK(shown, "frame 0x%lx cannot be shown by its identity", mfn.v);
    for (unsigned int w = 0; shown && w < PAGE_SIZE / sizeof(*shown); w++)
        CHECK(share_page(r, 1)[w] == shown[w], "word %u is 0x%lx in the window, and 0x%lx outside",
              w, share_page(r, 1)[w], shown[w]);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
}

static void check_dom0(struct foreign_room *s, struct foreign_range *r, const mfn_t mfns[2])
{
    struct test *t = s->room.t;
    int rc = foreign_map(&s->window, r, 0, mfns, 2, PTE_RO);
    uint64_t value;

    CHECK(!rc, "frames 0x%lx and 0x%lx cannot be mapped: %d (%s)", mfns[0].v, mfns[1].v, rc,
          errno_name(rc));
    for (unsigned int i = 0; !rc && i < 2; i++) {
        check_uncached(s, r, i, mfns[i]);
        CHECK(!probe_read(share_page(r, i), &value), "frame 0x%lx cannot be read", mfns[i].v);
    }
    if (!rc && ranges_find(&t->d->p2m.ranges, BIOS_ROM).kind == RANGE_IDENTITY)
        compare(s, r);
    CHECK(!foreign_unmap(&s->window, r, 0, 2), "they cannot be unmapped");
    rc = foreign_map(&s->window, r, 0, mfns, 1, PTE_RW);
    CHECK(!rc, "the screen cannot be mapped writable: %d (%s)", rc, errno_name(rc));
    if (!rc)
        check_uncached(s, r, 0, mfns[0]);
    CHECK(!foreign_unmap(&s->window, r, 0, 1), "it cannot be unmapped");
}

/*
 * A domain without any device may not even ask for other caching (Xen's arch/x86/mm.c,
 * l1_disallow_mask()), hence -EINVAL; asked for as if it were RAM, a frame is not its own: -EPERM.
 * The PV shim gives its guest I/O ports, and so that right.
 */
static void check_domu(struct foreign_room *s, struct foreign_range *r, const mfn_t mfns[2])
{
    struct test *t = s->room.t;
    struct spot spot = room_spot(&s->room);
    int expected = boot_info_is_shim(&t->d->boot) ? -EPERM : -EINVAL;

    for (unsigned int i = 0; i < 2; i++) {
        CHECK_RC(foreign_map(&s->window, r, i, &mfns[i], 1, PTE_RO), expected, "frame 0x%lx",
                 mfns[i].v);
        CHECK_RC(spot_show(spot, mfns[i], PTE_RO), -EPERM, "frame 0x%lx as RAM", mfns[i].v);
    }
    room_drop(&s->room, spot);
}

TEST(foreign_machine, "a device's page is mapped uncached in a dom0, and in a domU it is an error")
{
    const mfn_t mfns[2] = {to_mfn(VGA_TEXT), to_mfn(BIOS_ROM)};
    struct foreign_range *r;
    struct foreign_room s;
    mfn_t own;

    if (!share_open(&s, t, 24))
        return;
    r = share_range(&s, FOREIGN_MACHINE, DOMID_IO, 2);
    own = pt_mfn(&s.room.pt, (uintptr_t)image_start);
    if (boot_info_is_initdomain(&t->d->boot))
        check_dom0(&s, r, mfns);
    else
        check_domu(&s, r, mfns);
    CHECK(foreign_map(&s.window, r, 0, &own, 1, PTE_RO) < 0, "RAM of ours is a device's");
    share_check_empty(&s, r, 0);
    share_check_empty(&s, r, 1);
    share_drop(&s, r);
    share_close(&s);
}
