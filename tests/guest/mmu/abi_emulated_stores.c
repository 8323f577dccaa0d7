/* SPDX-License-Identifier: MIT */
/*
 * Stores into L1 tables that Xen emulates: of 1, 2, 4 and 8 bytes, and CMPXCHG.
 *
 * VMASST_TYPE_writable_pagetables of <xen/xen.h>: "support writes to bottom-level PTEs". A dom0 has
 * this support, a domU can ask for it. Without these tests Xen could write other bytes of the entry
 * than the instruction does, or lose the frame of the old entry. Xen checks an emulated store like
 * an mmu_update: ptwr_emulated_update() of Xen arch/x86/pv/ro-page-fault.c. Most stores here write
 * entries that are not present and hold no address, since Xen may take an address in such an entry
 * for an attack (XSA-273).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/mmu/entry_ways.h"

/* An instruction that may trap: *rc is 0 behind it, or -EFAULT if it trapped (probe.h). */
#define MAY_TRAP(instruction)                      \
    "1: " instruction "\n"                         \
    "   movl $0, %[rc]\n"                          \
    "2:\n"                                         \
    "   .pushsection .extable, \"a\", @progbits\n" \
    "   .quad 1b, 2b\n"                            \
    "   .popsection\n"

#define STORE(instruction)                             \
    __asm__ volatile(MAY_TRAP(instruction ", (%[to])") \
                     : [rc] "+&r"(rc)                  \
                     : [v] "r"(value), [to] "r"(to)    \
                     : "memory", "cc")

static int store(uintptr_t to, uint64_t value, unsigned int bytes)
{
    int rc = -EFAULT;

    switch (bytes) {
    case 1:
        STORE("movb %b[v]");
        break;
    case 2:
        STORE("movw %w[v]");
        break;
    case 4:
        STORE("movl %k[v]");
        break;
    default:
        STORE("movq %[v]");
        break;
    }
    return rc;
}

static void write_entry(struct test *t, struct spot l1, unsigned int i, uint64_t pte)
{
    CHECK_RC(pt_write(l1.mfn, i, pte), 0,
             "mmu_update of entry %u of the L1 table, MFN 0x%lx, to 0x%lx", i, l1.mfn.v, pte);
}

/*
 * LOCK CMPXCHG of 4 or 8 bytes. *@old is what the memory must hold, and then what it held. *@zf is
 * the flag that says whether it matched.
 */
static int cmpxchg(uintptr_t to, uint64_t *old, uint64_t new, unsigned int bytes, bool *zf)
{
    int rc = -EFAULT;

    if (bytes == 4)
        __asm__ volatile(MAY_TRAP("lock cmpxchgl %k[v], (%[to])")
                         : [rc] "+&r"(rc), "+&a"(*old), "=@ccz"(*zf)
                         : [v] "r"(new), [to] "r"(to)
                         : "memory");
    else
        __asm__ volatile(MAY_TRAP("lock cmpxchgq %[v], (%[to])")
                         : [rc] "+&r"(rc), "+&a"(*old), "=@ccz"(*zf)
                         : [v] "r"(new), [to] "r"(to)
                         : "memory");
    return rc;
}

static bool stores_open(struct tree *tr, struct test *t)
{
    if (!tree_open(tr, t))
        return false;
    if (!boot_info_is_initdomain(&t->d->boot))
        CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                                VMASST_TYPE_writable_pagetables, 0, 0),
                 0, "vm_assist(enable, VMASST_TYPE_writable_pagetables)");
    table_pin(t, tr->table[1], 1);
    return true;
}

static void stores_close(struct tree *tr)
{
    struct test *t = tr->room.t;

    if (t->result < TEST_ERROR)
        table_unpin(t, tr->table[1], 1);
    if (!boot_info_is_initdomain(&t->d->boot))
        CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, VMASST_CMD_disable,
                                VMASST_TYPE_writable_pagetables, 0, 0),
                 0, "vm_assist(disable, VMASST_TYPE_writable_pagetables)");
    tree_close(tr);
}

/* Stores at each aligned offset. Bits 51:12 (address) and bit 0 (P) of the entry stay clear. */
#define FLAGS ((uint64_t)0xbff0000000000e7e)

static void check_store(struct test *t, struct spot l1, unsigned int i, unsigned int bytes,
                        unsigned int offset)
{
    uint64_t mask = (bytes == 8 ? 0 : (uint64_t)1 << (bytes * 8)) - 1, pattern = FLAGS,
             before = 0x0010000000000204, expected;

    expected = (before & ~(mask << (offset * 8))) | (pattern & (mask << (offset * 8)));
    write_entry(t, l1, i, before);
    CHECK_RC(store(l1.va + i * 8 + offset, pattern >> (offset * 8), bytes), 0,
             "store of %u bytes at offset %u of L1 entry %u", bytes, offset, i);
    CHECK_EQ(table_entry(l1, i), expected,
             "after a store of %u bytes of 0x%lx at offset %u: L1 entry %u, which was 0x%lx,",
             bytes, pattern, offset, i, before);
    write_entry(t, l1, i, 0);
    CHECK_EQ(table_entry(l1, i ^ 1), 0, "after a store of %u bytes into L1 entry %u: L1 entry %u",
             bytes, i, i ^ 1);
}

