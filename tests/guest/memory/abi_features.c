/* SPDX-License-Identifier: MIT */
/*
 * XENVER_get_features (<xen/version.h>, <xen/features.h>): a feature works if and only if Xen
 * announces it.
 *
 * A kernel uses no other way to learn what it may do. Without these tests Xen could announce what
 * it refuses, or a feature of another kind of guest: a kernel that believes in
 * XENFEAT_writable_page_tables dies at its first store.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/memory/extents.h"

#include <xen/version.h>

#define BIT(name)    ((uint32_t)1 << XENFEAT_##name)
#define UNWRITTEN_32 0x5a5a5a5a

static uint32_t features_of(struct test *t)
{
    struct xen_feature_info info = {.submap_idx = 0, .submap = UNWRITTEN_32};

    CHECK_RC(HYPERVISOR_xen_version(XENVER_get_features, &info), 0,
             "XENVER_get_features, submap 0");
    CHECK_EQ(info.submap_idx, 0, "XENVER_get_features: submap_idx");
    return info.submap;
}

/* Features that each PV guest has, and such that none has, whatever the version of Xen. */
#define OF_EACH_PV                                                                       \
    (BIT(mmu_pt_update_preserve_ad) | BIT(highmem_assist) | BIT(gnttab_map_avail_bits) | \
     BIT(memory_op_vnode_supported))
#define OF_NO_PV                                                                                  \
    (BIT(writable_page_tables) | BIT(writable_descriptor_tables) | BIT(auto_translated_physmap) | \
     BIT(supervisor_mode_kernel) | BIT(hvm_callback_vector) | BIT(hvm_safe_pvclock) |             \
     BIT(hvm_pirqs) | BIT(ARM_SMCCC_supported) | BIT(not_direct_mapped))

TEST_RULE(abi_features, "Xen announces the features of a PV guest, and XENFEAT_dom0 to a dom0 only")
{
    uint32_t found = features_of(t);
    bool initdom = boot_info_is_initdomain(&t->d->boot);

    CHECK_EQ(found & OF_EACH_PV, OF_EACH_PV, "features (0x%x) that each PV guest has", found);
    CHECK_EQ(found & OF_NO_PV, 0, "features (0x%x) that no 64-bit PV guest has", found);
    CHECK_EQ(!!(found & BIT(dom0)), initdom,
             "XENFEAT_dom0, compared with SIF_INITDOMAIN of start_info.flags (0x%x),",
             t->d->boot.flags);
}

TEST_RULE(abi_features_end,
          "XENVER_get_features refuses a submap past the last one, and writes nothing")
{
    static const unsigned int past[] = {XENFEAT_NR_SUBMAPS, 2, 0x80000000, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
        struct xen_feature_info info = {.submap_idx = past[i], .submap = UNWRITTEN_32};

        CHECK_RC(HYPERVISOR_xen_version(XENVER_get_features, &info), -EINVAL,
                 "XENVER_get_features, submap %u", past[i]);
        CHECK_EQ(info.submap, UNWRITTEN_32, "XENVER_get_features, submap %u: submap", past[i]);
    }
}

/* All bytes of the frame of PFN number @i must be @byte. */
static void check_filled(struct extents *e, uint64_t i, uint8_t byte, const char *step)
{
    const uint8_t *page = fixmap_map(&e->t->d->fixmap, FIXMAP_SCRATCH, extents_mfn(e, i), PTE_RO);
    struct test *t = e->t;
    uint64_t at = 0;

    while (at < PAGE_SIZE && page[at] == byte)
        at++;
    CHECK(at == PAGE_SIZE, "%s: byte %lu of MFN 0x%lx is 0x%x, expected 0x%x", step, at,
          extents_mfn(e, i).v, at < PAGE_SIZE ? page[at] : 0, byte);
    fixmap_unmap(&e->t->d->fixmap, FIXMAP_SCRATCH);
}

static long page_op(unsigned int cmd, mfn_t to, mfn_t from)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = to.v, .arg2.src_mfn = from.v};

    return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* <xen/features.h>: "Does this Xen host support the MMU_{CLEAR,COPY}_PAGE hypercall?" */
TEST_RULE(abi_highmem_assist,
          "MMUEXT_CLEAR_PAGE and MMUEXT_COPY_PAGE write a whole page, and no page table")
{
    struct extents e;

    if (!extents_open(&e, t, 3))
        return;
    for (uint64_t i = 0; i < 3; i++)
        extents_fill(&e, i, (uint8_t)(0x11 * (i + 1)));
    CHECK_RC(page_op(MMUEXT_COPY_PAGE, extents_mfn(&e, 0), extents_mfn(&e, 1)), 0,
             "MMUEXT_COPY_PAGE of MFN 0x%lx to MFN 0x%lx", extents_mfn(&e, 1).v,
             extents_mfn(&e, 0).v);
    check_filled(&e, 0, 0x22, "target of MMUEXT_COPY_PAGE");
    check_filled(&e, 1, 0x22, "source of MMUEXT_COPY_PAGE");
    CHECK_RC(page_op(MMUEXT_CLEAR_PAGE, extents_mfn(&e, 1), INVALID_MFN), 0,
             "MMUEXT_CLEAR_PAGE of MFN 0x%lx", extents_mfn(&e, 1).v);
    check_filled(&e, 1, 0, "target of MMUEXT_CLEAR_PAGE");
    check_filled(&e, 2, 0x33, "another page after MMUEXT_CLEAR_PAGE");

    CHECK_RC(pt_pin(extents_mfn(&e, 1), 1), 0, "pin of a cleared frame as L1");
    check_frame_refused(t, page_op(MMUEXT_COPY_PAGE, extents_mfn(&e, 1), extents_mfn(&e, 2)),
                        "MMUEXT_COPY_PAGE to a page table", extents_mfn(&e, 1));
    check_filled(&e, 1, 0, "page table after a refused MMUEXT_COPY_PAGE");
    CHECK_RC(pt_unpin(extents_mfn(&e, 1)), 0, "unpin of MFN 0x%lx", extents_mfn(&e, 1).v);
    for (uint64_t i = 0; i < 3; i++) /* no reference may be left */
        extents_release(&e, i, 1, "release of a frame that was copied or cleared");
    extents_close(&e);
}
