/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, a driver could read device registers through the cache, and a domU that
 * touches a device it does not own could be killed by a fault where an errno would do (QubesOS
 * issue 6052: a PV domU that touched the chipset at 0xfe000000). Device memory is mapped by machine
 * address in the name of DOMID_IO (<xen/xen.h>), uncached. Xen checks its iomem permissions and
 * returns an errno.
 */
#include "lib/errno.h"

#include "arch/x86/probe.h"

#include "tests/guest/foreign_room.h"

/* The MFN of the BIOS ROM of every PC, whose contents do not change. */
#define BIOS_ROM 0xf0

static const mfn_t device_mfns[] = {{VGA_TEXT}, {BIOS_ROM}};

#define NR_DEVICE_MFNS ARRAY_SIZE(device_mfns)

/* A room, and a range for the device frames. */
struct device_room {
    struct foreign_room fr;
    struct foreign_range *r;
};

static bool device_room_open(struct device_room *m, struct test *t)
{
    if (!foreign_room_open(&m->fr, t, 24))
        return false;
    m->r = foreign_room_range(&m->fr, FOREIGN_MACHINE, DOMID_IO, NR_DEVICE_MFNS);
    return true;
}

static void device_room_close(struct device_room *m)
{
    foreign_room_drop(&m->fr, m->r);
    foreign_room_close(&m->fr);
}

static void check_uncached(struct device_room *m, uint64_t i)
{
    foreign_room_check_pte(&m->fr, m->r, i, device_mfns[i], PTE_UC | PTE_NX, 0);
}

/* The BIOS ROM is page 1 of the range, and also the frame of an identity PFN. */
static void compare_bios(struct device_room *m)
{
    struct test *t = m->fr.room.t;
    mfn_t mfn = p2m_get(&t->d->p2m, to_pfn(BIOS_ROM));
    const uint64_t *shown = fixmap_map(&t->d->fixmap, FIXMAP_SCRATCH, mfn, PTE_RO);

    CHECK(shown,
          "fixmap_map of identity PFN 0x%x (MFN 0x%lx), read-only: result is NULL, expected an "
          "address",
          BIOS_ROM, mfn.v);
    for (unsigned int w = 0; shown && w < PAGE_SIZE / sizeof(*shown); w++)
        CHECK(foreign_room_page(m->r, 1)[w] == shown[w],
              "word %u of BIOS ROM MFN 0x%x is 0x%lx in the foreign window, expected 0x%lx as in "
              "the fixmap",
              w, BIOS_ROM, foreign_room_page(m->r, 1)[w], shown[w]);
    fixmap_unmap(&t->d->fixmap, FIXMAP_SCRATCH);
}

static void check_readonly(struct device_room *m)
{
    struct test *t = m->fr.room.t;
    uint64_t value;

    if (!foreign_room_map_frames(&m->fr, m->r, 0, device_mfns, NR_DEVICE_MFNS, PTE_RO, 0)) {
        for (unsigned int i = 0; i < NR_DEVICE_MFNS; i++) {
            check_uncached(m, i);
            CHECK_RC(probe_read(foreign_room_page(m->r, i), &value), 0,
                     "read of device MFN 0x%lx, mapped at 0x%lx", device_mfns[i].v,
                     foreign_va(m->r, i));
        }
        if (ranges_find(&t->d->p2m.ranges, BIOS_ROM).kind == RANGE_IDENTITY)
            compare_bios(m);
    }
    foreign_room_unmap(&m->fr, m->r, 0, NR_DEVICE_MFNS);
    foreign_room_check_empty(&m->fr, m->r, 0);
}

TEST(foreign_machine, "dom0: a mapping of a device frame (DOMID_IO) has an uncached PTE")
{
    struct device_room m;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU has no access to device frames");
        return;
    }
    if (!device_room_open(&m, t))
        return;
    check_readonly(&m);
    if (!foreign_room_map_frames(&m.fr, m.r, 0, device_mfns, 1, PTE_RW, 0))
        check_uncached(&m, 0);
    foreign_room_unmap(&m.fr, m.r, 0, 1);
    device_room_close(&m);
}

