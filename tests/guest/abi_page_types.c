/* SPDX-License-Identifier: MIT */
/*
 * Without these a guest might write its own page tables, and be Xen. A frame is a table of one
 * level, or mapped writable, and never both: <xen/xen.h> says that "the pages that make up a
 * pagetable must be mapped read-only in the guest", and "Xen strictly enforces this, and will
 * disallow any pagetable update which will end up mapping pagetable page RW, and will disallow
 * using any writable page as a pagetable". Three ways round it were found over the years:
 * superpages that the check of level 2 entries let through (XSA-148), a linear table made writable
 * by an update of nothing but that bit (XSA-182), and entries that are not present (XSA-273, L1TF).
 * Each is tried.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/abi_room.h"

/* Frames that two levels of table and a page or two need, their mappings included. */
#define ROOM_PAGES 24

static int vm_assist(unsigned int cmd)
{
    return (int)HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_writable_pagetables, 0, 0);
}

/*
 * A store into a table faults. One into a table of level 1 Xen carries out for a dom0, and for a
 * domU that asks for it (<xen/xen.h>, VMASST_TYPE_writable_pagetables: "support writes to
 * bottom-level PTEs"), with all the checks of an mmu_update: none can make the table writable.
 */
static void check_stores(struct test *t, struct spot s, unsigned int level, bool assisted)
{
    uint64_t *entry = (uint64_t *)s.va;
    bool done = level == 1 && assisted;

    CHECK(probe_write(entry, PTE_A) == (done ? 0 : -EFAULT),
          "a store into a level %u table is%s "
          "carried out",
          level, done ? " not" : "");
    CHECK(*entry == (done ? PTE_A : 0), "the entry is %016lx after it", *entry);
    CHECK(probe_write(entry, pte_make(s.mfn, PTE_RW)) == -EFAULT,
          "a store can make a level %u table writable", level);
}

static void check_assisted(struct test *t, struct spot s, unsigned int level)
{
    bool initdom = boot_info_is_initdomain(&t->d->boot);

    check_stores(t, s, level, initdom);
    if (initdom)
        return;
    CHECK_RC(vm_assist(VMASST_CMD_enable), 0, "assistance with tables");
    check_stores(t, s, level, true);
    CHECK_RC(vm_assist(VMASST_CMD_disable), 0, "no assistance with tables");
}

static void check_types(struct test *t, struct spot s, unsigned int level)
{
    const char *name[] = {"", "L1", "L2", "L3", "L4"};

    CHECK_RC(spot_show(s, s.mfn, PTE_RW), 0, "a frame mapped writable");
    memset((void *)s.va, 0, PAGE_SIZE);
    CHECK_RC(pt_pin(s.mfn, level), -EINVAL, "pinning as %s what is mapped writable", name[level]);
    CHECK_RC(spot_show(s, s.mfn, PTE_RO), 0, "the same frame, read only");

    CHECK_RC(pt_pin(s.mfn, level), 0, "pinning an empty %s", name[level]);
    CHECK_RC(pt_pin(s.mfn, level), -EINVAL, "pinning it twice");
    for (unsigned int other = 1; other <= PT_LEVELS; other++)
        if (other != level)
            CHECK_RC(pt_pin(s.mfn, other), -EINVAL, "pinning %s as %s", name[level], name[other]);
    CHECK(spot_show(s, s.mfn, PTE_RW) < 0, "a pinned %s can be mapped writable", name[level]);
    check_assisted(t, s, level);
    CHECK_RC(spot_show(s, s.mfn, PTE_RO), 0, "a pinned %s, read only", name[level]);

    CHECK_RC(pt_unpin(s.mfn), 0, "unpinning %s", name[level]);
    CHECK_RC(pt_unpin(s.mfn), -EINVAL, "unpinning it twice");
    CHECK_RC(spot_show(s, s.mfn, PTE_RW), 0, "what was %s mapped writable again", name[level]);
    memset((void *)s.va, 0, PAGE_SIZE); /* Xen has written its part of a level 4 table */
}

TEST(abi_table_types, "a table of any level cannot be mapped writable, nor be of another level")
{
    struct room r;
    struct spot s;

    if (!room_open(&r, t, ROOM_PAGES))
        return;
    s = room_spot(&r);
    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        check_types(t, s, level);
    CHECK(pt_pin(t->d->pt.root, 1) < 0 && pt_pin(t->d->pt.root, 3) < 0,
          "the table in CR3 can be pinned as another level");
    CHECK_RC(pt_pin(to_mfn(t->d->host.max_mfn + 1), 1), -EINVAL, "pinning what is no frame");
    room_drop(&r, s);
    room_close(&r);
}

/* XSA-148: "The code to validate level 2 page table entries is bypassed when certain conditions are
 * satisfied": when nothing but flags of a present entry changes. */
TEST(abi_superpage, "no entry can be made a superpage, not even one that is there already")
{
    struct spot l1, l2;
    uint64_t entry;
    struct room r;

    if (!room_open(&r, t, ROOM_PAGES))
        return;
    l1 = room_spot(&r), l2 = room_spot(&r);
    entry = pte_make(l1.mfn, PTE_TABLE);
    CHECK_RC(pt_pin(l2.mfn, 2), 0, "pinning an empty L2");
    CHECK_RC(pt_write(l2.mfn, 0, entry | PTE_PSE), -EINVAL, "a superpage in an empty entry");
    CHECK_RC(pt_write(l2.mfn, 0, entry), 0, "a table in an empty entry");
    CHECK_RC(pt_write(l2.mfn, 0, entry | PTE_PSE), -EINVAL, "a table's entry made a superpage");
    CHECK(pt_read(&r.pt, l2.mfn, 2, 0) == entry, "the entry is %016lx, expected %016lx",
          pt_read(&r.pt, l2.mfn, 2, 0), entry);
    CHECK_RC(pt_write(l2.mfn, 0, 0), 0, "clearing it");
    fixmap_unmap_mfn(&t->d->fixmap, l2.mfn);
    CHECK_RC(pt_unpin(l2.mfn), 0, "unpinning");
    room_drop(&r, l2);
    room_drop(&r, l1);
    room_close(&r);
}

