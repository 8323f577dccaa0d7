/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions of the kernel, which Xen emulates or refuses (Xen's
 * arch/x86/pv/emul-priv-op.c). The kernel runs in ring 3, so each of them traps.
 *
 * Without these tests Xen could skip an instruction that it must refuse, for example one that would
 * load a descriptor table or a system call entry point, or damage a register of the guest.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/pte.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/user_room.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/physdev.h>

#define MSR_TSC         0x10
#define MSR_APIC_BASE   0x1b
#define MSR_PAT         0x277
#define MSR_EFER        0xc0000080
#define MSR_LSTAR       0xc0000082
#define MSR_NONE        0xdeadbeef
#define EFER_SCE        0x1
#define EFER_LME        0x100
#define EFER_LMA        0x400
#define CPUID_XSAVE     (1u << 26) /* leaf 1, ECX */
#define CR4_OSXSAVE     0x40000
#define PORT_CF8        0xcf8
#define HYPERCALL_BYTES 32 /* of an entry of the hypercall page */

static const struct row {
    const char *what, *code;
    bool emulated;
    uint32_t except; /* registers that the instruction changes */
} rows[] = {
    {"hlt",                     s_hlt,     false, 0                                        },
    {"cli with IOPL 0",         s_cli,     false, 0                                        },
    {"sti with IOPL 0",         s_sti,     false, 0                                        },
    {"invd",                    s_invd,    false, 0                                        },
    {"wbinvd",                  s_wbinvd,  true,  0                                        },
    {"lgdt",                    s_lgdt,    false, 0                                        },
    {"lidt",                    s_lidt,    false, 0                                        },
    {"lldt",                    s_lldt,    false, 0                                        },
    {"ltr",                     s_ltr,     false, 0                                        },
    {"lmsw",                    s_lmsw,    false, 0                                        },
    {"invlpg",                  s_invlpg,  false, 0                                        },
    {"sysret",                  s_sysret,  false, 0                                        },
    {"mov from CR8",            s_get_cr8, false, 0                                        },
    {"mov to CR8",              s_set_cr8, false, 0                                        },
    {"cpuid with Xen's prefix", s_cpuid,   true,  1 << RAX | 1 << RBX | 1 << RCX | 1 << RDX},
    {"mov from CR3",            s_get_cr3, true,  1 << RAX                                 },
    {"mov from CR4",            s_get_cr4, true,  1 << RAX                                 },
    {"in from port, IOPL 0",    s_inb,     false, 0                                        },
    {"out to port, IOPL 0",     s_outl,    false, 0                                        },
};

/*
 * QEMU 10.0 and 11.1 execute INVD and WBINVD in ring 3. Then Xen never sees the instruction. In
 * user mode Xen only passes the #GP on, so user mode shows what the processor does.
 */
static bool invd_is_privileged(struct user *u)
{
    bool is;

    snippet_fill(FLAGS_OWN & ~(FLAG_AC | FLAG_NT));
    user_run(s_invd, snippet_in.rflags);
    is = snippet_trap.frame.vector == 13;
    user_close(u);
    return is;
}

TEST_RULE(abi_privileged,
          "Xen emulates or refuses each privileged instruction, and keeps all registers")
{
    struct user u;
    bool with_invd;

    if (!user_open(t, &u))
        return;
    with_invd = invd_is_privileged(&u);
    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];

        if (r->code == s_invd && !with_invd)
            continue;
        snippet_fill(FLAGS_OWN);
        snippet_in.gpr[RDI] = (uintptr_t)rodata_start;
        snippet_run(r->code);
        if (r->emulated) {
            check_no_trap(t, r->what);
        } else {
            check_trap_is(t, r->what, 13, 0, (uintptr_t)r->code);
            check_trap_gprs(t, r->what, 0);
        }
        check_out(t, r->what, r->except);
    }
    snippets_end();
}

