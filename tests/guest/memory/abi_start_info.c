/* SPDX-License-Identifier: MIT */
/*
 * The fields of struct start_info (<xen/xen.h>), each compared with another source.
 *
 * The kernel believes the builder in most of what start_info says. Without these tests a builder
 * could name the wrong frame, the wrong length or the wrong rights, and the kernel would run for a
 * while. The other sources are CR3, the M2P, the state of event channels, what Xen permits, the
 * layout of the initial mapping ("Start-of-day memory layout" of <xen/xen.h>), and the contents of
 * the ramdisk (abi_ramdisk.c).
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/memory.h>
#include <xen/platform.h>

#define SIF_KNOWN                                                              \
    (SIF_PRIVILEGED | SIF_INITDOMAIN | SIF_MULTIBOOT_MOD | SIF_MOD_START_PFN | \
     SIF_VIRT_P2M_4TOOLS | SIF_PM_MASK)

#define PADDING      ((uint64_t)512 << 10) /* at least so much is mapped behind the stack      */
#define MAPPED_ALIGN ((uint64_t)4 << 20)   /* the initial mapping ends at a multiple of 4 MiB */

TEST_RULE(abi_start_magic, "start_info.magic is xen-3.0-x86_64, and flags has no unknown bit")
{
    const struct start_info *si = start_info_copy();

    CHECK(!strcmp(si->magic, "xen-3.0-x86_64"),
          "start_info.magic is \"%.32s\", expected \"xen-3.0-x86_64\"", si->magic);
    for (size_t i = strnlen(si->magic, sizeof(si->magic)); i < sizeof(si->magic); i++)
        CHECK_EQ((uint8_t)si->magic[i], 0, "start_info.magic, byte %lu behind the string,", i);
    CHECK_EQ(t->d->boot.flags & ~(uint32_t)SIF_KNOWN, 0, "unknown bits of start_info.flags, 0x%x,",
             t->d->boot.flags);
}

/* Only a privileged domain gets the machine's memory map: with no buffer, the number of entries. */
TEST_RULE(abi_start_rights, "start_info.flags names the rights that Xen grants: SIF_PRIVILEGED")
{
    bool privileged = t->d->boot.flags & SIF_PRIVILEGED;
    struct xen_memory_map map = {0};
    long rc = HYPERVISOR_memory_op(XENMEM_machine_memory_map, &map);

    CHECK_EQ(privileged, boot_info_is_initdomain(&t->d->boot),
             "SIF_PRIVILEGED, compared with SIF_INITDOMAIN of start_info.flags (0x%x),",
             t->d->boot.flags);
    if (rc != -EACCES || !t->d->host.has_flask)
        CHECK_RC(rc, privileged ? 0 : -EPERM, "XENMEM_machine_memory_map, start_info.flags is 0x%x",
                 t->d->boot.flags);
}

/* Bits of SIF_PM_MASK, and what a dom0 must tell Xen of a CPU if the bit is set. */
static const struct {
    const char *name;
    uint32_t flag, type;
} pm_bits[] = {
    {"C-states (0x100)", 1 << 8,  XEN_PM_CX},
    {"P-states (0x200)", 1 << 9,  XEN_PM_PX},
    {"T-states (0x400)", 1 << 10, XEN_PM_TX},
};

/* <xen/xen.h>: SIF_PM_MASK "reserve 1 byte for xen-pm options". No CPU has the ID here. */
TEST_RULE(abi_start_pm,
          "dom0: start_info.flags tells what Xen manages: C-, P- and T-states of CPUs")
{
    if (!boot_info_is_initdomain(&t->d->boot) || t->d->host.has_flask) {
        test_skip(t,
                  "only a dom0 without a policy of XSM/FLASK may call XENPF_set_processor_pminfo");
        return;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(pm_bits); i++) {
        struct xen_platform_op op = {
            .cmd = XENPF_set_processor_pminfo,
            .interface_version = XENPF_INTERFACE_VERSION,
            .u.set_pminfo = {.id = UINT32_MAX, .type = pm_bits[i].type},
        };
        long rc = HYPERVISOR_any(__HYPERVISOR_platform_op, (uintptr_t)&op, 0, 0, 0);

        CHECK(!(t->d->boot.flags & pm_bits[i].flag) == (rc == -ENOSYS),
              "XENPF_set_processor_pminfo of %s: result is %ld, and start_info.flags is 0x%x, "
              "expected -38 (ENOSYS) if and only if the bit is clear",
              pm_bits[i].name, rc, t->d->boot.flags);
    }
}

