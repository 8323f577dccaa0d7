/* SPDX-License-Identifier: MIT */
/*
 * memory_op of the fake Xen. A frame that the guest releases must be the guest's, and unused: Xen
 * would keep a frame until its last use ends, and the guest would have lost the frame. The guest
 * gets any frame of the machine that has no owner, with arbitrary contents.
 */
#include "arch/x86/hypercall.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>
#include <xen/memory.h>
#include <xen/version.h>

/* An odd step, so that no two frames given in sequence are adjacent. */
#define STEP 7919

/* Does fake.nr_extents_left allow another extent? */
static bool take_extent(void)
{
    if (!fake.limited)
        return true;
    if (!fake.nr_extents_left)
        return false;
    fake.nr_extents_left--;
    return true;
}

/* A frame without an owner, and not Xen's; ~0 if there is none. */
static uint64_t find_free_frame(void)
{
    static uint64_t at;

    for (uint64_t i = 0; i < fake.nr_mfns; i++) {
        uint64_t mfn;

        at = (at + STEP) % fake.nr_mfns;
        mfn = fake.first_mfn + at;
        if (fake_frame(mfn)->foreign && !fake_frame(mfn)->owner && mfn != fake.shared)
            return mfn;
    }
    return INVALID_ENTRY;
}

static long populate(struct xen_memory_reservation *r)
{
    uint64_t i;

    for (i = 0; i < r->nr_extents && take_extent(); i++) {
        uint64_t mfn = fake.is_full && !fake.nr_free ? INVALID_ENTRY : find_free_frame();

        if (mfn == INVALID_ENTRY)
            break;
        fake.nr_free -= fake.is_full;
        fake_frame(mfn)->foreign = false;
        memset(fake_ram(mfn), 0x5b, PAGE_SIZE);
        fake_set_m2p(mfn, r->extent_start.p[i]);
        r->extent_start.p[i] = mfn;
    }
    return (long)i;
}

static long release(const struct xen_memory_reservation *r)
{
    uint64_t i;

    for (i = 0; i < r->nr_extents && take_extent(); i++) {
        uint64_t mfn = r->extent_start.p[i];
        struct fake_frame *f = fake_frame(mfn);

        if (!f || f->foreign)
            fail_msg("decrease_reservation of MFN %#lx, which is not the guest's", mfn);
        if (f->refs || f->type_count)
            fail_msg("decrease_reservation of MFN %#lx, which is in use", mfn);
        if (fake.on_release)
            fake.on_release(mfn);
        f->foreign = true;
        fake.nr_free += fake.is_full;
        fake_set_m2p(mfn, INVALID_ENTRY);
    }
    return (long)i;
}

static long count_pages(void)
{
    long n = 0;

    for (uint64_t i = 0; i < fake.nr_mfns; i++)
        n += !fake_frame(fake.first_mfn + i)->foreign;
    return n;
}

/* Without a buffer: the number of entries. Like Xen's, the map is cut to the buffer. */
static long memory_map(struct xen_memory_map *m)
{
    unsigned int room = m->nr_entries;

    if (!fake.e820)
        return -XEN_ENOSYS;
    m->nr_entries = fake.nr_e820;
    if (!m->buffer.p)
        return 0;
    m->nr_entries = room < fake.nr_e820 ? room : fake.nr_e820;
    memcpy(m->buffer.p, fake.e820, m->nr_entries * 20);
    return 0;
}

static long machphys(struct xen_machphys_mapping *m)
{
    m->v_start = (uintptr_t)fake.m2p.table;
    m->max_mfn = fake.m2p.nr - 1;
    return 0;
}

long HYPERVISOR_memory_op(unsigned int cmd, void *arg)
{
    struct xen_memory_reservation *r = arg;

    if (fake_fails())
        return fake.fail_with;
    if (cmd == XENMEM_populate_physmap || cmd == XENMEM_decrease_reservation)
        if (r->extent_order || r->domid != DOMID_SELF)
            fail_msg("memory_op %u: extent_order is %u, domid is %u, expected order 0, DOMID_SELF",
                     cmd, r->extent_order, r->domid);
    switch (cmd) {
    case XENMEM_populate_physmap:
        return populate(r);
    case XENMEM_decrease_reservation:
        return release(r);
    case XENMEM_current_reservation:
        return count_pages();
    case XENMEM_maximum_reservation:
        return (long)fake.max_pages;
    case XENMEM_memory_map:
        return memory_map(arg);
    case XENMEM_maximum_ram_page:
        return (long)(fake.ram_end ? fake.ram_end : fake.first_mfn + fake.nr_mfns);
    case XENMEM_machphys_mapping:
        return machphys(arg);
    }
    return -XEN_ENOSYS;
}

long HYPERVISOR_xen_version(unsigned int cmd, void *arg)
{
    if (fake_fails())
        return fake.fail_with;
    if (cmd == XENVER_version)
        return 4 << 16 | (17 + fake.nr_restores);
    if (cmd == XENVER_extraversion) {
        memcpy(arg, ".0-fake", sizeof(".0-fake"));
        return 0;
    }
    return -XEN_ENOSYS;
}
