/* SPDX-License-Identifier: MIT */
/*
 * Page types of a PV guest: a frame is a page table of one level, or mapped writable, never both.
 *
 * Without these tests a guest could write its own page tables, and take over the host. <xen/xen.h>
 * says that "the pages that make up a pagetable must be mapped read-only in the guest", and "Xen
 * strictly enforces this, and will disallow any pagetable update which will end up mapping
 * pagetable page RW, and will disallow using any writable page as a pagetable". Three ways around
 * this rule have been found, and each has a test here: superpages that the check of L2 entries
 * accepted (XSA-148), a linear page table made writable by an update of the RW bit alone (XSA-182),
 * and PTEs that are not present (XSA-273, L1TF).
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/abi_room.h"

/* Frames for two page tables and a page or two, and for the page tables that map them. */
#define ROOM_PAGES 24

static int vm_assist(unsigned int cmd)
{
    return (int)HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_writable_pagetables, 0, 0);
}

static const char *const as_level[] = {"", "as L1", "as L2", "as L3", "as L4"};

static void check_level(struct test *t, long rc, long expected, const char *step, struct spot s,
                        unsigned int level)
{
    CHECK_RC(rc, expected, "%s, MFN 0x%lx %s", step, s.mfn.v, as_level[level]);
}

/*
 * A former page table must be mapped writable at once. False: Xen refuses, so a store would stop
 * the kernel.
 */
static bool clear_former(struct test *t, struct spot s, unsigned int level)
{
    int rc = spot_show(s, s.mfn, PTE_RW);

    check_level(t, rc, 0, "update_va_mapping, writable, of a former page table", s, level);
    if (!rc)
        memset((void *)s.va, 0, PAGE_SIZE); /* Xen wrote entries into an L4 table */
    return !rc;
}

/*
 * @s.va maps an empty table of @level. A store into it faults, unless Xen emulates the store: into
 * an L1 table, for dom0, or for a domU with VMASST_TYPE_writable_pagetables (<xen/xen.h>: "support
 * writes to bottom-level PTEs"). Xen checks an emulated store like an mmu_update, so that no store
 * can map the table writable.
 */
static void check_stores(struct test *t, struct spot s, unsigned int level, bool assisted)
{
    uint64_t *entry = (uint64_t *)s.va;
    bool emulated = level == 1 && assisted;

    check_level(t, probe_write(entry, PTE_A), emulated ? 0 : -EFAULT,
                assisted ? "store into a page table (L1 stores emulated)"
                         : "store into a page table (no stores emulated)",
                s, level);
    CHECK_EQ(*entry, emulated ? PTE_A : 0,
             "after a store of 0x20 to entry 0 of the L%u table at MFN 0x%lx: this entry", level,
             s.mfn.v);
    check_level(t, probe_write(entry, pte_make(s.mfn, PTE_RW)), -EFAULT,
                "store, into a page table, of a PTE that maps it writable", s, level);
}

TEST(abi_table_stores,
     "a store into a page table faults, except into an L1 while Xen emulates L1 stores")
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);
    struct spot s;

    if (!spot_open(t, &s))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS; level++) {
        check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);
        check_level(t, pt_pin(s.mfn, level), 0, "pin of a zeroed frame", s, level);
        check_stores(t, s, level, initdom);
        if (!initdom) {
            CHECK_RC(vm_assist(VMASST_CMD_enable), 0,
                     "vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables)");
            check_stores(t, s, level, true);
            CHECK_RC(vm_assist(VMASST_CMD_disable), 0,
                     "vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables)");
        }
        check_level(t, pt_unpin(s.mfn), 0, "unpin", s, level);
        if (!clear_former(t, s, level))
            break;
    }
    spot_close(s);
}

/*
 * Of the twenty pairs of a frame's type and another type, six are tried, because a refusal causes
 * up to four lines in Xen's log. Each of the five types is once the type of the frame, and once the
 * type that Xen refuses: a writable frame as L4, L4 as L3, L3 as L2, L2 as L1, L1 as a writable
 * frame (in abi_table_stores). The sixth pair is L4 as a writable frame. Xen compares the types in
 * one place, _get_page_type() of its arch/x86/mm.c, which has branches of its own only for the
 * pairs L4 as L3, L3 as L2, and L2 as L1, since these could be linear page tables.
 */
