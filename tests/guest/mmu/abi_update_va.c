/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_update_va_mapping and mmu_update of <xen/xen.h>: addresses that are no page-table
 * entries.
 *
 * Without these tests Xen could take a bad address for the address of an entry, and write to memory
 * that is no page table. XSA-253 and others were about addresses that Xen did not check. By Xen
 * arch/x86/mm.c, do_mmu_update() writes the value as it is to a frame that is no page table, which
 * is the guest's own memory, and refuses a frame that has another type.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/table_room.h"

#define NO_COMMAND       5 /* of mmu_update */
#define NONCANONICAL     0x0000800000000000
#define BAD_VCPU_MASK_VA ((uintptr_t)stack_guard)

/* XSA-279: a refused update must make no flush. The result must be that of the update. */
static void check_va(struct test *t, uintptr_t va, uint64_t pte, const char *what)
{
    static const uint64_t vcpu0_mask = 1;
    const unsigned long mask = UVMF_MULTI | (uintptr_t)&vcpu0_mask;

    CHECK_RC(HYPERVISOR_update_va_mapping(va, pte, UVMF_NONE), -EINVAL,
             "update_va_mapping of 0x%lx (%s) to 0x%lx", va, what, pte);
    CHECK_RC(HYPERVISOR_update_va_mapping(va, pte, UVMF_TLB_FLUSH | mask), -EINVAL,
             "update_va_mapping of 0x%lx (%s) to 0x%lx, UVMF_TLB_FLUSH of vCPU 0", va, what, pte);
    if (va == NONCANONICAL)
        return; /* XSA-279: INVLPG of such an address could stop the host */
    CHECK_RC(HYPERVISOR_update_va_mapping(va, pte, UVMF_INVLPG | mask), -EINVAL,
             "update_va_mapping of 0x%lx (%s) to 0x%lx, UVMF_INVLPG of vCPU 0", va, what, pte);
}

TEST_RULE(abi_update_va, "update_va_mapping refuses an address without an L1 table of this domain")
{
    struct tree tr;
    uint64_t pte;

    if (!tree_open(&tr, t))
        return;
    tree_link(&tr, 3);
    pte = pte_make(tr.page[0].mfn, PTE_RO);
    for (unsigned int i = 0; i < 2; i++, pte = 0) {
        check_va(t, NONCANONICAL, pte, "not canonical");
        check_va(t, HYPERVISOR_VIRT_START, pte, "Xen's first address, the M2P");
        check_va(t, HYPERVISOR_VIRT_END - PAGE_SIZE, pte, "Xen's last page");
        check_va(t, HYPERVISOR_VIRT_START + 2 * level_bytes(4), pte, "Xen's linear page table");
        check_va(t, tr.va, pte, "its L4 entry is empty");
        if (!tree_hook(&tr))
            break;
        check_va(t, tr.va + level_bytes(3), pte, "its L3 entry is empty");
        check_va(t, tr.va + level_bytes(2), pte, "its L2 entry is empty");
        tree_unhook(&tr);
    }
    check_unused(&tr.room, &tr.page[0], "after refused update_va_mappings");
    tree_close(&tr);
}

TEST_RULE(abi_update_va_mask,
          "update_va_mapping with an unreadable mask of vCPUs fails with EFAULT")
{
    struct spot s;

    if (!spot_open(t, &s))
        return;
    CHECK_RC(HYPERVISOR_update_va_mapping(s.va, pte_make(s.mfn, PTE_RO),
                                          UVMF_INVLPG | UVMF_MULTI | BAD_VCPU_MASK_VA),
             -EFAULT, "update_va_mapping, UVMF_INVLPG, mask of vCPUs in an unmapped page");
    CHECK_RC(HYPERVISOR_update_va_mapping(s.va, 0, UVMF_TLB_FLUSH | UVMF_MULTI | BAD_VCPU_MASK_VA),
             -EFAULT, "update_va_mapping, UVMF_TLB_FLUSH, mask of vCPUs in an unmapped page");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_update_va_mapping_otherdomain, s.va,
                            pte_make(s.mfn, PTE_RO), UVMF_INVLPG, DOMID_SELF),
             0, "update_va_mapping_otherdomain, this domain");
    CHECK_RC(probe_read((void *)s.va, &(uint64_t){0}), 0,
             "read at 0x%lx, mapped by update_va_mapping_otherdomain", s.va);
    spot_close(s);
}

/*
 * A dom0 may map device memory, but only at addresses that the CPU has. A PTE with an address of
 * more bits would raise a page fault for reserved bits, so no access may follow. Of the MFNs that
 * the CPU does not have, Xen refuses the last one without a line in its log.
 */