TEST_RULE(abi_store_size, "Xen emulates stores of 1, 2, 4 and 8 bytes into an L1 table")
{
    static const unsigned int entries[] = {0, 1, 255, 511};
    struct tree tr;

    if (!stores_open(&tr, t))
        return;
    for (unsigned int e = 0; e < ARRAY_SIZE(entries); e++)
        for (unsigned int bytes = 1; bytes <= 8; bytes *= 2)
            for (unsigned int offset = 0; offset < 8; offset += bytes)
                check_store(t, tr.table[1], entries[e], bytes, offset);
    if (!tr.brief) { /* refused, and logged */
        CHECK_RC(store(tr.table[1].va + 4, 0, 8), -EFAULT, "store of 8 bytes across two entries");
        CHECK_RC(store(tr.table[1].va + 1, 0, 2), -EFAULT, "store of 2 bytes, misaligned");
    }
    stores_close(&tr);
}

/* Entry 0 names page[0]. A store changes its frame, byte by byte or at once. */
TEST_RULE(abi_store_frame, "an emulated store releases the old frame of an L1 entry")
{
    struct spot *a, *b, l1;
    struct tree tr;
    uint64_t first, second;

    if (!stores_open(&tr, t))
        return;
    a = &tr.page[0], b = &tr.page[1], l1 = tr.table[1];
    first = pte_make(a->mfn, PTE_RW), second = pte_make(b->mfn, PTE_RW);
    CHECK_RC(store(l1.va, first, 8), 0, "store of 0x%lx to L1 entry 0", first);
    CHECK_EQ(table_entry(l1, 0), first | PTE_G, "after a store of 8 bytes: L1 entry 0");
    CHECK_RC(store(l1.va, PTE_P | PTE_U | PTE_A, 1), 0, "store of 1 byte that removes W and D");
    CHECK_EQ(table_entry(l1, 0), (first | PTE_G) & ~(PTE_W | PTE_D),
             "after a store of 1 byte that removes W and D: L1 entry 0");
    CHECK_RC(pt_pin(a->mfn, 1), 0, "pin of MFN 0x%lx, now mapped read-only, as L1", a->mfn.v);
    table_unpin(t, *a, 1);
    CHECK_RC(store(l1.va, second, 8), 0, "store of 0x%lx to L1 entry 0", second);
    CHECK_EQ(table_entry(l1, 0), second | PTE_G, "after a store of 8 bytes: L1 entry 0");
    check_unused(&tr.room, a, "after a store replaced this frame in an L1 entry");
    CHECK_RC(store(l1.va, 0, 8), 0, "store of 0 to L1 entry 0");
    check_unused(&tr.room, b, "after a store replaced this frame in an L1 entry by 0");
    stores_close(&tr);
}

/* The comparison fails if any byte of the operand differs; the rest of the entry does not count. */
static void check_cmpxchg(struct test *t, struct spot l1, unsigned int bytes, unsigned int offset,
                          bool equal)
{
    uint64_t before = 0x0010000000000204, new = FLAGS >> (offset * 8),
             mask = (bytes == 8 ? 0 : (uint64_t)1 << (bytes * 8)) - 1,
             held = before >> (offset * 8) & mask, old = equal ? held : held ^ 0x20,
             expected = (before & ~(mask << (offset * 8))) | (FLAGS & (mask << (offset * 8)));
    bool zf = !equal;

    write_entry(t, l1, 0, before);
    CHECK_RC(cmpxchg(l1.va + offset, &old, new, bytes, &zf), 0,
             "CMPXCHG of %u bytes at offset %u of L1 entry 0", bytes, offset);
    CHECK_EQ(zf, equal, "after CMPXCHG of %u bytes, operands %s: ZF", bytes,
             equal ? "equal" : "different");
    CHECK_EQ(old & mask, held, "after CMPXCHG of %u bytes, operands %s: RAX", bytes,
             equal ? "equal" : "different");
    CHECK_EQ(table_entry(l1, 0), equal ? expected : before,
             "after CMPXCHG of %u bytes at offset %u, operands %s: L1 entry 0", bytes, offset,
             equal ? "equal" : "different");
    write_entry(t, l1, 0, 0);
}

