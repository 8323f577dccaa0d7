/* SPDX-License-Identifier: MIT */
/*
 * Where the M2P is, by XENMEM_machphys_mapping and XENMEM_machphys_mfn_list (<xen/memory.h>).
 *
 * A toolstack maps the M2P by this list to save a domain. Without these tests the list could lack
 * the last frames or run past the toolstack's buffer. foreign_frames compares the frames of the
 * list with the M2P that Xen maps into each guest.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/memory.h>

#define MFNS_PER_2M  (level_bytes(2) / sizeof(uint64_t))
#define PAGES_PER_2M (level_bytes(2) / PAGE_SIZE)
#define MAX_EXTENTS  (PAGE_SIZE / sizeof(uint64_t) - 2)
#define UNWRITTEN    0x5a5a5a5a5a5a5a5a

TEST_RULE(abi_m2p_place, "XENMEM_machphys_mapping names the M2P where <xen/arch-x86/xen.h> has it")
{
    struct xen_machphys_mapping m = {0};

    CHECK_RC(HYPERVISOR_memory_op(XENMEM_machphys_mapping, &m), 0, "XENMEM_machphys_mapping");
    CHECK_EQ(m.v_start, MACH2PHYS_VIRT_START, "v_start of XENMEM_machphys_mapping");
    CHECK_EQ(m.v_end, MACH2PHYS_VIRT_END, "v_end of XENMEM_machphys_mapping");
    CHECK(
        m.max_mfn + 1 >= t->d->host.ram_end && m.max_mfn < MACH2PHYS_NR_ENTRIES,
        "max_mfn of XENMEM_machphys_mapping is 0x%lx, expected 0x%lx (XENMEM_maximum_ram_page) to "
        "0x%lx",
        m.max_mfn, t->d->host.ram_end - 1, (uint64_t)MACH2PHYS_NR_ENTRIES - 1);
}

static void try_size(struct test *t, uint64_t *mfns, const uint64_t *full, unsigned int size,
                     unsigned int nr)
{
    struct xen_machphys_mfn_list list = {.max_extents = size};
    unsigned int expected = size < nr ? size : nr;

    for (unsigned int i = 0; i < MAX_EXTENTS; i++)
        mfns[i] = UNWRITTEN;
    set_xen_guest_handle(list.extent_start, mfns);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list), 0,
             "XENMEM_machphys_mfn_list with max_extents %u", size);
    CHECK_EQ(list.nr_extents, expected, "XENMEM_machphys_mfn_list with max_extents %u: nr_extents",
             size);
    for (unsigned int i = 0; i < expected; i++)
        CHECK_EQ(mfns[i], full[i], "XENMEM_machphys_mfn_list with max_extents %u: MFN of extent %u",
                 size, i);
    for (unsigned int i = expected; i < MAX_EXTENTS; i++)
        CHECK_EQ(mfns[i], UNWRITTEN,
                 "XENMEM_machphys_mfn_list with max_extents %u: entry %u, past "
                 "the extents,",
                 size, i);
}

/* An extent is 2 MiB of the M2P, in frames that are aligned and no guest's RAM. */
static void check_extent(struct test *t, const uint64_t *mfns, unsigned int i)
{
    CHECK(mfns[i] % PAGES_PER_2M == 0 && mfns[i] && mfns[i] < t->d->host.ram_end,
          "XENMEM_machphys_mfn_list: extent %u starts at MFN 0x%lx, expected a multiple of 0x%lx "
          "below 0x%lx",
          i, mfns[i], PAGES_PER_2M, t->d->host.ram_end);
}

TEST_RULE(abi_m2p_list,
          "XENMEM_machphys_mfn_list covers the M2P up to the end of RAM, and fits its buffer")
{
    uint64_t expected = DIV_ROUND_UP(t->d->host.ram_end, MFNS_PER_2M), *mfns, *full;
    struct xen_machphys_mfn_list list = {.max_extents = MAX_EXTENTS};
    struct room r;

    if (expected >= MAX_EXTENTS) {
        test_skip(t, "the M2P has %lu extents of 2 MiB, the buffer has %lu entries", expected,
                  MAX_EXTENTS);
        return;
    }
    if (!room_open(&r, t, 16))
        return;
    full = room_alloc(&r, 1), mfns = room_alloc(&r, 1);
    set_xen_guest_handle(list.extent_start, full);
    CHECK_RC(HYPERVISOR_memory_op(XENMEM_machphys_mfn_list, &list), 0, "XENMEM_machphys_mfn_list");
    CHECK_EQ(list.nr_extents, expected, "extents of XENMEM_machphys_mfn_list for 0x%lx MFNs",
             t->d->host.ram_end);
    for (unsigned int i = 0; i < list.nr_extents && i < expected; i++)
        check_extent(t, full, i);
    for (unsigned int size = 0; size <= expected + 2 && size < 8; size++)
        try_size(t, mfns, full, size, (unsigned int)expected);
    room_free(&r, mfns, 1);
    room_free(&r, full, 1);
    room_close(&r);
}