TEST_RULE(abi_update_width, "update_va_mapping refuses an MFN that the CPU has no address bits for")
{
    const mfn_t mfn = to_mfn(((uint64_t)1 << (PADDR_BITS - PAGE_SHIFT)) - 1);
    struct spot s;

    if (t->d->host.cpu_bits >= PADDR_BITS) {
        test_skip(t, "the CPU has addresses of %u bits, as many as a PTE", t->d->host.cpu_bits);
        return;
    }
    if (!spot_open(t, &s))
        return;
    check_frame_refused(t, spot_show(s, mfn, PTE_RO), "update_va_mapping, read-only", mfn);
    check_frame_refused(t,
                        HYPERVISOR_any(__HYPERVISOR_update_va_mapping_otherdomain, s.va,
                                       pte_make(mfn, PTE_RO | PTE_UC), UVMF_INVLPG, DOMID_IO),
                        "update_va_mapping_otherdomain, read-only, uncached, of DOMID_IO", mfn);
    CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", s.va);
    spot_close(s);
}

/* Writes by mmu_update go to one word of a page that is no page table, and nowhere else. */
TEST_RULE(abi_update_memory, "mmu_update of a frame that is no page table stores the value")
{
    static const unsigned int words[] = {0, 1, 255, 511};
    struct tree tr;
    struct spot page;

    if (!tree_open(&tr, t))
        return;
    page = tr.page[0];
    for (unsigned int w = 0; w < ARRAY_SIZE(words); w++) {
        uint64_t value = 0xfedcba9876543210 + w;

        table_fill(t, page, ~(uint64_t)0);
        CHECK_RC(table_update(page.mfn, words[w], value, MMU_NORMAL_PT_UPDATE), 0,
                 "mmu_update of word %u of MFN 0x%lx, which is no page table", words[w],
                 page.mfn.v);
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
            CHECK_EQ(table_entry(page, i), i == words[w] ? value : ~(uint64_t)0,
                     "after mmu_update of word %u of a page: word %u", words[w], i);
    }
    check_unused(&tr.room, &tr.page[0], "after mmu_update of a frame that is no page table");
    tree_close(&tr);
}

/* The first, the middle and the last of many updates take effect, at three levels. */
TEST_RULE(abi_update_batch,
          "each update of a batch of mmu_update is carried out, whatever the level")
{
    static struct mmu_update req[3 * PTES_PER_TABLE];
    unsigned int done = 0, nr = 0;
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    for (unsigned int level = 1; level <= 3; level++) {
        table_pin(t, tr.table[level], level);
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
            req[nr++] =
                (struct mmu_update){.ptr = mfn_to_maddr(tr.table[level].mfn) + i * sizeof(uint64_t),
                                    .val = tree_entry(&tr, level)};
    }
    CHECK_RC(HYPERVISOR_mmu_update(req, nr, &done, DOMID_SELF), 0, "mmu_update of %u entries", nr);
    CHECK_EQ(done, nr, "*pdone after mmu_update of %u entries", nr);
    for (unsigned int level = 1; level <= 3; level++) {
        for (unsigned int i = 0; i < PTES_PER_TABLE; i++)
            CHECK_EQ(pte_mfn(table_entry(tr.table[level], i)).v, pte_mfn(tree_entry(&tr, level)).v,
                     "after mmu_update of %u entries: MFN in L%u entry %u", nr, level, i);
        table_unpin(t, tr.table[level], level);
    }
    for (unsigned int level = 3; level >= 1; level--)
        check_unused(&tr.room, &tr.table[level], "after updates of all entries of this table");
    tree_close(&tr);
}

#define NR_UPDATES 3

/* Request number @bad has no valid command. The entries of an L1 table show what Xen has done. */
static void check_partial(struct test *t, struct tree *tr, unsigned int bad)
{
    mfn_t l1 = tr->table[1].mfn;
    struct mmu_update req[NR_UPDATES];
    unsigned int done = 77;

    for (unsigned int i = 0; i < NR_UPDATES; i++)
        req[i] = (struct mmu_update){.ptr = (mfn_to_maddr(l1) + i * sizeof(uint64_t)) |
                                            (i == bad ? NO_COMMAND : 0),
                                     .val = tree_entry(tr, 1)};
    CHECK_RC(HYPERVISOR_mmu_update(req, NR_UPDATES, &done, DOMID_SELF),
             bad < NR_UPDATES ? -ENOSYS : 0,
             "mmu_update of %d L1 entries (request %u has an unknown command)", NR_UPDATES, bad);
    CHECK_EQ(done, bad, "*pdone after mmu_update of %d L1 entries (request %u is invalid)",
             NR_UPDATES, bad);
    for (unsigned int i = 0; i < NR_UPDATES; i++) {
        CHECK_EQ(pte_present(table_entry(tr->table[1], i)), i < bad,
                 "after mmu_update with invalid request %u: P bit of L1 entry %u", bad, i);
        CHECK_RC(pt_write(l1, i, 0), 0, "mmu_update of L1 entry %u to 0", i);
    }
}

TEST_RULE(abi_update_partial, "mmu_update of L1 entries stops at the first invalid request")
{
    struct tree tr;

    if (!tree_open(&tr, t))
        return;
    table_pin(t, tr.table[1], 1);
    for (unsigned int bad = 0; bad <= NR_UPDATES; bad++)
        check_partial(t, &tr, bad);
    table_unpin(t, tr.table[1], 1);
    tree_close(&tr);
}
