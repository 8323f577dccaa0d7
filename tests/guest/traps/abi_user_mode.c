/* SPDX-License-Identifier: MIT */
/*
 * User mode of a 64-bit PV guest: how code enters and leaves it, and what it may not do.
 *
 * Without these tests user processes of a guest could make hypercalls, read the guest kernel's
 * memory, or find wrong registers after a system call. Kernel and user mode both run in ring 3, so
 * only Xen keeps them apart (toggle_guest_mode() of Xen's arch/x86/pv/domain.c).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"
#include "arch/x86/vectors.h"

#include "tests/guest/traps/user_room.h"

#include <xen/callback.h>
#include <xen/version.h>

#define DIVERT 5 /* an exception vector that nothing raises: its entry stub marks a SYSCALL */

static void check_syscall(struct test *t, uint64_t rflags, bool masks)
{
    const struct trap_frame *f = &snippet_trap.frame;
    const unsigned int except = 1 << RCX | 1 << R11;

    snippet_fill(rflags & FLAGS_OWN);
    snippet_in.gpr[RAX] = __HYPERVISOR_xen_version; /* this must be no hypercall */
    snippet_in.gpr[RDI] = XENVER_version;
    user_run(s_hypercall, rflags);
    check_user_trap(t, "SYSCALL", DIVERT, 0, user_va(s_hypercall) + 2);
    check_trap_gprs(t, "SYSCALL in user mode, in the frame", except);
    check_flags(t, "SYSCALL in user mode, in the frame", f->rflags);
    CHECK_EQ(snippet_trap.mask, masks || !(rflags & FLAG_IF),
             "SYSCALL in user mode, upcalls %smasked, callback %s CALLBACKF_mask_events: "
             "evtchn_upcall_mask in the handler",
             rflags & FLAG_IF ? "un" : "", masks ? "with" : "without");
    CHECK_EQ(f->rflags & (FLAG_IF | FLAG_IOPL), rflags & FLAG_IF,
             "SYSCALL in user mode: IF and IOPL in the frame");
    CHECK_EQ((uint8_t)(f->cs >> 32), !(rflags & FLAG_IF),
             "SYSCALL in user mode: saved_upcall_mask in the frame");
}

TEST_RULE(abi_user_syscall,
          "SYSCALL in user mode enters the kernel at its callback, with all registers")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    for (unsigned int masks = 0; masks < 2; masks++) {
        CHECK_RC(register_callback(CALLBACKTYPE_syscall, masks ? CALLBACKF_mask_events : 0,
                                   trap_entry(DIVERT)),
                 0, "CALLBACKOP_register of CALLBACKTYPE_syscall");
        check_syscall(t, 0, masks);
        check_syscall(t, FLAG_IF, masks);
        check_syscall(t, FLAG_IF | FLAG_CF | FLAG_SF | FLAG_DF, masks);
        check_syscall(t, FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_OF | FLAG_ID, masks);
    }
    CHECK_RC(traps_start(), 0, "set_callbacks, without a callback for SYSCALL");
    user_close(&u);
}

static const struct {
    const char *what, *code;
    uint64_t rdi;
    unsigned int vector;
    uint64_t error;
    unsigned int behind; /* RIP of the frame behind the start of the snippet */
} faults[] = {
    {"read of an unmapped page",        s_read,    USER_HOLE + 3,         14, PF_USER,                         0},
    {"write to an unmapped page",       s_write,   USER_HOLE + 0xfff,     14, PF_USER | PF_WRITE,              0},
    {"write to a read-only page",       s_write,   USER_TEXT + 1,         14, PF_USER | PF_WRITE | PF_PRESENT, 0},
    {"read at address 0",               s_read,    0,                     14, PF_USER,                         0},
    {"read of the kernel's .text",      s_read,    (uint64_t)image_start, 14, PF_USER,                         0},
    {"read at a non-canonical address", s_read,    0x0000800000000000,    13, 0,                               0},
    {"div by 0",                        s_div,     0,                     0,  0,                               0},
    {"ud2",                             s_ud2,     0,                     6,  0,                               0},
    {"int3",                            s_int3,    0,                     3,  0,                               1},
    {"hlt",                             s_hlt,     0,                     13, 0,                               0},
    {"cli",                             s_cli,     0,                     13, 0,                               0},
    {"mov from CR3",                    s_get_cr3, 0,                     13, 0,                               0},
    {"mov to CR3",                      s_set_cr3, 0,                     13, 0,                               0},
    {"mov from DR7",                    s_get_dr7, 0,                     13, 0,                               0},
    {"clts",                            s_clts,    0,                     13, 0,                               0},
    {"rdmsr",                           s_rdmsr,   0,                     13, 0,                               0},
    {"wrmsr",                           s_wrmsr,   0,                     13, 0,                               0},
    {"in from port DX",                 s_inb,     0,                     13, 0,                               0},
    {"mov of Xen's data segment to DS", s_mov_ds,  0xe010,                13, 0xe010,                          0},
};

