/* SPDX-License-Identifier: MIT */
/*
 * Without these, what the builder mapped beside the kernel would stay: a list of gigabytes where
 * others load modules, and memory that is mapped twice.
 */
#include "arch/x86/layout.h"
#include "arch/x86/probe.h"

#include "kernel/selftest/test.h"

/* Where Linux, on which this case was found in 2012, has its modules. */
#define MODULE_AREA 0xffffffffa0000000

TEST(kernel_mapping, "nothing but the image is mapped in the kernel's 512 GiB slot")
{
    uint64_t below = kernel_mapping_first_mapped(&t->d->pt, ROUND_DOWN(VIRT_BASE, level_bytes(4)));
    uint64_t above = kernel_mapping_first_mapped(&t->d->pt, (uintptr_t)image_end);

    CHECK(below == (uintptr_t)image_start, "the first address mapped is 0x%lx, expected 0x%lx",
          below, (uintptr_t)image_start);
    CHECK(above == 0, "0x%lx is mapped, past the image's end at 0x%lx", above,
          (uintptr_t)image_end);
}

/* mov $42, %eax; ret */
static const uint64_t answer_42 = 0xc30000002ab8;

TEST(module_area, "a page mapped at 0xffffffffa0000000 can be written, then run and not written")
{
    uint64_t *page = (uint64_t *)MODULE_AREA, result = 0;
    mfn_t mfn;

    if (frame_pool_alloc(&t->d->frame_pool, &mfn)) {
        test_error(t, "no frame is free");
        return;
    }
    int rc = pt_map(&t->d->pt, MODULE_AREA, mfn, PTE_RW);

    CHECK(rc == 0, "mapping a page there: %d", rc);
    CHECK(rc || !probe_write(page, answer_42), "the page cannot be written");
    CHECK(rc || probe_exec(page, &result), "a writable page can be run");
    CHECK(rc || !pt_protect(&t->d->pt, MODULE_AREA, PTE_RX), "it cannot be made executable");
    CHECK(rc || probe_write(page, answer_42), "right after that it can still be written");
    CHECK(rc || (!probe_exec(page, &result) && result == 42), "run, it gave %lu, expected 42",
          result);
    CHECK(rc || probe_write(page, 0), "an executable page can be written");
    CHECK(rc || !pt_unmap(&t->d->pt, MODULE_AREA, &mfn), "it cannot be unmapped");
    CHECK(probe_read(page, &result), "unmapped, it can still be read");
    if (frame_pool_free(&t->d->frame_pool, mfn))
        test_error(t, "the frame cannot be given back");
}
