/* SPDX-License-Identifier: MIT */
/*
 * Xen's own CPUID leaves (<xen/arch-x86/cpuid.h>), read by forced emulation.
 *
 * Without this test Xen could leave out a leaf that it announces. A kernel would then take the
 * width of machine addresses for unknown or 0, and refuse to start, or drop bits of an MFN. What a
 * leaf says is compared with what a hypercall says.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "kernel/selftest/test.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/version.h>

#define LEAF_PV   5
#define LEAF_LAST 0xff /* by the distance to the next possible base of Xen's leaves */

/*
 * All RAM, and RAM that may be added later, has addresses of this width. A Xen without
 * CONFIG_BIGMEM announces at most 2^32 frames, 44 bits, although it has RAM above
 * (docs/scaling.md).
 */
static void check_width(struct test *t)
{
    uint32_t leaf = XEN_CPUID_LEAF(LEAF_PV);
    unsigned int bits = cpuid_xen(leaf).ebx & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
    unsigned int needed = PAGE_SHIFT;

    while ((t->d->host.ram_end - 1) >> (needed - PAGE_SHIFT))
        needed++;
    if (needed > 44 && bits == 44)
        return;
    CHECK(bits >= needed && bits <= PADDR_BITS,
          "CPUID 0x%x, EBX[7:0], width of machine addresses, is %u, expected %u (the width of "
          "XENMEM_maximum_ram_page) to %d",
          leaf, bits, needed, PADDR_BITS);
}

static void check_empty(struct test *t, uint32_t leaf)
{
    struct cpuid r = cpuid_xen(leaf);

    CHECK(!(r.eax | r.ebx | r.ecx | r.edx),
          "CPUID 0x%x, the first behind Xen's last leaf: EAX, EBX, ECX, EDX are 0x%x, 0x%x, 0x%x, "
          "0x%x, expected 0",
          leaf, r.eax, r.ebx, r.ecx, r.edx);
}

TEST_RULE(abi_cpuid_leaves, "each CPUID leaf that Xen announces says what Xen's hypercalls say")
{
    uint32_t first = XEN_CPUID_LEAF(0), last = cpuid_xen(first).eax;
    uint32_t preserve_ad = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;

    CHECK(last >= XEN_CPUID_LEAF(2) && last <= XEN_CPUID_LEAF(LEAF_LAST),
          "CPUID 0x%x, EAX, the last of Xen's leaves, is 0x%x, expected 0x%x to 0x%x", first, last,
          XEN_CPUID_LEAF(2), XEN_CPUID_LEAF(LEAF_LAST));
    CHECK_EQ(cpuid_xen(XEN_CPUID_LEAF(1)).eax,
             (uint32_t)HYPERVISOR_xen_version(XENVER_version, NULL),
             "CPUID 0x%x, EAX, compared with XENVER_version,", XEN_CPUID_LEAF(1));
    CHECK_EQ(cpuid_xen(XEN_CPUID_LEAF(2)).eax, 1, "CPUID 0x%x, EAX, number of hypercall pages,",
             XEN_CPUID_LEAF(2));
    CHECK_EQ(cpuid_xen(XEN_CPUID_LEAF(2)).ecx & preserve_ad, preserve_ad,
             "CPUID 0x%x, ECX, the feature MMU_PT_UPDATE_PRESERVE_AD,", XEN_CPUID_LEAF(2));
    if (last >= XEN_CPUID_LEAF(LEAF_PV))
        check_width(t);
    check_empty(t, last + 1);
}