TEST_RULE(abi_user_faults,
          "an exception in user mode has the error code, CR2 and RIP of the Intel SDM")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        const char *code = faults[i].code;

        snippet_fill(FLAGS_OWN & ~(FLAG_AC | FLAG_NT));
        snippet_in.gpr[RDI] = faults[i].rdi;
        user_run(code, snippet_in.rflags);
        check_user_trap(t, faults[i].what, faults[i].vector, faults[i].error,
                        user_va(code) + faults[i].behind);
        check_trap_gprs(t, faults[i].what, 0);
        check_flags(t, faults[i].what, snippet_trap.frame.rflags);
        if (faults[i].vector == TRAP_PAGE_FAULT)
            CHECK_EQ(snippet_trap.cr2, faults[i].rdi, "%s in user mode: CR2", faults[i].what);
    }
    user_close(&u);
}

/* A CPU without NX may say that the access is a read (Intel SDM vol. 3, 4.7). */
static void check_fetch(struct test *t, const char *what, uint64_t va, uint64_t error)
{
    snippet_fill(0);
    snippet_in.gpr[RDI] = va;
    user_run(s_jump, 0);
    if (!pte_has_nx())
        error &= ~(uint64_t)PF_FETCH | snippet_trap.frame.error;
    check_user_trap(t, what, TRAP_PAGE_FAULT, error, va);
    CHECK_EQ(snippet_trap.cr2, va, "%s in user mode: CR2", what);
}

TEST_RULE(abi_user_fetch, "a jump to a page that user mode may not execute raises #PF")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    check_fetch(t, "jump to an unmapped page", USER_HOLE + 5, PF_USER | PF_FETCH);
    if (pte_has_nx())
        check_fetch(t, "jump to a page with NX", USER_DATA + 5, PF_USER | PF_FETCH | PF_PRESENT);
    user_close(&u);
}

/* The entry for the M2P in the L4 table of user mode. */
static uint64_t user_m2p_entry(struct test *t, const struct user *u)
{
    struct spot root = u->tables[PT_LEVELS - 1];
    uint64_t entry = 0;

    check_frame(t, spot_show(root, root.mfn, PTE_RO), 0, "update_va_mapping, read-only", root.mfn);
    CHECK_RC(probe_read((uint64_t *)root.va + pte_index(MACH2PHYS_VIRT_START, PT_LEVELS), &entry),
             0, "read of the L4 table of user mode, MFN 0x%lx", root.mfn.v);
    check_frame(t, spot_show(root, root.mfn, 0), 0, "update_va_mapping, no rights", root.mfn);
    return entry;
}

/*
 * With XPTI (Xen's option xpti=, enabled by default on a CPU with Meltdown) user mode has a copy of
 * the guest's L4 table, in which Xen always maps the M2P: setup_cpu_root_pgt() of Xen's
 * arch/x86/smpboot.c.
 */
static void check_m2p(struct test *t, const char *what)
{
    uint64_t entry;
    struct user u;

    if (!user_open(t, &u))
        return;
    entry = user_m2p_entry(t, &u);
    snippet_fill(0);
    snippet_in.gpr[RDI] = MACH2PHYS_VIRT_START;
    user_run(s_read, 0);
    CHECK_EQ(entry, 0, "%s: L4 entry of the M2P in user mode", what);
    if (!entry && snippet_trap.frame.rip == user_va(snippet_end))
        test_skip(t, "Xen maps the M2P in user mode without an entry of the L4 table: XPTI");
    else
        check_user_trap(t, what, TRAP_PAGE_FAULT, PF_USER, user_va(s_read));
    snippet_run(s_read);
    check_no_trap(t, "read of the M2P in kernel mode");
    user_close(&u);
}

static long m2p_strict(unsigned int cmd)
{
    return HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_m2p_strict, 0, 0);
}

/*
 * <xen/xen.h>: a new L4 table has no M2P, and gets one when it becomes a table of kernel mode. With
 * VMASST_TYPE_m2p_strict it has one, and loses it when it becomes a table of user mode.
 */
TEST_RULE(abi_user_m2p, "user mode cannot read the M2P, with and without VMASST_TYPE_m2p_strict")
{
    check_m2p(t, "read of the M2P, VMASST_TYPE_m2p_strict disabled");
    if (m2p_strict(VMASST_CMD_enable)) {
        test_skip(
            t, "Xen refuses VMASST_TYPE_m2p_strict; only user mode without VMASST_TYPE_m2p_strict "
               "was tested");
        return;
    }
    check_m2p(t, "read of the M2P, VMASST_TYPE_m2p_strict enabled");
    CHECK_RC(m2p_strict(VMASST_CMD_disable), 0, "vm_assist(VMASST_CMD_disable, m2p_strict)");
}
