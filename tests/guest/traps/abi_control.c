/* SPDX-License-Identifier: MIT */
/*
 * Control registers of the kernel, which Xen emulates: CR0.TS and the exception #NM, CR2, CR3, CR4.
 *
 * Without these tests a guest that switches the FPU lazily could run with the FPU registers of
 * another task, since it would miss an #NM. <xen/xen.h>, HYPERVISOR_fpu_taskswitch: TS makes the
 * next FPU instruction raise #NM, and Xen clears TS when it delivers #NM.
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/pte.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/user_room.h"

#define CR0_TS       0x8
#define CR0_WP       0x10000
#define CR4_TSD      0x4
#define CR4_VMXE     0x2000
#define CR4_FSGSBASE 0x10000
#define CR4_PCIDE    0x20000
#define VECTOR_NM    7

static long taskswitch(uint64_t ts)
{
    return HYPERVISOR_any(__HYPERVISOR_fpu_taskswitch, ts, 0, 0, 0);
}

/* TS was set or cleared by @how: does CR0 show TS, and does the next FPU instruction raise #NM? */
static void check_ts(struct test *t, const char *how, bool ts)
{
    CHECK_EQ(snippet_get(s_get_cr0) & CR0_TS, ts ? CR0_TS : 0, "after %s: bit TS of CR0", how);
    snippet_run(s_fnop);
    CHECK_EQ(snippet_trap.nr, ts, "fnop after %s: number of exceptions", how);
    if (snippet_trap.nr)
        check_trap_is(t, "fnop with TS set", VECTOR_NM, 0, (uintptr_t)s_fnop);
    CHECK_EQ(snippet_get(s_get_cr0) & CR0_TS, 0, "after %s and fnop: bit TS of CR0", how);
}

static void set_ts(struct test *t)
{
    CHECK_RC(taskswitch(1), 0, "fpu_taskswitch(1)");
}

TEST_RULE(abi_task_switched,
          "the next FPU instruction raises #NM once if, and only if, CR0.TS is set")
{
    uint64_t cr0;

    snippets_begin(t);
    snippet_fill(0);
    cr0 = snippet_get(s_get_cr0) & ~(uint64_t)CR0_TS;
    check_ts(t, "fpu_taskswitch was never called", false);
    set_ts(t);
    check_ts(t, "fpu_taskswitch(1)", true);
    set_ts(t);
    CHECK_RC(taskswitch(0), 0, "fpu_taskswitch(0)");
    check_ts(t, "fpu_taskswitch(1) and fpu_taskswitch(0)", false);
    CHECK_EQ(snippet_set(s_set_cr0, cr0 | CR0_TS), 0, "mov of TS to CR0: number of exceptions");
    check_ts(t, "mov to CR0 with TS", true);
    set_ts(t);
    CHECK_EQ(snippet_set(s_set_cr0, cr0), 0, "mov without TS to CR0: number of exceptions");
    check_ts(t, "fpu_taskswitch(1) and mov to CR0 without TS", false);
    set_ts(t);
    CHECK_EQ(snippet_run(s_clts), 0, "clts: number of exceptions");
    check_ts(t, "fpu_taskswitch(1) and clts", false);
    CHECK_EQ(snippet_set(s_set_cr0, cr0 ^ CR0_WP), 1,
             "mov to CR0 that changes WP: number of exceptions");
    check_trap_is(t, "mov to CR0 that changes WP", 13, 0, (uintptr_t)s_set_cr0);
    CHECK_EQ(snippet_get(s_get_cr0), cr0, "CR0 after a refused mov");
    snippets_end();
}

#define VECTOR_MF 16

static void check_xmm0(struct test *t, const char *when, uint64_t value)
{
    CHECK_EQ(snippet_get(s_get_xmm0), value, "XMM0 after %s", when);
}

/* A guest that handles #NM loads the FPU registers of another task there, so Xen must not. */
TEST_RULE(abi_fpu_registers, "TS, #NM, a hypercall and user mode keep the FPU registers")
{
    const uint64_t value = 0x1122334455667788;
    struct user u;

    if (!user_open(t, &u))
        return;
    snippet_fill(0);
    CHECK_EQ(snippet_set(s_set_xmm0, value), 0, "mov to XMM0: number of exceptions");
    check_xmm0(t, "mov to XMM0", value);
    set_ts(t);
    CHECK_EQ(snippet_run(s_get_xmm0), 1, "mov from XMM0 with TS set: number of exceptions");
    check_trap_is(t, "mov from XMM0 with TS set", VECTOR_NM, 0, (uintptr_t)s_get_xmm0);
    check_xmm0(t, "#NM", value);
    set_ts(t);
    CHECK_RC(taskswitch(0), 0, "fpu_taskswitch(0)");
    check_xmm0(t, "fpu_taskswitch(1) and fpu_taskswitch(0)", value);
    snippet_in.gpr[RAX] = ~value;
    user_run(s_set_xmm0, 0);
    check_user_end(t, "mov to XMM0");
    check_xmm0(t, "mov to XMM0 in user mode", ~value);
    set_ts(t);
    user_run(s_get_xmm0, 0);
    check_user_trap(t, "mov from XMM0 with TS set", VECTOR_NM, 0, user_va(s_get_xmm0));
    check_xmm0(t, "#NM in user mode", ~value);
    user_close(&u);
}