static uint64_t now_pfn(const struct test *t, uint64_t va)
{
    return plan_renumbered(&t->d->plan, to_pfn(boot_pfn(va))).v;
}

TEST_RULE(abi_start_pt_base, "start_info.pt_base is the address of the L4 table in CR3")
{
    const struct start_info *si = start_info_copy();

    CHECK_EQ(si->pt_base % PAGE_SIZE, 0, "start_info.pt_base (0x%lx) modulo 4096", si->pt_base);
    CHECK_EQ(
        m2p_get(&t->d->host.m2p, t->d->pt.root).v, now_pfn(t, si->pt_base),
        "PFN of the L4 table in CR3 (MFN 0x%lx), compared with that of start_info.pt_base, 0x%lx,",
        t->d->pt.root.v, si->pt_base);
    CHECK(si->pt_base >= (uintptr_t)image_end,
          "start_info.pt_base is 0x%lx, expected an address behind the image, which ends at %p",
          si->pt_base, (void *)image_end);
}

/* The number of tables of a level that map [VIRT_BASE, end), where each maps @bytes. */
static uint64_t tables_of(uint64_t end, uint64_t bytes)
{
    return (end - ROUND_DOWN((uint64_t)VIRT_BASE, bytes) + bytes - 1) / bytes;
}

/*
 * Xen's own builder has just the tables of the initial mapping there. The mapping ends behind the
 * tables, the stack and the padding.
 */
TEST_RULE(abi_start_pt_frames,
          "dom0: start_info.nr_pt_frames is the number of tables of the first mapping")
{
    const struct start_info *si = start_info_copy();
    uint64_t stack_end = si->pt_base + (si->nr_pt_frames + 1) * PAGE_SIZE;
    uint64_t end = ROUND_UP(stack_end, MAPPED_ALIGN);

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "other builders count other tables, too");
        return;
    }
    if (end - stack_end < PADDING)
        end += MAPPED_ALIGN;
    CHECK_EQ(si->nr_pt_frames,
             1 + tables_of(end, level_bytes(4)) + tables_of(end, level_bytes(3)) +
                 tables_of(end, level_bytes(2)),
             "start_info.nr_pt_frames, compared with tables for [0x%lx, 0x%lx),",
             (uint64_t)VIRT_BASE, end);
}

/* The P2M list is in the kernel mapping, or has frames and page tables of its own. */
TEST_RULE(abi_start_list,
          "start_info: mfn_list, first_p2m_pfn and nr_p2m_frames describe the P2M list")
{
    const struct boot_info *b = &t->d->boot;
    const struct revectored *r = &t->d->revectored;
    uint64_t leaves = DIV_ROUND_UP(b->nr_pages, P2M_PER_PAGE) + r->nr_old_leaves;
    uint64_t tables = r->nr_old_tables;

    if (!b->nr_list_pfns) {
        CHECK(
            b->list_va >= (uintptr_t)image_end,
            "start_info.mfn_list is 0x%lx, and nr_p2m_frames is 0, expected an address behind the "
            "image, which ends at %p",
            b->list_va, (void *)image_end);
        return;
    }
    CHECK_EQ(b->list_va, LIST_BASE, "start_info.mfn_list, compared with the ELF note INIT_P2M,");
    CHECK_EQ(
        b->nr_list_pfns, leaves + tables,
        "start_info.nr_p2m_frames, compared with 0x%lx pages of the list and 0x%lx page tables,",
        leaves, tables);
    CHECK(b->list_pfn >= boot_pfn((uintptr_t)image_end),
          "start_info.first_p2m_pfn is 0x%lx, expected a PFN behind the image, which ends at PFN "
          "0x%lx",
          b->list_pfn, boot_pfn((uintptr_t)image_end));
}

/* Xen owns the frame, so it has no PFN (share_xen_page_with_guest() of Xen's arch/x86/mm.c). */
TEST_RULE(abi_start_shared_info,
          "start_info.shared_info is a frame without a PFN, which this domain may map")
{
    mfn_t mfn = maddr_to_mfn(t->d->boot.shared_info);
    pfn_t pfn = m2p_get(&t->d->host.m2p, mfn);

    CHECK_EQ(pt_mfn(&t->d->pt, (uintptr_t)t->d->shared).v, mfn.v,
             "MFN at which shared_info is mapped, compared with start_info.shared_info,");
    CHECK_EQ(pfn.v, INVALID_ENTRY, "M2P entry of shared_info, MFN 0x%lx, a frame of Xen,", mfn.v);
    CHECK(t->d->shared->wc_sec, "shared_info.wc_sec is 0, expected the time of Xen's start");
    CHECK_EQ(t->d->shared->wc_version % 2, 0,
             "shared_info.wc_version (odd: being written) modulo 2");
}