static bool check_types(struct test *t, struct spot s, unsigned int level)
{
    if (!clear_former(t, s, level - 1))
        return false;
    if (level == PT_LEVELS)
        check_level(t, pt_pin(s.mfn, level), -EINVAL, "pin of a frame that is mapped writable", s,
                    level);
    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only", s.mfn);

    check_level(t, pt_pin(s.mfn, level), 0, "pin of a zeroed frame", s, level);
    if (level == 1)
        check_level(t, pt_pin(s.mfn, level), -EINVAL, "second pin", s, level);
    else
        CHECK_RC(pt_pin(s.mfn, level - 1), -EINVAL, "pin as L%u of MFN 0x%lx, pinned as L%u",
                 level - 1, s.mfn.v, level);
    if (level == PT_LEVELS)
        check_frame_refused(t, spot_show(s, s.mfn, PTE_RW),
                            "update_va_mapping, writable, of a page table", s.mfn);
    check_frame(t, spot_show(s, s.mfn, PTE_RO), 0, "update_va_mapping, read-only, of a page table",
                s.mfn);

    check_level(t, pt_unpin(s.mfn), 0, "unpin", s, level);
    if (level == 1)
        check_frame(t, pt_unpin(s.mfn), -EINVAL, "second unpin", s.mfn);
    return clear_former(t, s, level);
}

TEST(abi_table_types,
     "a frame has at most one type at a time: L1 to L4 page table, or writable page")
{
    mfn_t root = t->d->pt.root, past = to_mfn(t->d->host.max_mfn + 1);
    struct spot s;

    if (!spot_open(t, &s))
        return;
    for (unsigned int level = 1; level <= PT_LEVELS && check_types(t, s, level);)
        level++;
    check_frame_refused(t, pt_pin(root, 3), "pin as L3 of the L4 table in CR3", root);
    check_frame(t, pt_pin(past, 1), -EINVAL, "pin of a frame past the last MFN of the host", past);
    spot_close(s);
}

/*
 * "The code to validate level 2 page table entries is bypassed when certain conditions are
 * satisfied" (XSA-148): when the update of a present entry changes nothing but flags.
 */
TEST(abi_superpage,
     "Xen refuses an L2 entry with the PSE bit (a superpage) of a PV guest (XSA-148)")
{
    struct spot l1, l2;
    uint64_t entry;
    struct room r;

    if (!room_open(&r, t, ROOM_PAGES))
        return;
    l1 = room_spot(&r), l2 = room_spot(&r);
    entry = pte_make(l1.mfn, PTE_TABLE);
    check_level(t, pt_pin(l2.mfn, 2), 0, "pin of a zeroed frame", l2, 2);
    CHECK_RC(pt_write(l2.mfn, 0, entry | PTE_PSE), -EINVAL,
             "mmu_update of empty L2 entry 0 to 0x%lx (PSE bit set)", entry | PTE_PSE);
    CHECK_RC(pt_write(l2.mfn, 0, entry), 0, "mmu_update of empty L2 entry 0 to 0x%lx (an L1 table)",
             entry);
    CHECK_RC(pt_write(l2.mfn, 0, entry | PTE_PSE), -EINVAL,
             "mmu_update of present L2 entry 0 to 0x%lx (PSE bit set)", entry | PTE_PSE);
    CHECK_EQ(pt_read(&r.pt, l2.mfn, 2, 0), entry,
             "after the refused mmu_update: L2 entry 0 at MFN 0x%lx", l2.mfn.v);
    CHECK_RC(pt_write(l2.mfn, 0, 0), 0, "mmu_update of L2 entry 0 at MFN 0x%lx to 0", l2.mfn.v);
    fixmap_unmap_mfn(&t->d->fixmap, l2.mfn);
    check_level(t, pt_unpin(l2.mfn), 0, "unpin", l2, 2);
    room_drop(&r, l2);
    room_drop(&r, l1);
    room_close(&r);
}

/* The address at which an L4 table is mapped if its entry @i holds the table itself. */
static const uint64_t *linear_va(unsigned int i)
{
    uint64_t va = 0;

    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        va |= (uint64_t)i << level_shift(level);
    return (const uint64_t *)va;
}