TEST_RULE(abi_fpu_exception, "an unmasked x87 exception raises #MF at the next FWAIT")
{
    snippets_begin(t);
    snippet_fill(0);
    CHECK_EQ(snippet_run(s_x87), 1, "x87 division by 0: number of exceptions");
    check_trap_is(t, "fwait behind an x87 division by 0", VECTOR_MF, 0, (uintptr_t)s_x87_wait);
    CHECK_EQ(snippet_run(s_x87_reset), 0, "fninit: number of exceptions");
    snippets_end();
}

/* The exception handler reads CR2 by the same emulation, and vcpu_info.arch.cr2 is a copy. */
TEST_RULE(abi_cr2, "mov to CR2 sets CR2 and vcpu_info.arch.cr2")
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    static const uint64_t values[] = {0x123456789abcdef0, ~(uint64_t)0, 1, 0};

    snippets_begin(t);
    snippet_fill(0);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        CHECK_EQ(snippet_set(s_set_cr2, values[i]), 0, "mov to CR2: number of exceptions");
        CHECK_EQ(snippet_get(s_get_cr2), values[i], "CR2 after a mov to CR2");
        CHECK_EQ(vcpu->arch.cr2, values[i], "vcpu_info.arch.cr2 after a mov to CR2");
    }
    snippets_end();
}

TEST_RULE(abi_page_fault_cr2, "a page fault has the exact address in CR2, of any alignment")
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    static const uint16_t offsets[] = {0, 1, 7, 0x123, 0x800, 0xffd, 0xfff};

    snippets_begin(t);
    snippet_fill(0);
    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        snippet_in.gpr[RDI] = (uintptr_t)stack_guard + offsets[i];
        snippet_run(i % 2 ? s_write : s_read);
        check_trap_is(t, "access to an unmapped byte", 14, i % 2 ? PF_WRITE : 0,
                      (uintptr_t)(i % 2 ? s_write : s_read));
        CHECK_EQ(snippet_trap.cr2, snippet_in.gpr[RDI], "CR2 by mov after a page fault");
        CHECK_EQ(vcpu->arch.cr2, snippet_in.gpr[RDI], "vcpu_info.arch.cr2 after a page fault");
    }
    snippets_end();
}

static const struct {
    const char *what, *code;
    uint64_t va, error;
} areas[] = {
    {"read of Xen's mapping of the GDT",  s_read,  GDT_AREA, PF_PRESENT           },
    {"write to Xen's mapping of the GDT", s_write, GDT_AREA, PF_PRESENT | PF_WRITE},
    {"read of Xen's mapping of the LDT",  s_read,  LDT_AREA, 0                    },
    {"write to Xen's mapping of the LDT", s_write, LDT_AREA, PF_WRITE             },
};

/* A descriptor load that faults there has another error: #GP, or #PF with another CR2. */
TEST_RULE(abi_page_fault_gdt,
          "an access to Xen's mapping of the GDT or LDT raises #PF with its address")
{
    snippets_begin(t);
    snippet_fill(0);
    for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
        snippet_in.gpr[RDI] = areas[i].va;
        snippet_run(areas[i].code);
        check_trap_is(t, areas[i].what, TRAP_PAGE_FAULT, areas[i].error, (uintptr_t)areas[i].code);
        CHECK_EQ(snippet_trap.cr2, areas[i].va, "%s: CR2", areas[i].what);
    }
    snippets_end();
}

TEST_RULE(abi_cr3, "CR3 reads as the level 4 table, and a mov to CR3 accepts only a level 4 table")
{
    uint64_t root = mfn_to_maddr(t->d->pt.root);
    uint64_t past = mfn_to_maddr(to_mfn(t->d->host.max_mfn + 1));
    struct spot s;

    if (!spot_open(t, &s))
        return;
    check_frame(t, spot_show(s, s.mfn, PTE_RW), 0, "update_va_mapping, writable", s.mfn);
    snippets_begin(t);
    snippet_fill(0);
    CHECK_EQ(snippet_get(s_get_cr3), root, "mov from CR3, which names the L4 table of the kernel,");
    CHECK_EQ(snippet_set(s_set_cr3, root), 0, "mov to CR3 of its own value: number of exceptions");
    CHECK_EQ(snippet_set(s_set_cr3, mfn_to_maddr(s.mfn)), 1,
             "mov to CR3 of a frame that is mapped writable: number of exceptions");
    check_trap_is(t, "mov to CR3 of a frame that is mapped writable", 13, 0, (uintptr_t)s_set_cr3);
    CHECK_EQ(snippet_set(s_set_cr3, past), 1,
             "mov to CR3 of a frame past all memory: number of exceptions");
    check_trap_is(t, "mov to CR3 of a frame past all memory", 13, 0, (uintptr_t)s_set_cr3);
    CHECK_EQ(snippet_get(s_get_cr3), root, "CR3 after a refused mov");
    snippets_end();
    spot_close(s);
}

