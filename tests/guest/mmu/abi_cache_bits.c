/* SPDX-License-Identifier: MIT */
/*
 * Cache attributes (PAT, PCD, PWT) of the mappings of device frames and of RAM, in a dom0.
 *
 * Without these tests Xen could let a guest map the registers of a device through the cache, so
 * that stores do not arrive in order, or at all. <xen/xen.h> has Xen's PAT at
 * HYPERVISOR_mmu_update. Xen changes each cachable mapping of a frame that is not RAM to UC:
 * get_page_from_l1e() of Xen arch/x86/mm.c ("MMIO pages must not be mapped cachable unless
 * requested so"; the option mmio-relax= requests it). The page-table entry shows it. Each way to
 * write an entry must do this, also if the entry changes nothing but its attributes. RAM keeps the
 * attributes that the guest asks for.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/mmu/entry_ways.h"

#include <xen/version.h>

/*
 * VGA text memory, which every PC has; and an MFN below 4 GiB, next to the local APIC, which is no
 * RAM on most machines.
 */
static const mfn_t devices[] = {{VGA_TEXT}, {0xfedf0}};

/* The 8 attributes, by PAT, PCD and PWT, and what Xen makes of them for a device. */
static const struct attribute {
    uint64_t bits, of_device;
    const char *name;
} attributes[] = {
    {0,                 PTE_UC,  "WB" },
    {PTE_PWT,           PTE_UC,  "WT" },
    {PTE_PCD,           PTE_PCD, "UC-"},
    {PTE_UC,            PTE_UC,  "UC" },
    {PTE_PSE,           PTE_PSE, "WC" },
    {PTE_PSE | PTE_PWT, PTE_UC,  "WP" },
};

/* Does Xen's command line have mmio-relax=, which switches the rule off? */
static bool is_relaxed(void)
{
    static char line[sizeof(xen_commandline_t)];

    if (HYPERVISOR_xen_version(XENVER_commandline, line) < 0)
        return false;
    for (const char *at = line; *at && at < line + sizeof(line) - 10; at++)
        if (!memcmp(at, "mmio-relax", 10))
            return true;
    return false;
}

static void check_cache(struct test *t, struct tree *tr, enum way way, mfn_t mfn, uint64_t old,
                        const struct attribute *a, uint64_t expected)
{
    uint64_t pte = pte_make(mfn, PTE_RO | a->bits);

    way_check(t, tr, 1, way, old);
    way_check(t, tr, 1, way, pte);
    CHECK_EQ(table_entry(tr->table[1], 0) & CACHE_BITS, expected,
             "after %s of an L1 entry from 0x%lx to MFN 0x%lx, %s: cache attributes (PAT 0x80, "
             "PCD 0x10, PWT 0x8) of the entry",
             way_names[way], old, mfn.v, a->name);
}

/* From an empty entry, and from entries of the same frame with each other attribute. */
static void check_frame_of(struct test *t, struct tree *tr, enum way way, mfn_t mfn, bool is_device)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(attributes); i++) {
        const struct attribute *a = &attributes[i];
        uint64_t expected = is_device ? a->of_device : a->bits;

        check_cache(t, tr, way, mfn, 0, a, expected);
        for (unsigned int j = 0; j < ARRAY_SIZE(attributes); j++)
            check_cache(t, tr, way, mfn, pte_make(mfn, PTE_RO | attributes[j].bits), a, expected);
    }
    way_check(t, tr, 1, way, 0);
}

/* A table in which all 512 entries map the device. */
static void check_pin(struct test *t, struct tree *tr, mfn_t mfn, const struct attribute *a)
{
    struct spot l1 = tr->table[1];

    table_fill(t, l1, pte_make(mfn, PTE_RO | a->bits));
    CHECK_RC(pt_pin(l1.mfn, 1), 0, "pin of an L1 table that maps MFN 0x%lx, %s", mfn.v, a->name);
    for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
        CHECK_EQ(table_entry(l1, i) & CACHE_BITS, a->of_device,
                 "after the pin of an L1 table that maps MFN 0x%lx, %s: cache attributes (PAT "
                 "0x80, PCD 0x10, PWT 0x8) of entry %u",
                 mfn.v, a->name, i);
    table_unpin(t, l1, 1);
}

static bool cache_open(struct tree *tr, struct test *t)
{
    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU without a device may not ask for cache attributes");
        return false;
    }
    if (!tree_open(tr, t))
        return false;
    tree_link(tr, 3);
    return true;
}

/* Is @mfn no RAM of this domain, and may this domain map it? Xen may keep a device for itself. */
static bool is_device(struct test *t, struct spot s, mfn_t mfn)
{
    pfn_t pfn = m2p_get(&t->d->host.m2p, mfn);
    bool mapped = !spot_show(s, mfn, PTE_RO | PTE_UC);

    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);
    return mapped && !mfn_eq(p2m_get_ram(&t->d->p2m, pfn), mfn);
}

TEST_RULE(abi_device_cache, "Xen makes each cachable mapping of a device frame uncached (UC)")
{
    struct tree tr;

    if (is_relaxed()) {
        test_skip(t, "Xen's option mmio-relax= allows cachable mappings of device frames");
        return;
    }
    if (!cache_open(&tr, t))
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++) {
        if (!is_device(t, tr.page[1], devices[i])) {
            CHECK(i,
                  "VGA text memory, MFN 0x%lx, is RAM of this domain or refused by "
                  "update_va_mapping, uncached; expected a device frame that dom0 may map",
                  devices[i].v);
            continue;
        }
        if (tree_hook(&tr)) {
            for (enum way way = 0; way < NR_WAYS; way++)
                check_frame_of(t, &tr, way, devices[i], true);
            tree_unhook(&tr);
        }
        for (unsigned int a = 0; a < ARRAY_SIZE(attributes); a++)
            check_pin(t, &tr, devices[i], &attributes[a]);
        table_fill(t, tr.table[1], 0);
    }
    tree_close(&tr);
}

/* The frame of shared_info belongs to Xen's heap. Xen maps it cached, so the guest must, too. */
static void check_shared_info(struct test *t, struct spot s)
{
    mfn_t mfn = pt_mfn(&t->d->pt, (uintptr_t)t->d->shared);

    CHECK_RC(spot_show(s, mfn, PTE_RO), 0, "update_va_mapping, cached, of shared_info, MFN 0x%lx",
             mfn.v);
    CHECK_RC(spot_show(s, mfn, PTE_RO | PTE_UC), -EACCES,
             "update_va_mapping, uncached, of shared_info, MFN 0x%lx", mfn.v);
    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);
}

TEST_RULE(abi_ram_cache, "a mapping of RAM keeps the cache attributes that a dom0 asks for")
{
    struct tree tr;

    if (!cache_open(&tr, t))
        return;
    if (tree_hook(&tr)) {
        for (enum way way = 0; way < NR_WAYS; way++)
            check_frame_of(t, &tr, way, tr.page[0].mfn, false);
        tree_unhook(&tr);
    }
    if (!tr.brief)
        check_shared_info(t, tr.page[0]);
    tree_close(&tr);
}
