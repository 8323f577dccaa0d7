/* SPDX-License-Identifier: MIT */
/*
 * Frames come and go: memory_op of the fake Xen. What a guest gives back must be its own and in
 * nobody's use; Xen would keep such a frame until its last use ended, and the guest would have lost
 * it. What it gets is any frame of the machine that is nobody's, with somebody's garbage in it.
 */
#include "arch/x86/hypercall.h"

#include "tests/unit/fake_events.h"
#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <xen/errno.h>
#include <xen/memory.h>
#include <xen/version.h>

/* An odd step, so that no two frames that are given follow each other. */
#define STEP 7919

/* May another extent be done? */
static bool take_extent(void)
{
    if (!fake.limited)
        return true;
    if (!fake.nr_extents_left)
        return false;
    fake.nr_extents_left--;
    return true;
}

/* A frame that is nobody's, not Xen's either; ~0 if there is none. */
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
        uint64_t mfn = find_free_frame();

        if (mfn == INVALID_ENTRY)
            break;
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
            fail_msg("frame %#lx is given up, and is not the guest's", mfn);
        if (f->refs || f->type_count)
            fail_msg("frame %#lx is given up, and is in use", mfn);
        if (fake.on_release)
            fake.on_release(mfn);
        f->foreign = true;
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
            fail_msg("memory_op %u for order %u, domain %u", cmd, r->extent_order, r->domid);
    switch (cmd) {
    case XENMEM_populate_physmap:
        return populate(r);
    case XENMEM_decrease_reservation:
        return release(r);
    case XENMEM_current_reservation:
        return count_pages();
    case XENMEM_maximum_reservation:
        return (long)fake.max_pages;
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