static void check_rdtsc(struct test *t, bool user_faults)
{
    snippet_run(s_rdtsc);
    check_no_trap(t, "rdtsc in kernel mode");
    user_run(s_rdtsc, 0);
    if (user_faults)
        check_user_trap(t, "rdtsc with CR4.TSD set", 13, 0, user_va(s_rdtsc));
    else
        check_user_end(t, "rdtsc with CR4.TSD clear");
}

/* A guest chooses TSD and DE (and others by CPUID); Xen chooses the rest. */
TEST_RULE(abi_cr4, "a mov to CR4 changes the bits that a guest may choose, and ignores all others")
{
    struct user u;
    uint64_t cr4;

    if (!user_open(t, &u))
        return;
    snippet_fill(0);
    cr4 = snippet_get(s_get_cr4);
    for (unsigned int i = 0; i < 4; i++) {
        uint64_t value =
            (cr4 & ~(uint64_t)(CR4_TSD | CR4_DE)) | (i & 1 ? CR4_TSD : 0) | (i & 2 ? CR4_DE : 0);

        CHECK_EQ(snippet_set(s_set_cr4, value), 0, "mov of 0x%lx to CR4: number of exceptions",
                 value);
        CHECK_EQ(snippet_get(s_get_cr4), value, "CR4 after a mov of 0x%lx", value);
        check_rdtsc(t, i & 1);
    }
    CHECK_EQ(snippet_set(s_set_cr4, cr4 | CR4_VMXE | CR4_PCIDE), 0,
             "mov to CR4 with VMXE and PCIDE: number of exceptions");
    CHECK_EQ(snippet_get(s_get_cr4), cr4, "CR4 after a mov with VMXE and PCIDE");
    CHECK_EQ(snippet_set(s_set_cr4, 0), 0, "mov of 0 to CR4: number of exceptions");
    CHECK_EQ(snippet_set(s_set_cr4, cr4), 0, "mov to CR4, the first value: number of exceptions");
    CHECK_EQ(snippet_get(s_get_cr4), cr4, "CR4 after a mov of the first value");
    user_close(&u);
}

static const struct {
    const char *what, *code;
} bases[] = {
    {"rdfsbase",      s_rdfsbase},
    {"rdgsbase",      s_rdgsbase},
    {"wrfsbase of 0", s_wrfsbase},
};

static void check_fsgsbase(struct test *t, bool works)
{
    snippet_in.gpr[RAX] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
        snippet_run(bases[i].code);
        if (works)
            check_no_trap(t, bases[i].what);
        else
            check_trap_is(t, bases[i].what, VECTOR_UD, 0, (uintptr_t)bases[i].code);
        user_run(bases[i].code, 0);
        if (works)
            check_user_end(t, bases[i].what);
        else
            check_user_trap(t, bases[i].what, VECTOR_UD, 0, user_va(bases[i].code));
    }
}

/*
 * XSA-293: user mode could change the GS base of a kernel that did not expect this. A CPU or a Xen
 * without the feature ignores the bit.
 */
TEST_RULE(abi_fsgsbase,
          "RDFSBASE, RDGSBASE and WRFSBASE raise #UD unless the kernel has set CR4.FSGSBASE")
{
    struct user u;
    uint64_t cr4;

    if (!user_open(t, &u))
        return;
    snippet_fill(0);
    cr4 = snippet_get(s_get_cr4);
    CHECK_EQ(snippet_set(s_set_cr4, cr4 & ~(uint64_t)CR4_FSGSBASE), 0,
             "mov to CR4 without FSGSBASE: number of exceptions");
    check_fsgsbase(t, false);
    CHECK_EQ(snippet_set(s_set_cr4, cr4 | CR4_FSGSBASE), 0,
             "mov to CR4 with FSGSBASE: number of exceptions");
    check_fsgsbase(t, snippet_get(s_get_cr4) & CR4_FSGSBASE);
    CHECK_EQ(snippet_set(s_set_cr4, cr4), 0, "mov to CR4, the first value: number of exceptions");
    user_close(&u);
}
