/* SPDX-License-Identifier: MIT */
/*
 * What a switch between kernel and user mode changes, and what it must keep: GS bases, the upcall
 * mask, the rights to I/O ports, and a multicall that leaves for user mode.
 *
 * Without these tests a guest whose kernel and user mode mix their GS bases would corrupt per-CPU
 * data, and a multicall that goes on behind an iret would work on the page tables of user mode,
 * with which a guest could take over the host (XSA-213).
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/vectors.h"

#include "tests/guest/traps/user_room.h"

#include <xen/callback.h>
#include <xen/physdev.h>

#define DIVERT        5
#define MSR_FS_BASE   0xc0000100
#define MSR_GS_BASE   0xc0000101
#define MSR_GS_SHADOW 0xc0000102
#define FS_BASE       0x11223344000
#define GS_KERNEL     0x55667788000
#define PORT_CF8      0xcf8 /* Xen keeps a copy of this register for each domain */

static void check_msr(struct test *t, const char *when, unsigned int msr, uint64_t expected)
{
    snippet_fill(0);
    CHECK_EQ(snippet_rdmsr(msr), expected, "%s: MSR 0x%x by rdmsr in kernel mode", when, msr);
}

static void check_bases(struct test *t, const char *when, uint64_t gs_user)
{
    check_msr(t, when, MSR_FS_BASE, FS_BASE);
    check_msr(t, when, MSR_GS_BASE, GS_KERNEL);
    check_msr(t, when, MSR_GS_SHADOW, gs_user);
}

TEST_RULE(abi_user_gs,
          "user mode has the GS base of SEGBASE_GS_USER, kernel mode that of _GS_KERNEL")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    CHECK_RC(set_base(SEGBASE_FS, FS_BASE), 0, "set_segment_base(SEGBASE_FS)");
    CHECK_RC(set_base(SEGBASE_GS_KERNEL, GS_KERNEL), 0, "set_segment_base(SEGBASE_GS_KERNEL)");
    for (uint64_t i = 8; i <= 16; i += 8) {
        u.data[i / 8] = i * 0x1010101010101;
        CHECK_RC(set_base(SEGBASE_GS_USER, USER_DATA + i), 0, "set_segment_base(SEGBASE_GS_USER)");
        check_bases(t, "before user mode", USER_DATA + i);
        snippet_fill(0);
        user_run(s_read_gs, 0);
        check_user_end(t, "read at GS:0");
        CHECK_EQ(snippet_trap.frame.rax, u.data[i / 8], "word at GS:0 in user mode");
        check_bases(t, "after user mode", USER_DATA + i);
        user_run(s_read_fs, 0);
        check_user_trap(t, "read at FS:0", TRAP_PAGE_FAULT, PF_USER, user_va(s_read_fs));
        CHECK_EQ(snippet_trap.cr2, FS_BASE, "read at FS:0 in user mode: CR2");
    }
    /* a null selector loads base 0 on some CPUs only, a flat data segment on all */
    snippet_fill(0);
    snippet_in.gpr[RDI] = FLAT_USER_DS32;
    user_run(s_mov_gs, 0);
    check_user_end(t, "load of GS with a data segment");
    check_bases(t, "after a load of GS in user mode", 0);
    for (unsigned int which = SEGBASE_FS; which <= SEGBASE_GS_KERNEL; which++)
        CHECK_RC(set_base(which, 0), 0, "set_segment_base(%u, 0)", which);
    CHECK_RC(set_base(SEGBASE_GS_USER_SEL, 0), 0, "set_segment_base(SEGBASE_GS_USER_SEL, 0)");
    user_close(&u);
}

static void nothing(void *context)
{
    (void)context;
}

