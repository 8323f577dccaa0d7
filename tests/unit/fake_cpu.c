/* SPDX-License-Identifier: MIT */
/*
 * Emulation of the instructions that trap under Xen but not in this process: reading CR3, and CPUID
 * with Xen's prefix. Also the symbols that the kernel gets from its assembler files and its linker
 * script.
 */
#include "arch/x86/probe.h"
#include "arch/x86/traps.h"

#include "lib/errno.h"

#include "tests/unit/fake_xen.h"
#include "tests/unit/harness.h"

#include <string.h>
#include <ucontext.h>
#include <xen/arch-x86/cpuid.h>

#define XEN_LEAVES 0x40000000

static const uint8_t read_cr3[] = {0x0f, 0x20};
static const uint8_t xen_cpuid[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

/* The general registers by their number in an instruction. */
static const int registers[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                 REG_RSP, REG_RBP, REG_RSI, REG_RDI};

static void answer_cpuid(greg_t *r)
{
    uint32_t leaf = (uint32_t)r[REG_RAX];

    r[REG_RAX] = r[REG_RBX] = r[REG_RCX] = r[REG_RDX] = 0;
    if (leaf == XEN_LEAVES) {
        r[REG_RAX] = XEN_LEAVES + 5;
        r[REG_RBX] = XEN_CPUID_SIGNATURE_EBX;
        r[REG_RCX] = XEN_CPUID_SIGNATURE_ECX;
        r[REG_RDX] = XEN_CPUID_SIGNATURE_EDX;
    } else if (leaf == XEN_LEAVES + 5) {
        r[REG_RBX] = 46;
    }
}

bool fake_emulate(void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)r[REG_RIP];

    if (r[REG_TRAPNO] == 14) /* a page fault, perhaps of the instruction fetch */
        return false;
    if (!memcmp(code, read_cr3, sizeof(read_cr3)) && (code[2] & 0xf8) == 0xd8) {
        r[registers[code[2] & 7]] = (greg_t)(fake.root * PAGE_SIZE);
        r[REG_RIP] += 3;
        return true;
    }
    if (!memcmp(code, xen_cpuid, sizeof(xen_cpuid))) {
        answer_cpuid(r);
        r[REG_RIP] += sizeof(xen_cpuid);
        return true;
    }
    return false;
}

int probe_read(const void *from, uint64_t *value)
{
    uint64_t in_m2p = (uintptr_t)from - (uintptr_t)fake.m2p.table;
    uint64_t at = (uintptr_t)from - (uintptr_t)&fake.m2p.table[fake.first_mfn];

    /* Xen's M2P has gaps where the machine has no memory; the M2P of a test has none */
    if (in_m2p < fake.m2p.nr * sizeof(uint64_t) && at >= fake.nr_mfns * sizeof(uint64_t))
        return -EFAULT;
    if (in_m2p < fake.m2p.nr * sizeof(uint64_t) &&
        fake_frame(fake.first_mfn + at / sizeof(uint64_t))->owner == FAKE_PEERS)
        fail_msg("the guest reads the M2P entry of MFN %#lx, a frame of another domain",
                 in_m2p / sizeof(uint64_t));
    memcpy(value, from, sizeof(*value));
    return 0;
}

trap_witness_t trap_witness;

int traps_start(void)
{
    return 0;
}
