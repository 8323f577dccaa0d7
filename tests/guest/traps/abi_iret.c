/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_iret, by the comment at struct iret_context of <xen/arch-x86/xen-x86_64.h>.
 *
 * Without these tests a Xen whose iret loses a register, a flag or the upcall mask would damage
 * whatever code of a guest an interrupt had stopped.
 */
#include "arch/x86/hypercall.h"
#include "arch/x86/vectors.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#define NONCANONICAL 0x0000800000000000
#define KERNEL_CS    (FLAT_KERNEL_CS & ~3)
/* Behind an iret: on the stack for traps, and not 16-byte aligned. */
#define NEW_RSP ((uintptr_t)snippet_trap_stack - 0x128)

static const uint32_t flag_sets[] = {
    0,       FLAG_CF, FLAG_PF, FLAG_AF, FLAG_ZF, FLAG_SF,
    FLAG_DF, FLAG_OF, FLAG_NT, FLAG_AC, FLAG_ID, FLAGS_OWN,
};

/* Runs an iret to snippet_end, whose context has other values than the registers at the call. */
static void run_iret(uint64_t vgcf, uint64_t cs, uint64_t rflags)
{
    snippet_fill(0);
    snippet_to_kernel(snippet_end, rflags);
    snippet_iret.flags = vgcf;
    snippet_iret.cs = cs;
    snippet_iret.rsp = NEW_RSP;
    snippet_iret.rax = ~snippet_in.gpr[RAX];
    snippet_iret.rcx = ~snippet_in.gpr[RCX];
    snippet_iret.r11 = ~snippet_in.gpr[R11];
    snippet_run(s_iret);
}

/* The registers behind an iret, except for RCX and R11. */
static void check_iret(struct test *t, const char *what, uint64_t rflags)
{
    check_no_trap(t, what);
    snippet_in.gpr[RAX] = snippet_iret.rax;
    snippet_in.rflags = rflags;
    check_out(t, what, 1 << RCX | 1 << R11);
    CHECK_EQ(snippet_out.rsp, NEW_RSP, "%s: RSP", what);
}

TEST_RULE(abi_iret, "iret loads RIP, RFLAGS, RSP, RAX, RCX and R11, and keeps all other registers")
{
    snippets_begin(t);
    for (unsigned int rpl = 0; rpl < 3; rpl++) /* "RING0, RING1, RING2 -> RING3 kernel mode" */
        for (size_t i = 0; i < ARRAY_SIZE(flag_sets); i++) {
            run_iret(0, KERNEL_CS | rpl, flag_sets[i]);
            check_iret(t, "iret", flag_sets[i]);
            CHECK_EQ(snippet_out.gpr[RCX], snippet_iret.rcx, "iret: RCX");
            CHECK_EQ(snippet_out.gpr[R11], snippet_iret.r11, "iret: R11");
        }
    snippets_end();
}

/* The guest left by SYSCALL, so Xen returns by SYSRET, which loads RIP from RCX, RFLAGS from R11.
 */
TEST_RULE(abi_iret_in_syscall, "iret with VGCF_in_syscall loads RIP, RFLAGS, RSP and RAX")
{
    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(flag_sets); i++) {
        run_iret(VGCF_in_syscall, KERNEL_CS, flag_sets[i]);
        check_iret(t, "iret with VGCF_in_syscall", flag_sets[i]);
        CHECK_EQ(snippet_out.gpr[RCX], (uintptr_t)snippet_end, "iret with VGCF_in_syscall: RCX");
        CHECK_EQ(snippet_out.gpr[R11] & FLAGS_OWN, flag_sets[i],
                 "iret with VGCF_in_syscall: flags in R11");
    }
    snippets_end();
}

/* An iret with the inverse of IF comes first, so that the iret with @rflags changes the mask. */
static void check_mask(struct test *t, uint64_t vgcf, uint64_t rflags, unsigned int expected)
{
    snippet_fill(0);
    snippet_to_kernel(s_ud2, rflags);
    snippet_iret.flags = vgcf;
    snippet_iret_again = snippet_iret;
    snippet_to_kernel(s_iret_again, rflags ^ FLAG_IF);
    snippet_run(s_iret);
    check_trap_is(t, "ud2 behind an iret", 6, 0, (uintptr_t)s_ud2);
    CHECK_EQ(snippet_trap.mask, expected, "iret with RFLAGS 0x%lx, flags 0x%lx: evtchn_upcall_mask",
             rflags, vgcf);
    CHECK_EQ(snippet_trap.frame.rflags & FLAG_IF, expected ? 0 : FLAG_IF,
             "iret with RFLAGS 0x%lx, flags 0x%lx: IF in the frame of the next exception", rflags,
             vgcf);
}