/* A ring's page has a PFN of this domain, and its port leads to another domain. */
static void check_ring(struct test *t, const char *name, mfn_t mfn, evtchn_port_t port)
{
    struct evtchn_status status = {.dom = DOMID_SELF, .port = port};
    pfn_t pfn = m2p_get(&t->d->host.m2p, mfn);
    long rc;

    CHECK(pfn.v != INVALID_ENTRY && mfn_eq(p2m_get_ram(&t->d->p2m, pfn), mfn),
          "start_info: MFN 0x%lx of the %s ring has M2P entry 0x%lx, expected a PFN of this domain",
          mfn.v, name, pfn.v);
    rc = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);
    if (rc == -EACCES && t->d->host.has_flask)
        return;
    CHECK_RC(rc, 0, "EVTCHNOP_status of the %s ring's port %u", name, port);
    CHECK(rc || status.status == EVTCHNSTAT_interdomain || status.status == EVTCHNSTAT_unbound,
          "status of the %s ring's port %u is %u, expected %u (interdomain) or %u (unbound)", name,
          port, status.status, EVTCHNSTAT_interdomain, EVTCHNSTAT_unbound);
}

/*
 * Nothing but the builder has written these parts of shared_info. An upcall before the kernel has a
 * callback would crash the kernel.
 */
TEST_RULE(abi_start_masks,
          "shared_info: upcalls are masked for vCPU 0 at its start and for all absent vCPUs")
{
    CHECK_EQ(t->d->selftest.first_mask, 1,
             "shared_info.vcpu_info[0].evtchn_upcall_mask before the kernel wrote shared_info");
    for (unsigned int i = t->d->host.nr_vcpus; i < XEN_LEGACY_MAX_VCPUS; i++)
        CHECK_EQ(t->d->shared->vcpu_info[i].evtchn_upcall_mask, 1,
                 "shared_info.vcpu_info[%u].evtchn_upcall_mask", i);
}

TEST_RULE(abi_start_rings,
          "start_info: a domU's rings are frames of its own, with ports to another domain")
{
    const struct boot_info *b = &t->d->boot;

    if (boot_info_is_initdomain(b)) {
        const struct start_info *si = start_info_copy();

        CHECK_EQ(si->store_mfn, 0, "start_info.store_mfn of a dom0");
        CHECK_EQ(si->store_evtchn, 0, "start_info.store_evtchn of a dom0");
        CHECK(!si->console.dom0.info_size || si->console.dom0.info_off == sizeof(*si),
              "start_info.console.dom0.info_off is %u, expected %lu, the size of start_info",
              si->console.dom0.info_off, sizeof(*si));
        return;
    }
    if (shim_is_between(t))
        return;
    if (b->store.v)
        check_ring(t, "xenstore", b->store, b->store_port);
    check_ring(t, "console", b->console, b->console_port);
    CHECK(!mfn_eq(b->store, b->console),
          "start_info: MFN 0x%lx is the ring of xenstore and of the console, expected two frames",
          b->console.v);
}

TEST_RULE(abi_start_ramdisk,
          "start_info: mod_start is a PFN if and only if SIF_MOD_START_PFN is set")
{
    const struct boot_info *b = &t->d->boot;
    uint64_t end = b->ramdisk_pfn + boot_info_ramdisk_pages(b);

    CHECK(b->ramdisk_bytes || !(b->flags & SIF_MOD_START_PFN),
          "start_info.flags is 0x%x and mod_len is 0, expected flags without SIF_MOD_START_PFN",
          b->flags);
    if (!b->ramdisk_bytes)
        return;
    CHECK(b->ramdisk_pfn >= boot_pfn((uintptr_t)image_end) && end <= b->nr_pages,
          "ramdisk of start_info has PFNs [0x%lx, 0x%lx), expected PFNs between the end of the "
          "image, 0x%lx, and nr_pages, 0x%lx",
          b->ramdisk_pfn, end, boot_pfn((uintptr_t)image_end), b->nr_pages);
    CHECK(!b->nr_list_pfns || end <= b->list_pfn || b->ramdisk_pfn >= b->list_pfn + b->nr_list_pfns,
          "ramdisk of start_info has PFNs [0x%lx, 0x%lx), expected none of the P2M list, which has "
          "[0x%lx, +0x%lx)",
          b->ramdisk_pfn, end, b->list_pfn, b->nr_list_pfns);
}