/* <xen/arch-x86/xen.h>, XEN_EMULATE_PREFIX: "ud2a; .ascii "xen"". */
TEST_RULE(abi_cpuid_prefix,
          "UD2 with the letters xen makes Xen emulate CPUID; other letters raise #UD")
{
    snippets_begin(t);
    snippet_fill(FLAGS_OWN);
    snippet_in.gpr[RAX] = XEN_CPUID_LEAF(0);
    snippet_run(s_cpuid);
    check_no_trap(t, "cpuid of leaf 0x40000000 with Xen's prefix");
    CHECK_EQ(snippet_out.gpr[RBX], XEN_CPUID_SIGNATURE_EBX, "RBX of CPUID leaf 0x40000000");
    CHECK_EQ(snippet_out.gpr[RCX], XEN_CPUID_SIGNATURE_ECX, "RCX of CPUID leaf 0x40000000");
    CHECK_EQ(snippet_out.gpr[RDX], XEN_CPUID_SIGNATURE_EDX, "RDX of CPUID leaf 0x40000000");
    snippet_run(s_cpuid_wrong);
    check_trap_is(t, "ud2 with the letters xem", 6, 0, (uintptr_t)s_cpuid_wrong);
    check_out(t, "ud2 with the letters xem", 0);
    snippets_end();
}

/*
 * CLI and STI have no effect, because Xen could not emulate POPF, which does not trap. Port 0xcf8
 * is Xen's own copy of the register CONFIG_ADDRESS, which each domain has.
 */
static void check_with_iopl(struct test *t)
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];

    snippet_fill(FLAGS_OWN);
    snippet_run(s_sti);
    check_no_trap(t, "sti with IOPL 1");
    check_out(t, "sti with IOPL 1", 0);
    snippet_run(s_cli);
    check_no_trap(t, "cli with IOPL 1");
    snippet_run_unmasked(s_cli);
    CHECK_EQ(vcpu->evtchn_upcall_mask, 1, "after snippets: evtchn_upcall_mask");

    for (uint32_t value = 0x80000000; value <= 0x80ff1234; value += 0xff1234) {
        snippet_fill(FLAGS_OWN);
        snippet_in.gpr[RDX] = PORT_CF8;
        snippet_in.gpr[RAX] = value;
        snippet_run(s_outl);
        check_out(t, "out of 4 bytes to port 0xcf8", 0);
        snippet_in.gpr[RAX] = ~(uint64_t)0;
        snippet_run(s_inl);
        check_no_trap(t, "in of 4 bytes from port 0xcf8");
        check_out(t, "in of 4 bytes from port 0xcf8", 1 << RAX);
        CHECK_EQ(snippet_out.gpr[RAX], value, "RAX after in of 4 bytes from port 0xcf8");
    }
    snippet_in.gpr[RAX] = 0;
    snippet_run(s_outl);
}

TEST_RULE(abi_privileged_iopl,
          "with IOPL 1 the kernel may run cli, sti, in and out (xen/physdev.h)")
{
    snippets_begin(t);
    CHECK_RC(set_iopl(1), 0, "PHYSDEVOP_set_iopl(1)");
    check_with_iopl(t);
    CHECK_RC(set_iopl(0), 0, "PHYSDEVOP_set_iopl(0)");
    snippets_end();
}

static uint64_t rdmsr(unsigned int msr)
{
    snippet_fill(0);
    return snippet_rdmsr(msr);
}

static void check_wrmsr(struct test *t, const char *what, unsigned int msr, uint64_t value,
                        bool works)
{
    snippet_fill(FLAGS_OWN);
    snippet_wrmsr(msr, value);
    if (works)
        check_no_trap(t, what);
    else
        check_trap_is(t, what, 13, 0, (uintptr_t)s_wrmsr);
    check_out(t, what, 0);
}