TEST_RULE(abi_iret_mask, "iret sets evtchn_upcall_mask to the inverse of IF")
{
    snippets_begin(t);
    check_mask(t, 0, FLAGS_ALWAYS | FLAG_IF, 0);
    check_mask(t, 0, FLAGS_ALWAYS, 1);
    check_mask(t, VGCF_in_syscall, FLAGS_ALWAYS | FLAG_IF, 0);
    check_mask(t, VGCF_in_syscall, FLAGS_ALWAYS, 1);
    snippets_end();
}

static long vm_assist(unsigned int cmd)
{
    return HYPERVISOR_any(__HYPERVISOR_vm_assist, cmd, VMASST_TYPE_architectural_iopl, 0, 0);
}

static void check_iopl(struct test *t, const char *what, uint64_t rflags, uint64_t expected)
{
    snippet_fill(0);
    snippet_to_kernel(s_pushf, rflags);
    snippet_run(s_iret);
    check_no_trap(t, what);
    CHECK_EQ(snippet_out.gpr[RAX] & (FLAG_IF | FLAG_IOPL | FLAG_VM), FLAG_IF,
             "%s: IF, IOPL and VM by pushf behind an iret with RFLAGS 0x%lx", what, rflags);
    snippet_to_kernel(s_ud2, rflags);
    snippet_run(s_iret);
    check_trap_is(t, what, 6, 0, (uintptr_t)s_ud2);
    CHECK_EQ(snippet_trap.frame.rflags & (FLAG_IOPL | FLAG_VM), expected,
             "%s: IOPL and VM in the frame behind an iret with RFLAGS 0x%lx", what, rflags);
}

/*
 * With an IOPL of 3 a guest could disable the interrupts of the CPU. <xen/xen.h>: with
 * VMASST_TYPE_architectural_iopl frames have "architectural IOPL", which is Xen's copy.
 */
TEST_RULE(abi_iret_iopl, "iret never sets IOPL, VM or a clear IF of the CPU, with and without "
                         "VMASST_TYPE_architectural_iopl")
{
    snippets_begin(t);
    for (uint64_t iopl = 0; iopl <= FLAG_IOPL; iopl += 0x1000) {
        check_iopl(t, "without architectural IOPL", FLAGS_ALWAYS | iopl, 0);
        if (vm_assist(VMASST_CMD_enable))
            continue;
        check_iopl(t, "with architectural IOPL", FLAGS_ALWAYS | iopl, iopl);
        snippet_to_kernel(snippet_end, FLAGS_ALWAYS);
        snippet_run(s_iret); /* IOPL 0, as before the test */
        CHECK_RC(vm_assist(VMASST_CMD_disable), 0,
                 "vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl)");
    }
    check_iopl(t, "iret with the flag VM", FLAGS_ALWAYS | FLAG_VM, 0);
    snippets_end();
}

/* The rest is an exception of the code to which the iret returns, with the flags of the frame. */
static const struct bad_frame {
    const char *what;
    uint64_t cs, ss, rip; /* RIP 0: a snippet */
    uint64_t error, flags;
} bad_frames[] = {
    {"iret to a CS past the GDT",                0xfff8,    FLAT_KERNEL_SS, 0,            0xfff8, 0},
    {"iret to a data segment as CS",             0xe028,    FLAT_KERNEL_SS, 0,            0xe028, 0},
    {"iret to Xen's ring 0 CS",                  0xe008,    FLAT_KERNEL_SS, 0,            0xe008, 0},
    {"iret to a null CS",                        0,         FLAT_KERNEL_SS, 0,            0,      0},
    {"iret to a CS in an absent LDT",            0xc,       FLAT_KERNEL_SS, 0,            0xc,    0},
    {"iret to an SS in no GDT frame",            KERNEL_CS, 0x8ff8,         0,            0x8ff8, 0},
    {"iret to a code segment as SS",             KERNEL_CS, 0xe030,         0,            0xe030, 0},
    {"iret to a non-canonical RIP",              KERNEL_CS, FLAT_KERNEL_SS, NONCANONICAL, 0,      0},
    {"iret, in SYSCALL, to a non-canonical RIP", KERNEL_CS, FLAT_KERNEL_SS, NONCANONICAL, 0,
     VGCF_in_syscall                                                                               },
};

/*
 * IRETQ of the CPU faults in Xen, which hands the fault to the guest. The frame has the RIP, CS and
 * SS that could not be loaded. SYSRET to a non-canonical RIP faults in ring 0 with the guest's RSP
 * on Intel's CPUs, so Xen must use IRETQ there (XSA-7).
 */
TEST_RULE(abi_iret_faults,
          "an iret with a bad CS, SS or RIP raises #GP with the selector as error code")
{
    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(bad_frames); i++) {
        const struct bad_frame *b = &bad_frames[i];

        snippet_fill(0);
        snippet_to_kernel(b->rip ? (const char *)b->rip : s_end, FLAGS_ALWAYS);
        snippet_iret.flags = b->flags;
        snippet_iret.cs = b->cs;
        snippet_iret.ss = b->ss;
        snippet_run(s_iret);
        check_trap_is(t, b->what, 13, b->error, snippet_iret.rip);
    }
    snippets_end();
}
