/* SPDX-License-Identifier: MIT */
/*
 * callback_op of <xen/callback.h> for each type of callback, and system calls of user mode.
 *
 * Without these tests Xen could enter a guest at a non-canonical address, on which Xen's own IRET
 * faults, or send a system call to a callback of another type. abi_callbacks (abi_traps.c) tests
 * the callback of events, abi_user_syscall the one of SYSCALL.
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "tests/guest/traps/user_room.h"

#include <xen/callback.h>

/* Exception vectors that nothing raises: their entry stubs mark callbacks. */
#define DIVERT       5
#define DIVERT32     9
#define NONCANONICAL 0x0000800000000000
/* EBX of CPUID leaf 0: the first four letters of the vendor's name. */
#define INTEL 0x756e6547
#define AMD   0x68747541
#define HYGON 0x6f677948

static long unregister_callback(unsigned int type)
{
    struct callback_unregister reg = {.type = (uint16_t)type};

    return HYPERVISOR_any(__HYPERVISOR_callback_op, CALLBACKOP_unregister, (uintptr_t)&reg, 0, 0);
}

static const struct {
    const char *name;
    unsigned int type;
    long registers, unregisters; /* the results of CALLBACKOP_register and _unregister */
} types[] = {
    {"event",               CALLBACKTYPE_event,     0,       -EINVAL},
    {"failsafe",            CALLBACKTYPE_failsafe,  0,       -EINVAL},
    {"syscall",             CALLBACKTYPE_syscall,   0,       -EINVAL},
    {"sysenter_deprecated", 3,                      -ENOSYS, -ENOSYS},
    {"nmi",                 CALLBACKTYPE_nmi,       0,       0      },
    {"sysenter",            CALLBACKTYPE_sysenter,  0,       -EINVAL},
    {"number 6",            6,                      -ENOSYS, -ENOSYS},
    {"syscall32",           CALLBACKTYPE_syscall32, 0,       -EINVAL},
    {"number 8",            8,                      -ENOSYS, -ENOSYS},
    {"number 0xffff",       0xffff,                 -ENOSYS, -ENOSYS},
};

static void restore_callbacks(struct test *t)
{
    CHECK_RC(register_callback(CALLBACKTYPE_sysenter, 0, 0), 0,
             "CALLBACKOP_register of sysenter, address 0 (none)");
    CHECK_RC(register_callback(CALLBACKTYPE_syscall32, 0, 0), 0,
             "CALLBACKOP_register of syscall32, address 0 (none)");
    CHECK_RC(traps_start(), 0, "set_trap_table and set_callbacks of this kernel");
}

TEST_RULE(abi_callback_types,
          "callback_op knows each type of callback, and refuses a non-canonical "
          "address and other types")
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        CHECK_RC(register_callback(types[i].type, 0, NONCANONICAL), -EINVAL,
                 "CALLBACKOP_register of %s, non-canonical address", types[i].name);
        CHECK_RC(register_callback(types[i].type, 0, 0xffff7fffffffffff), -EINVAL,
                 "CALLBACKOP_register of %s, non-canonical address", types[i].name);
        CHECK_RC(register_callback(types[i].type, CALLBACKF_mask_events, trap_entry(DIVERT)),
                 types[i].registers, "CALLBACKOP_register of %s", types[i].name);
        CHECK_RC(unregister_callback(types[i].type), types[i].unregisters,
                 "CALLBACKOP_unregister of %s", types[i].name);
        restore_callbacks(t); /* before an event or a failed iret meets the wrong entry point */
    }
}

/* set_callbacks returns no errno, but must not install a bad address. */
TEST_RULE(abi_set_callbacks, "set_callbacks does not install a non-canonical callback for SYSCALL")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    CHECK_RC(register_callback(CALLBACKTYPE_syscall, 0, trap_entry(DIVERT)), 0,
             "CALLBACKOP_register of syscall");
    CHECK_RC(HYPERVISOR_set_callbacks(NONCANONICAL, NONCANONICAL, NONCANONICAL), 0,
             "set_callbacks of non-canonical addresses");
    snippet_fill(0);
    user_run(s_hypercall, 0);
    check_user_trap(t, "SYSCALL", DIVERT, 0, user_va(s_hypercall) + 2);
    restore_callbacks(t);
    user_close(&u);
}