/* MSRs that Xen itself uses, or that a PV guest has no feature for. Xen logs no line for them. */
static const struct {
    const char *read, *write;
    unsigned int msr;
    bool reads;
} guarded[] = {
    {"rdmsr of PRED_CMD",      "wrmsr of PRED_CMD, bit 5",  0x49,       false},
    {"rdmsr of PLATFORM_INFO", "wrmsr of PLATFORM_INFO",    0xce,       true },
    {"rdmsr of FLUSH_CMD",     "wrmsr of FLUSH_CMD, bit 5", 0x10b,      false},
    {"rdmsr of x2APIC ID",     "wrmsr of x2APIC ID",        0x802,      false},
    {"rdmsr of 0x40000001",    "wrmsr of 0x40000001",       0x40000001, false},
};

TEST_RULE(abi_msr_guarded, "rdmsr and wrmsr of MSRs for speculation, x2APIC and Xen raise #GP")
{
    snippets_begin(t);
    for (size_t i = 0; i < ARRAY_SIZE(guarded) && t->d->host.minor >= 15; i++) {
        rdmsr(guarded[i].msr);
        if (guarded[i].reads)
            check_no_trap(t, guarded[i].read);
        else
            check_trap_is(t, guarded[i].read, 13, 0, (uintptr_t)s_rdmsr);
        check_wrmsr(t, guarded[i].write, guarded[i].msr, 0x20, false);
    }
    snippets_end();
}

/* Before 4.15 Xen lets a guest read any MSR, and ignores a write that it does not know. */
TEST_RULE(abi_msr,
          "rdmsr and wrmsr of an MSR that a guest may not use raise #GP, and change nothing")
{
    bool strict = t->d->host.major > 4 || t->d->host.minor >= 15;
    uint64_t efer, bits = EFER_SCE | EFER_LME | EFER_LMA;

    snippets_begin(t);
    efer = rdmsr(MSR_EFER);
    check_no_trap(t, "rdmsr of EFER");
    CHECK_EQ(efer & bits, bits, "bits SCE, LME and LMA of EFER");
    check_wrmsr(t, "wrmsr of EFER with another value", MSR_EFER, efer ^ EFER_SCE, !strict);
    CHECK_EQ(rdmsr(MSR_EFER), efer, "EFER after a refused wrmsr");
    check_wrmsr(t, "wrmsr of LSTAR", MSR_LSTAR, (uintptr_t)s_end, !strict);
    if (strict) {
        check_wrmsr(t, "wrmsr of an unknown MSR", MSR_NONE, 0, false);
        check_wrmsr(t, "wrmsr of EFER with its own value", MSR_EFER, efer, true);
        CHECK_EQ(rdmsr(MSR_APIC_BASE), 0xfee00900, "APIC_BASE of vCPU 0");
        CHECK_EQ(rdmsr(MSR_PAT), 0x050100070406, "PAT, as <xen/xen.h> documents Xen's choice");
        rdmsr(MSR_NONE);
        check_trap_is(t, "rdmsr of an unknown MSR", 13, 0, (uintptr_t)s_rdmsr);
    }
    snippets_end();
}

/* The entry for hypercall @i must load @i into EAX, and then use SYSCALL. */
static bool has_hypercall(const uint8_t *entry, uint32_t i)
{
    const uint8_t code[] = {0xb8, (uint8_t)i, 0, 0, 0, 0x0f, 0x05};

    for (unsigned int at = 0; at + sizeof(code) <= HYPERCALL_BYTES; at++)
        if (!memcmp(entry + at, code, sizeof(code)))
            return true;
    return false;
}