TEST(abi_linear, "an L4 may map itself read-only, never writable (XSA-182)")
{
    mfn_t root = t->d->pt.root;
    unsigned int i = l4_empty_slot(t->d), own = pte_index(VIRT_BASE, 4);
    uint64_t readonly = pte_make(root, PTE_TABLE & ~PTE_W), value = 0;
    const uint64_t *table = linear_va(i);

    CHECK_RC(pt_write(root, i, readonly | PTE_W), -EINVAL,
             "mmu_update of empty L4 entry %u to the L4 itself, writable", i);
    if (pt_write(root, i, readonly)) {
        test_skip(t, "this Xen refuses linear page tables (pv-linear-pt=off)");
        return;
    }
    CHECK_RC(probe_read(&table[own], &value), 0,
             "read of L4 entry %u by the linear page table (L4 maps itself) at %p", own,
             (const void *)table);
    CHECK_EQ(value, pt_read(&t->d->pt, root, PT_LEVELS, own),
             "L4 entry %u, read by the linear page table at %p", own, (const void *)table);
    CHECK_RC(pt_write(root, i, readonly | PTE_W), -EINVAL,
             "mmu_update of L4 entry %u from read-only to writable", i);
    CHECK_RC(probe_write((void *)&table[i], readonly), -EFAULT,
             "store into L4 entry %u by the linear page table at %p", i, (const void *)table);
    CHECK_EQ(pt_read(&t->d->pt, root, PT_LEVELS, i), readonly,
             "after the refused mmu_update and store: L4 entry %u", i);
    CHECK_RC(pt_write(root, i, 0), 0, "mmu_update of L4 entry %u to 0", i);
    pt_flush();
    CHECK_RC(probe_read(&table[own], &value), -EFAULT,
             "read of the linear page table at %p after its L4 entry %u was cleared",
             (const void *)table, i);
}

/*
 * Through a PTE that is not present but holds an address, a vulnerable CPU may read the memory at
 * this address speculatively (XSA-273). By default, Xen's option pv-l1tf= exempts dom0, and the PTE
 * stays as written. With pv-l1tf=dom0 or =true, Xen ends a dom0 that writes such a PTE, or puts it
 * into shadow paging; a guest cannot ask which option Xen has. A domU is treated so by default, if
 * the CPU is vulnerable. So a dom0 runs this test only if test= names it, and a domU never.
 */
TEST(abi_l1tf, "mmu_update in a dom0 accepts a PTE that is not present and holds an address "
               "(pv-l1tf=, XSA-273)")
{
    uint64_t entry, value;
    struct spot s;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "Xen may crash a domU, or shadow it, for a non-present PTE with an address");
        return;
    }
    if (!cmdline_names_test(&t->d->options, t->test->name)) {
        test_skip(t, "abi_l1tf would end a dom0 of a Xen with pv-l1tf=dom0; test=abi_l1tf runs it "
                     "all the same");
        return;
    }
    if (!spot_open(t, &s))
        return;
    entry = pte_make(s.mfn, PTE_RW & ~PTE_P);
    CHECK_RC(HYPERVISOR_update_va_mapping(s.va, entry, UVMF_INVLPG), 0,
             "update_va_mapping of 0x%lx to non-present PTE 0x%lx", s.va, entry);
    CHECK_EQ(pt_walk(&t->d->pt, s.va).pte, entry, "after update_va_mapping: PTE of 0x%lx", s.va);
    CHECK_RC(probe_read((void *)s.va, &value), -EFAULT, "read at 0x%lx, whose PTE is not present",
             s.va);
    /* a PTE that is not present holds no reference: the frame may become a page table */
    check_frame(t, pt_pin(s.mfn, 1), 0, "pin of a frame that a non-present PTE holds", s.mfn);
    check_frame(t, pt_unpin(s.mfn), 0, "unpin", s.mfn);
    spot_close(s);
}

/*
 * A frame that this domain does not own. Xen refuses the mapping because of the owner, before it
 * looks at the right to write, so read-only, the lesser right, is tried.
 */
static void try_foreign(struct test *t, struct spot s, mfn_t mfn)
{
    check_frame_refused(t, spot_show(s, mfn, PTE_RO),
                        "update_va_mapping, read-only, of a frame that this domain does not own",
                        mfn);
    check_frame_refused(t, pt_pin(mfn, 1), "pin as L1 of a frame that this domain does not own",
                        mfn);
}

TEST(abi_xen_frame,
     "Xen refuses this domain a mapping, even read-only, and a pin of a frame private to Xen")
{
    struct spot s;

    if (shim_is_between(t))
        return;

    if (!spot_open(t, &s))
        return;
    try_foreign(t, s, xen_frame(t->d));
    spot_close(s);
}

TEST(abi_foreign_frame,
     "Xen does not let a domU map (even read-only) or pin a frame of another domain")
{
    struct spot s;
    mfn_t mfn;

    if (shim_is_between(t))
        return;

    if (boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a dom0 may map frames of other domains");
        return;
    }
    if (!spot_open(t, &s))
        return;
    mfn = foreign_frame(t->d, to_mfn(0));
    CHECK(!mfn_eq(mfn, INVALID_MFN),
          "number of foreign frames in the M2P is 0, expected at least 1 (dom0's)");
    if (!mfn_eq(mfn, INVALID_MFN))
        try_foreign(t, s, mfn);
    spot_close(s);
}