/* The event is pending when the iret unmasks upcalls, so no instruction of user mode runs. */
TEST_RULE(abi_user_upcall,
          "an upcall in user mode arrives on the kernel stack, with the user's registers")
{
    evtchn_port_t port;
    struct user u;

    if (!ipi_open(t, nothing, NULL, &port))
        return;
    if (user_open(t, &u)) {
        snippet_fill(FLAGS_OWN & ~FLAG_NT);
        user_to(s_end, FLAG_IF | snippet_in.rflags);
        evtchn_dispatch();
        evtchn_notify(port);
        snippet_run_upcall();
        check_user_trap(t, "event", VECTOR_EVENT, 0, user_va(s_end));
        check_trap_gprs(t, "upcall in user mode", 0);
        check_flags(t, "upcall in user mode", snippet_trap.frame.rflags);
        CHECK_EQ(snippet_trap.mask, 1, "upcall in user mode: evtchn_upcall_mask in the handler");
        CHECK_EQ((uint8_t)(snippet_trap.frame.cs >> 32), 0,
                 "upcall in user mode: saved_upcall_mask in the frame");
        evtchn_dispatch();
        user_close(&u);
    }
    evtchn_close(port);
}

static const struct {
    const char *what, *code;
    uint8_t vector;
} gates[] = {
    {"int 0x20", s_int20, 0x20},
    {"int 0xff", s_intff, 0xff},
};

static void set_gate(struct test *t, uint8_t vector, unsigned int dpl)
{
    const struct trap_info table[2] = {
        {.vector = vector,
         .flags = (uint8_t)dpl,
         .cs = FLAT_KERNEL_CS,
         .address = trap_entry(DIVERT)}
    };

    CHECK_RC(HYPERVISOR_set_trap_table(table), 0, "set_trap_table, vector %u, DPL %u", vector, dpl);
}

/*
 * QEMU before version 8 has a wrong error code, and Xen serves another vector: twice the vector,
 * modulo 256 (see abi_gates.c). Both vectors have an entry.
 */
static void check_user_gate(struct test *t, unsigned int i, unsigned int dpl)
{
    uint8_t vector = gates[i].vector, twice = (uint8_t)(2 * vector);

    set_gate(t, vector, dpl);
    set_gate(t, twice, dpl);
    snippet_fill(0);
    user_run(gates[i].code, 0);
    if (dpl == 3)
        check_user_trap(t, gates[i].what, DIVERT, 0, user_va(gates[i].code) + 2);
    else if (snippet_trap.frame.error == ((uint64_t)vector << 4 | EC_IDT))
        check_user_trap(t, gates[i].what, 13, vector << 4 | EC_IDT, user_va(gates[i].code));
    else
        check_user_trap(t, gates[i].what, 13, vector << 3 | EC_IDT, user_va(gates[i].code));
    CHECK_RC(HYPERVISOR_set_trap_table(NULL) ?: traps_start(), 0,
             "set_trap_table(NULL) and this kernel's own array");
}

TEST_RULE(abi_user_gates, "INT n in user mode raises #GP unless the trap_info has DPL 3")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(gates); i++)
        for (unsigned int dpl = 0; dpl <= 3; dpl++)
            check_user_gate(t, i, dpl);
    user_close(&u);
}

static long set_iobitmap(struct physdev_set_iobitmap *map)
{
    return HYPERVISOR_any(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap, (uintptr_t)map, 0, 0);
}

static void check_port(struct test *t, const char *what, bool kernel, bool user)
{
    snippet_fill(0);
    snippet_in.gpr[RDX] = PORT_CF8;
    snippet_run(s_inl);
    if (kernel)
        check_no_trap(t, what);
    else
        check_trap_is(t, what, 13, 0, (uintptr_t)s_inl);
    user_run(s_inl, 0);
    if (user)
        check_user_end(t, what);
    else
        check_user_trap(t, what, 13, 0, user_va(s_inl));
}

static void try_iopl(struct test *t)
{
    static const char *const what[] = {"in from port 0xcf8, IOPL 0", "in from port 0xcf8, IOPL 1",
                                       "in from port 0xcf8, IOPL 2", "in from port 0xcf8, IOPL 3"};

    CHECK_RC(set_iopl(4), -EINVAL, "PHYSDEVOP_set_iopl(4)");
    for (uint32_t iopl = 3; iopl <= 3; iopl--) { /* ends at 0, as before the test */
        CHECK_RC(set_iopl(iopl), 0, "PHYSDEVOP_set_iopl(%u)", iopl);
        check_port(t, what[iopl], iopl >= 1, iopl == 3);
    }
}