/* <xen/arch-x86/cpuid.h>, leaf 2: "Number of hypercall-transfer pages, MSR base address". */
TEST_RULE(abi_hypercall_page,
          "wrmsr of the hypercall page MSR fills a writable page with hypercalls")
{
    struct cpuid leaf = cpuid_xen(XEN_CPUID_LEAF(2));
    uint64_t past = mfn_to_maddr(to_mfn(t->d->host.max_mfn + 1));
    struct room r;
    uint8_t *page;
    mfn_t mfn;

    if (!room_open(&r, t, 16))
        return;
    page = room_alloc(&r, 1);
    mfn = pt_mfn(&r.pt, (uintptr_t)page);
    snippets_begin(t);
    CHECK_EQ(leaf.eax, 1, "CPUID 0x40000002, EAX: number of hypercall pages");
    CHECK_EQ(rdmsr(leaf.ebx), 0, "hypercall page MSR 0x%x, which reads as 0", leaf.ebx);
    check_wrmsr(t, "wrmsr of the hypercall page", leaf.ebx, mfn_to_maddr(mfn), true);
    for (uint32_t i = 0; i < PAGE_SIZE / HYPERCALL_BYTES; i++)
        CHECK(has_hypercall(page + (size_t)i * HYPERCALL_BYTES, i),
              "hypercall page: entry %u has no \"mov $%u, %%eax; syscall\"", i, i);
    check_wrmsr(t, "wrmsr of hypercall page number 1", leaf.ebx, mfn_to_maddr(mfn) | 1, false);
    check_wrmsr(t, "wrmsr of the hypercall page with the L4 table", leaf.ebx,
                mfn_to_maddr(t->d->pt.root), false);
    check_wrmsr(t, "wrmsr of the hypercall page past all memory", leaf.ebx, past, false);
    snippets_end();
    room_free(&r, page, 1);
    room_close(&r);
}

static void check_xsetbv(struct test *t, const char *what, uint32_t index, uint64_t value,
                         unsigned int vector)
{
    snippet_in.gpr[RCX] = index;
    snippet_in.gpr[RAX] = (uint32_t)value;
    snippet_in.gpr[RDX] = value >> 32;
    snippet_run(s_xsetbv);
    if (vector)
        check_trap_is(t, what, vector, 0, (uintptr_t)s_xsetbv);
    else
        check_no_trap(t, what);
}

TEST_RULE(abi_xsetbv,
          "xsetbv works with CR4.OSXSAVE set, and refuses an invalid XCR number or value")
{
    uint64_t cr4, xcr0;

    if (!(cpuid_xen(1).ecx & CPUID_XSAVE)) {
        test_skip(t, "Xen reports no XSAVE in CPUID leaf 1");
        return;
    }
    snippets_begin(t);
    snippet_fill(0);
    cr4 = snippet_get(s_get_cr4);
    CHECK_EQ(snippet_set(s_set_cr4, cr4 & ~(uint64_t)CR4_OSXSAVE), 0,
             "mov to CR4 without OSXSAVE: number of exceptions");
    check_xsetbv(t, "xsetbv with CR4.OSXSAVE clear", 0, 1, 6);
    CHECK_EQ(snippet_set(s_set_cr4, cr4 | CR4_OSXSAVE), 0,
             "mov to CR4 with OSXSAVE: number of exceptions");
    snippet_in.gpr[RCX] = 0;
    snippet_run(s_xgetbv);
    check_no_trap(t, "xgetbv");
    xcr0 = snippet_out.gpr[RDX] << 32 | snippet_out.gpr[RAX];
    check_xsetbv(t, "xsetbv of the value of xgetbv", 0, xcr0 | 1, 0);
    check_xsetbv(t, "xsetbv without x87 state", 0, xcr0 & ~(uint64_t)1, 13);
    check_xsetbv(t, "xsetbv of a reserved bit", 0, xcr0 | 1 | (uint64_t)1 << 62, 13);
    check_xsetbv(t, "xsetbv of XCR 1", 1, 1, 13);
    check_xsetbv(t, "xsetbv, the first value again", 0, xcr0 | 1, 0);
    /* the last, because a Xen that accepts this value ends the domain */
    check_xsetbv(t, "xsetbv of AVX state without SSE state", 0, 5, 13);
    CHECK_EQ(snippet_set(s_set_cr4, cr4), 0, "mov to CR4, the first value: number of exceptions");
    snippets_end();
}