static unsigned int free_slot(struct test *t)
{
    unsigned int i = 1; /* in the lower half, but not where a NULL pointer would find it */

    while (pte_present(pt_read(&t->d->pt, t->d->pt.root, PT_LEVELS, i)))
        i++;
    return i;
}

/* The address at which a level 4 table shows itself, if its entry @i is itself. */
static const uint64_t *linear_va(unsigned int i)
{
    uint64_t va = 0;

    for (unsigned int level = 1; level <= PT_LEVELS; level++)
        va |= (uint64_t)i << level_shift(level);
    return (const uint64_t *)va;
}

TEST(abi_linear, "a level 4 table may show itself read only, and cannot be made writable so")
{
    mfn_t root = t->d->pt.root;
    unsigned int i = free_slot(t), own = pte_index(VIRT_BASE, 4);
    uint64_t readonly = pte_make(root, PTE_TABLE & ~PTE_W), value;
    const uint64_t *table = linear_va(i);

    CHECK_RC(pt_write(root, i, readonly | PTE_W), -EINVAL, "a writable linear table");
    if (pt_write(root, i, readonly)) {
        test_skip(t, "this Xen takes no linear tables: pv-linear-pt=off");
        return;
    }
    CHECK(!probe_read(&table[own], &value) && value == pt_read(&t->d->pt, root, PT_LEVELS, own),
          "the table does not show itself");
    CHECK_RC(pt_write(root, i, readonly | PTE_W), -EINVAL,
             "a linear table made writable (XSA-182)");
    CHECK(probe_write((void *)&table[i], readonly) == -EFAULT, "a linear table can be written");
    CHECK(pt_read(&t->d->pt, root, PT_LEVELS, i) == readonly,
          "the entry is %016lx, expected %016lx", pt_read(&t->d->pt, root, PT_LEVELS, i), readonly);
    CHECK_RC(pt_write(root, i, 0), 0, "clearing it");
    pt_flush();
    CHECK(probe_read(&table[own], &value) == -EFAULT, "the table still shows itself");
}

/*
 * An entry that is not present and has an address in it: the CPU may look there all the same
 * (XSA-273). By Xen's pv-l1tf= a dom0 is exempt unless told otherwise, and so the entry stays as it
 * is written. A domU would come under shadow paging from then on, or crash, if the CPU is one that
 * is vulnerable: nothing to try on a domain that has other tests to run.
 */
TEST(abi_l1tf, "a dom0 may keep an address in an entry that is not present")
{
    uint64_t entry;
    struct room r;
    struct spot s;

    if (!boot_info_is_initdomain(&t->d->boot)) {
        test_skip(t, "a domU would be put under shadow paging, or crashed");
        return;
    }
    if (!room_open(&r, t, ROOM_PAGES))
        return;
    s = room_spot(&r);
    entry = pte_make(s.mfn, PTE_RW & ~PTE_P);
    CHECK_RC(HYPERVISOR_update_va_mapping(s.va, entry, UVMF_INVLPG), 0, "such an entry");
    CHECK(pt_walk(&r.pt, s.va).pte == entry, "it is %016lx, expected %016lx",
          pt_walk(&r.pt, s.va).pte, entry);
    CHECK(probe_read((void *)s.va, &entry) == -EFAULT, "it maps something");
    /* it counts as no reference: the frame may become a table */
    CHECK_RC(pt_pin(s.mfn, 1), 0, "pinning its frame");
    CHECK_RC(pt_unpin(s.mfn), 0, "unpinning it");
    room_drop(&r, s);
    room_close(&r);
}

static void try_foreign(struct test *t, struct spot s, mfn_t mfn, const char *whose)
{
    CHECK(spot_show(s, mfn, PTE_RO) < 0, "%s frame, 0x%lx, can be mapped", whose, mfn.v);
    CHECK(spot_show(s, mfn, PTE_RW) < 0, "%s frame, 0x%lx, can be mapped writable", whose, mfn.v);
    CHECK(pt_pin(mfn, 1) < 0, "%s frame, 0x%lx, can be a table of ours", whose, mfn.v);
}

TEST(abi_foreign_frame, "no frame of Xen's can be mapped, and in a domU no other domain's")
{
    mfn_t mfn = to_mfn(0);
    struct room r;
    struct spot s;

    if (shim_is_between(t))
        return;

    if (!room_open(&r, t, ROOM_PAGES))
        return;
    s = room_spot(&r);
    try_foreign(t, s, xen_frame(t->d), "Xen's");
    for (unsigned int i = 0; i < 16 && !boot_info_is_initdomain(&t->d->boot); i++, mfn.v++) {
        mfn = foreign_frame(t->d, mfn);
        if (mfn_eq(mfn, INVALID_MFN)) {
            CHECK(i, "there is no other domain's frame to try, not even dom0's");
            break;
        }
        try_foreign(t, s, mfn, "another domain's");
    }
    room_drop(&r, s);
    room_close(&r);
}