/* Xen 4.14 ends the domain in this case. */
TEST_RULE(abi_no_syscall, "SYSCALL in user mode raises #UD if no callback is registered")
{
    struct user u;

    if (t->d->host.major == 4 && t->d->host.minor < 15) {
        test_skip(
            t,
            "Xen before 4.15 ends a domain that executes SYSCALL in user mode without a callback");
        return;
    }
    if (!user_open(t, &u))
        return;
    snippet_fill(FLAGS_OWN & ~FLAG_NT);
    user_run(s_hypercall, snippet_in.rflags);
    check_user_trap(t, "SYSCALL without a callback", VECTOR_UD, 0, user_va(s_hypercall));
    check_trap_gprs(t, "SYSCALL without a callback", 1 << RCX | 1 << R11);
    user_close(&u);
}

/*
 * SYSCALL of 32-bit code exists on AMD's CPUs, SYSENTER of 64-bit code on Intel's. Xen knows
 * neither RIP nor RSP behind SYSENTER, and pushes 0, and a null CS. With the flag NT the next IRET
 * of the kernel failed (XSA-339).
 */
static void check_sysenter(struct test *t, bool masks)
{
    const struct trap_frame *f = &snippet_trap.frame;

    snippet_fill(0);
    user_run(s_sysenter, FLAG_IF | FLAG_NT);
    if (cpuid(0).ebx != INTEL) {
        check_user_trap(t, "sysenter on a CPU that is not Intel's", VECTOR_UD, 0,
                        user_va(s_sysenter));
        return;
    }
    check_trap_is(t, "sysenter", DIVERT, 0, 0);
    CHECK_EQ((uint16_t)f->cs, 3, "sysenter: CS in the frame");
    CHECK_EQ(f->rsp, 0, "sysenter: RSP in the frame");
    CHECK_EQ(snippet_trap.rflags & FLAG_NT, 0, "sysenter with the flag NT: NT in the handler");
    CHECK_EQ(snippet_trap.mask, masks,
             "sysenter, callback %s CALLBACKF_mask_events: "
             "evtchn_upcall_mask in the handler",
             masks ? "with" : "without");
}

static void check_syscall32(struct test *t)
{
    const struct trap_frame *f = &snippet_trap.frame;
    uint64_t rip = user_va(s_syscall32);
    uint32_t vendor = cpuid(0).ebx;

    snippet_fill(0);
    user_to(s_syscall32, 0);
    snippet_iret.cs = FLAT_USER_CS32;
    snippet_run(s_iret);
    if (f->vector == VECTOR_UD && vendor != AMD && vendor != HYGON)
        check_trap_is(t, "syscall in 32-bit user mode, not on AMD's CPU", VECTOR_UD, 0, rip);
    else
        check_trap_is(t, "syscall in 32-bit user mode", DIVERT32, 0, rip + 2);
    CHECK_EQ((uint16_t)f->cs, FLAT_USER_CS32, "syscall in 32-bit user mode: CS in the frame");
    CHECK_EQ(f->ss, FLAT_USER_SS32, "syscall in 32-bit user mode: SS in the frame");
    CHECK_EQ(f->rsp, USER_STACK, "syscall in 32-bit user mode: RSP in the frame");
}

TEST_RULE(abi_user_sysenter,
          "SYSENTER, and SYSCALL of 32-bit code, enter at their own callbacks, or raise "
          "#UD on a CPU of another vendor")
{
    struct user u;

    if (!user_open(t, &u))
        return;
    for (unsigned int masks = 0; masks < 2; masks++) {
        CHECK_RC(register_callback(CALLBACKTYPE_sysenter, masks ? CALLBACKF_mask_events : 0,
                                   trap_entry(DIVERT)),
                 0, "CALLBACKOP_register of sysenter");
        check_sysenter(t, masks);
    }
    CHECK_RC(register_callback(CALLBACKTYPE_syscall, 0, trap_entry(DIVERT)), 0,
             "CALLBACKOP_register of syscall");
    CHECK_RC(register_callback(CALLBACKTYPE_syscall32, 0, trap_entry(DIVERT32)), 0,
             "CALLBACKOP_register of syscall32");
    check_syscall32(t);
    restore_callbacks(t);
    user_close(&u);
}