TEST_RULE(abi_store_cmpxchg,
          "Xen emulates CMPXCHG of an L1 entry, and writes only if the operands match")
{
    struct spot *a, *b, l1;
    struct tree tr;
    uint64_t old;
    bool zf;

    if (!stores_open(&tr, t))
        return;
    a = &tr.page[0], b = &tr.page[1], l1 = tr.table[1];
    for (unsigned int equal = 0; equal < 2; equal++) {
        check_cmpxchg(t, l1, 8, 0, equal);
        check_cmpxchg(t, l1, 4, 0, equal);
        check_cmpxchg(t, l1, 4, 4, equal);
    }
    write_entry(t, l1, 0, pte_make(a->mfn, PTE_RW));
    old = 0;
    CHECK_RC(cmpxchg(l1.va, &old, pte_make(b->mfn, PTE_RW), 8, &zf), 0,
             "CMPXCHG of L1 entry 0, operand 0 differs");
    CHECK_EQ(pte_mfn(table_entry(l1, 0)).v, a->mfn.v,
             "after CMPXCHG without a match: MFN in L1 entry 0");
    check_unused(&tr.room, b, "after CMPXCHG without a match, of an L1 entry for this frame");
    CHECK_RC(cmpxchg(l1.va, &old, pte_make(b->mfn, PTE_RW), 8, &zf), 0,
             "CMPXCHG of L1 entry 0, operands equal");
    CHECK_EQ(pte_mfn(table_entry(l1, 0)).v, b->mfn.v,
             "after CMPXCHG with a match: MFN in L1 entry 0");
    check_unused(&tr.room, a, "after CMPXCHG replaced this frame in an L1 entry");
    write_entry(t, l1, 0, 0);
    stores_close(&tr);
}

/*
 * Xen reads the operand by the guest's address, and compares and writes by the frame. The guest
 * changes the mapping of the address from an L1 table with @a in it to one with @b, without a
 * flush, so Xen's read may still find @a by its TLB. The memory holds @b: RAX and ZF must say so.
 */
static void check_stale(struct test *t, struct tree *tr, uint64_t a, uint64_t b)
{
    struct spot first = tr->table[1], second = tr->table[2];
    uint64_t old = a ^ FLAGS, new = pte_make(tr->page[0].mfn, PTE_RO);
    bool zf = true;

    write_entry(t, first, 0, a);
    write_entry(t, second, 0, b);
    CHECK_RC(cmpxchg(first.va, &old, new, 8, &zf), 0, "CMPXCHG of 0x%lx, an L1 entry", first.va);
    CHECK_EQ(old, a, "after CMPXCHG of 0x%lx, an L1 entry with another value: RAX", first.va);
    CHECK_RC(HYPERVISOR_update_va_mapping(first.va, pte_make(second.mfn, PTE_RO), UVMF_NONE), 0,
             "update_va_mapping of 0x%lx to another L1 table, without a flush", first.va);
    zf = true;
    CHECK_RC(cmpxchg(first.va, &old, new, 8, &zf), 0,
             "CMPXCHG of 0x%lx, whose mapping was changed without a flush", first.va);
    CHECK_EQ(table_entry(second, 0), b,
             "after CMPXCHG of 0x%lx, whose mapping was changed without a flush: L1 entry",
             first.va);
    CHECK_EQ(old, b, "after CMPXCHG of 0x%lx, whose mapping was changed without a flush: RAX",
             first.va);
    CHECK_EQ(zf, false, "after CMPXCHG of 0x%lx, whose mapping was changed without a flush: ZF",
             first.va);
    CHECK_RC(HYPERVISOR_update_va_mapping(first.va, pte_make(first.mfn, PTE_RO), UVMF_INVLPG), 0,
             "update_va_mapping of 0x%lx to the first L1 table", first.va);
    check_unused(&tr->room, &tr->page[0],
                 "after CMPXCHG without a match, of an L1 entry for this frame");
    write_entry(t, first, 0, 0);
    write_entry(t, second, 0, 0);
}

TEST_RULE(
    abi_store_cmpxchg_race,
    "an emulated CMPXCHG that finds another value than was read before returns this value in RAX")
{
    struct tree tr;

    if (!stores_open(&tr, t))
        return;
    table_pin(t, tr.table[2], 1);
    check_stale(t, &tr, 0x204, 0x404);
    if (t->result < TEST_ERROR)
        table_unpin(t, tr.table[2], 1);
    stores_close(&tr);
}

TEST_RULE(abi_vm_assist, "vm_assist refuses an unknown type with EINVAL, and an unknown command")
{
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 31, 0, 0), -EINVAL,
             "vm_assist(enable, 31)");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, VMASST_CMD_disable, 31, 0, 0), -EINVAL,
             "vm_assist(disable, 31)");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, VMASST_CMD_enable, 100, 0, 0), -EINVAL,
             "vm_assist(enable, 100)");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_vm_assist, 9, VMASST_TYPE_pae_extended_cr3, 0, 0), -ENOSYS,
             "vm_assist(9, VMASST_TYPE_pae_extended_cr3)");
}