static void try_iobitmap(struct test *t, uint8_t *bitmap)
{
    struct physdev_set_iobitmap map = {.nr_ports = PORT_CF8 + 4};

    set_xen_guest_handle(map.bitmap, bitmap);
    for (unsigned int i = 0; i < (PORT_CF8 + 8) / 8; i++)
        bitmap[i] = 0xff;
    CHECK_RC(set_iobitmap(&map), 0, "PHYSDEVOP_set_iobitmap of %u ports", map.nr_ports);
    check_port(t, "in from port 0xcf8, all bits of the bitmap set", false, false);
    bitmap[PORT_CF8 / 8] = 0xf0;
    check_port(t, "in from ports 0xcf8 to 0xcfb, their bits of the bitmap clear", true, true);
    bitmap[PORT_CF8 / 8] = 0xf8;
    check_port(t, "in from ports 0xcf8 to 0xcfb, the last bit of the bitmap set", false, false);
    bitmap[PORT_CF8 / 8] = 0;
    map.nr_ports = PORT_CF8 + 3;
    CHECK_RC(set_iobitmap(&map), 0, "PHYSDEVOP_set_iobitmap of %u ports", map.nr_ports);
    check_port(t, "in from ports 0xcf8 to 0xcfb, a bitmap of 0xcfb ports", false, false);
    map.nr_ports = 65537;
    CHECK_RC(set_iobitmap(&map), -EINVAL, "PHYSDEVOP_set_iobitmap of 65537 ports");
    map.nr_ports = 0;
    CHECK_RC(set_iobitmap(&map), 0, "PHYSDEVOP_set_iobitmap of no ports");
}

/*
 * <xen/physdev.h>. Kernel mode counts as level 1. Xen reads the bitmap by the page tables of kernel
 * mode, also for an instruction of user mode.
 */
TEST_RULE(abi_user_ports,
          "kernel and user mode reach an I/O port by the IOPL or by the I/O bitmap alone")
{
    struct user u;
    uint8_t *bitmap;

    if (!user_open(t, &u))
        return;
    bitmap = room_alloc(&u.room, 1);
    try_iopl(t);
    try_iobitmap(t, bitmap);
    room_free(&u.room, bitmap, 1);
    user_close(&u);
}

/* Gives kernel mode the lower half of user mode's addresses, or takes it away again. */
static void share_addresses(struct test *t, struct user *u, bool share)
{
    uint64_t pte = share ? pte_make(u->tables[2].mfn, PTE_TABLE) : 0;

    CHECK_RC(pt_write(t->d->pt.root, 0, pte), 0, "mmu_update of L4 entry 0 to 0x%lx", pte);
    pt_flush();
}

/*
 * The second call changes the FS base, which the kernel reads afterwards. The list lies in memory
 * that both modes map at the same address: else Xen could not read the second call in user mode.
 */
TEST_RULE(abi_multicall_iret, "a multicall ends with the iret that leaves for user mode (XSA-213)")
{
    struct multicall_entry *list;
    struct user u;

    if (!user_open(t, &u))
        return;
    list = (struct multicall_entry *)u.data;
    list[0] = (struct multicall_entry){.op = __HYPERVISOR_iret};
    list[1] = (struct multicall_entry){
        .op = __HYPERVISOR_set_segment_base, .args = {SEGBASE_FS, FS_BASE}
    };
    CHECK_RC(set_base(SEGBASE_FS, 0), 0, "set_segment_base(SEGBASE_FS)");
    share_addresses(t, &u, true);
    snippet_fill(0);
    user_to(s_ud2, 0);
    snippet_in.gpr[RAX] = __HYPERVISOR_multicall;
    snippet_in.gpr[RDI] = USER_DATA;
    snippet_in.gpr[RSI] = 2;
    snippet_run(s_multicall);
    share_addresses(t, &u, false);
    check_user_trap(t, "ud2 behind a multicall with iret", 6, 0, user_va(s_ud2));
    check_msr(t, "after a multicall of iret and set_segment_base", MSR_FS_BASE, 0);
    CHECK_EQ(list[1].op, __HYPERVISOR_set_segment_base,
             "after a multicall of iret and set_segment_base: op of the second entry");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)&list[1], 1, 0, 0), 0,
             "multicall after the one that left for user mode");
    check_msr(t, "after a multicall of set_segment_base alone", MSR_FS_BASE, FS_BASE);
    CHECK_RC(set_base(SEGBASE_FS, 0), 0, "set_segment_base(SEGBASE_FS)");
    user_close(&u);
}
