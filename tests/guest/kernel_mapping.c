/* SPDX-License-Identifier: MIT */
/*
 * Without these tests, mappings that the domain builder made beside the kernel image could stay: a
 * P2M list of gigabytes where other kernels load modules, and pages that are mapped twice.
 */
#include "lib/errno.h"

#include "arch/x86/layout.h"
#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

/* Where Linux has its modules. The builder's P2M list was found to reach it in 2012. */
#define MODULE_AREA 0xffffffffa0000000

TEST(kernel_mapping, "the L4 entry (512 GiB) of the kernel image maps nothing except that image")
{
    struct pagetable *pt = &t->d->pt;

    CHECK_EQ(kernel_mapping_first_mapped(pt, ROUND_DOWN(VIRT_BASE, level_bytes(4))),
             (uintptr_t)image_start, "first mapped address in the L4 entry of the kernel image");
    CHECK_EQ(kernel_mapping_first_mapped(pt, (uintptr_t)image_end), 0,
             "first mapped address past the end of the kernel image (0: none)");
}

/* mov $42, %eax; ret */
static const uint64_t answer_42 = 0xc30000002ab8;

TEST(module_area, "W^X: no page mapped in Linux's module area is both writable and executable")
{
    uint64_t *page = (uint64_t *)MODULE_AREA, result = 0;
    struct pagetable *pt = &t->d->pt;
    mfn_t mfn;
    int rc = frame_pool_alloc(&t->d->frame_pool, &mfn);

    if (rc) {
        test_error(t, "frame_pool_alloc: result is %d (%s), expected a free frame", rc,
                   errno_name(rc));
        return;
    }
    rc = pt_map(pt, MODULE_AREA, mfn, PTE_RW);
    CHECK_RC(rc, 0, "pt_map of MFN 0x%lx at 0x%lx, writable", mfn.v, MODULE_AREA);
    if (!rc) {
        CHECK_RC(probe_write(page, answer_42), 0, "%s the page at 0x%lx, mapped %s",
                 "write of code to", MODULE_AREA, "writable");
        CHECK_RC(probe_exec(page, &result), pte_has_nx() ? -EFAULT : 0,
                 "%s the page at 0x%lx, mapped %s", "call of", MODULE_AREA, "writable");
        CHECK_RC(pt_protect(pt, MODULE_AREA, MODULE_AREA + PAGE_SIZE, PTE_RX), 0,
                 "pt_protect of 0x%lx, from writable to executable", MODULE_AREA);
        CHECK_RC(probe_write(page, answer_42), -EFAULT, "%s the page at 0x%lx, mapped %s",
                 "write of code to", MODULE_AREA, "executable");
        CHECK_RC(probe_exec(page, &result), 0, "%s the page at 0x%lx, mapped %s", "call of",
                 MODULE_AREA, "executable");
        CHECK_EQ(result, 42, "value returned by the call of 0x%lx", MODULE_AREA);
        CHECK_RC(probe_write(page, 0), -EFAULT, "%s the page at 0x%lx, mapped %s", "write of 0 to",
                 MODULE_AREA, "executable");
        CHECK_RC(pt_unmap(pt, MODULE_AREA, &mfn), 0, "pt_unmap of 0x%lx", MODULE_AREA);
    }
    CHECK_RC(probe_read(page, &result), -EFAULT, "%s the page at 0x%lx, mapped %s", "read of",
             MODULE_AREA, "not at all");
    rc = frame_pool_free(&t->d->frame_pool, mfn);
    if (rc)
        test_error(t, "frame_pool_free of MFN 0x%lx: result is %d (%s), expected 0", mfn.v, rc,
                   errno_name(rc));
}