/*
 * A domain without the right to any device may not ask for an uncached mapping at all (Xen's
 * arch/x86/mm.c, l1_disallow_mask()): -EINVAL, also for its own RAM. A domain with a right, to I/O
 * ports, memory or a PCI device (ioports=, iomem=, pci= of xl.cfg; the guest of the PV shim has I/O
 * ports), may ask; then the frame is not the domain's: -EPERM. Mapped like RAM, too. A policy of
 * XSM/FLASK may deny the first request: -EACCES.
 */
static void check_refused(struct device_room *m, struct spot spot)
{
    struct test *t = m->fr.room.t;
    int rc = foreign_map(&m->fr.window, m->r, 0, device_mfns, 1, PTE_RO);

    if (rc == -EPERM) /* only right if the domain may map its own RAM uncached */
        CHECK_RC(spot_show(spot, spot.mfn, PTE_RW | PTE_UC), 0,
                 "uncached PTE of own MFN 0x%lx, after -EPERM for a device's", spot.mfn.v);
    else if (rc != -EACCES || !t->d->host.has_flask)
        CHECK_RC(rc, -EINVAL, "foreign_map, in a domU, of device MFN 0x%lx", device_mfns[0].v);
    CHECK_RC(spot_show(spot, device_mfns[0], PTE_RO), -EPERM,
             "update_va_mapping, in a domU, to a cached PTE of device MFN 0x%lx", device_mfns[0].v);
    foreign_room_check_empty(&m->fr, m->r, 0);
}

TEST(foreign_machine_domu,
     "mmu_update by which a domU maps a device frame (DOMID_IO) returns an errno")
{
    struct device_room m;
    struct spot spot;

    if (boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "this domain is a dom0, which may map device frames");
        return;
    }
    if (!device_room_open(&m, t))
        return;
    spot = room_spot(&m.fr.room);
    check_refused(&m, spot);
    room_drop(&m.fr.room, spot);
    device_room_close(&m);
}

TEST(foreign_machine_ram, "foreign_map refuses RAM of this domain as a frame of DOMID_IO")
{
    struct device_room m;
    mfn_t own;

    if (!device_room_open(&m, t))
        return;
    own = pt_mfn(&m.fr.room.pt, (uintptr_t)image_start);
    foreign_room_map_frames(&m.fr, m.r, 0, &own, 1, PTE_RO, ANY_ERROR);
    foreign_room_check_empty(&m.fr, m.r, 0);
    foreign_room_check_empty(&m.fr, m.r, 1);
    device_room_close(&m);
}

/*
 * A write to 0xfeexxxxx is an interrupt for the CPUs that bits 19:12 of the address name. So Xen
 * keeps not only the page of the local APIC, 0xfee00, for itself (dom0_setup_permissions() of Xen
 * arch/x86/dom0_build.c). From Xen's commit 381caa3885 ("be less restrictive with the Interrupt
 * Address Range") on, a dom0 may map the other pages.
 */
TEST_RULE(foreign_machine_msi,
          "Xen refuses a mapping of the local APIC, and before Xen 4.18 of all addresses of MSIs")
{
    static const mfn_t mfns[] = {{0xfee00}, {0xfeeff}};
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    const struct host *h = &t->d->host;
    bool is_old = h->major == 4 && h->minor < 18;
    struct spot s;

    if (!spot_open(t, &s))
        return;
    for (unsigned int i = 0; i < (is_old || !initdom ? ARRAY_SIZE(mfns) : 1); i++) {
        int rc = spot_show(s, mfns[i], initdom ? PTE_RO | PTE_UC : PTE_RO);

        CHECK_RC(rc, -EPERM, "update_va_mapping, read-only, of MFN 0x%lx, an address of MSIs",
                 mfns[i].v);
        if (!rc)
            CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", s.va);
    }
    spot_close(s);
}
