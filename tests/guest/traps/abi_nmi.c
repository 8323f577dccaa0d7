/* SPDX-License-Identifier: MIT */
/*
 * NMIs of the guest: nmi_op of <xen/nmi.h>, and VCPUOP_send_nmi of <xen/vcpu.h>.
 *
 * Without these tests an NMI could interrupt the handler of another NMI, and overwrite what that
 * handler works on, or could be lost. Xen blocks NMIs until the handler's iret.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#include <xen/nmi.h>
#include <xen/vcpu.h>

#define VECTOR_NMI   2
#define NONCANONICAL 0x0000800000000000
#define NR_NESTED    3

static long nmi_op(unsigned int cmd, const void *arg)
{
    return HYPERVISOR_any(__HYPERVISOR_nmi_op, cmd, (uintptr_t)arg, 0, 0);
}

static long register_nmi(uint64_t address)
{
    struct xennmi_callback callback = {.handler_address = address};

    return nmi_op(XENNMI_register_callback, &callback);
}

static void send_nmi_by_snippet(bool masked)
{
    snippet_fill(FLAGS_OWN);
    snippet_in.gpr[RAX] = __HYPERVISOR_vcpu_op;
    snippet_in.gpr[RDI] = VCPUOP_send_nmi;
    snippet_in.gpr[RSI] = 0; /* vCPU */
    snippet_in.gpr[RDX] = 0; /* no argument */
    if (masked)
        snippet_run(s_hypercall);
    else
        snippet_run_unmasked(s_hypercall);
}

static void check_nmi(struct test *t, bool masked)
{
    send_nmi_by_snippet(masked);
    check_trap_is(t, "VCPUOP_send_nmi", VECTOR_NMI, 0, (uintptr_t)s_hypercall + 2);
    CHECK_EQ(snippet_trap.frame.rax, 0, "VCPUOP_send_nmi: RAX in the frame of the NMI");
    CHECK_EQ(snippet_trap.mask, 1, "evtchn_upcall_mask in the handler of an NMI");
    CHECK_EQ((uint8_t)(snippet_trap.frame.cs >> 32), masked,
             "saved_upcall_mask in the frame of an NMI, upcalls %smasked", masked ? "" : "un");
    check_trap_gprs(t, "NMI", 1 << RAX | 1 << RCX | 1 << R11 | 1 << RDI | 1 << RSI | 1 << RDX);
}

TEST_RULE(abi_nmi, "VCPUOP_send_nmi enters the callback of nmi_op, with upcalls masked")
{
    snippets_begin(t);
    CHECK_RC(register_nmi(trap_entry(VECTOR_NMI)), 0, "XENNMI_register_callback");
    check_nmi(t, true);
    check_nmi(t, false);
    check_nmi(t, true); /* the iret behind an NMI allows the next one */
    CHECK_RC(nmi_op(XENNMI_unregister_callback, NULL), 0, "XENNMI_unregister_callback");
    send_nmi_by_snippet(true);
    check_no_trap(t, "VCPUOP_send_nmi without a callback");
    CHECK_EQ(snippet_out.gpr[RAX], 0, "VCPUOP_send_nmi without a callback: RAX");
    CHECK_RC(register_nmi(trap_entry(VECTOR_NMI)), 0, "XENNMI_register_callback");
    CHECK_RC(nmi_op(XENNMI_unregister_callback, NULL), 0, "XENNMI_unregister_callback");
    snippets_end();
}

static struct {
    unsigned int nr, depth, max_depth;
    long rc;
} nested;

/* The NMI that the handler sends stays pending until the handler's iret. */
static bool on_nmi(struct trap_frame *frame, uint64_t cr2)
{
    (void)cr2;
    if (frame->vector != VECTOR_NMI)
        return false;
    nested.nr++;
    if (++nested.depth > nested.max_depth)
        nested.max_depth = nested.depth;
    if (nested.nr < NR_NESTED)
        nested.rc = HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, NULL);
    nested.depth--;
    return true;
}

TEST_RULE(abi_nmi_nesting,
          "an NMI that arrives in the handler of an NMI waits for the handler's iret")
{
    nested.nr = nested.max_depth = 0;
    trap_hook = on_nmi;
    CHECK_RC(register_nmi(trap_entry(VECTOR_NMI)), 0, "XENNMI_register_callback");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0, "VCPUOP_send_nmi");
    CHECK_RC(nested.rc, 0, "VCPUOP_send_nmi in the handler of an NMI");
    CHECK_EQ(nested.nr, NR_NESTED, "number of NMIs after an NMI whose handler sends two more");
    CHECK_EQ(nested.max_depth, 1, "number of NMI handlers that run at the same time");
    CHECK_RC(nmi_op(XENNMI_unregister_callback, NULL), 0, "XENNMI_unregister_callback");
    trap_hook = NULL;
}

TEST_RULE(abi_bad_nmi, "nmi_op and VCPUOP_send_nmi refuse bad arguments")
{
    long args[2] = {0};

    CHECK_RC(register_nmi(NONCANONICAL), -EINVAL, "XENNMI_register_callback, non-canonical");
    CHECK_RC(nmi_op(XENNMI_register_callback, (void *)HYPERVISOR_VIRT_START), -EFAULT,
             "XENNMI_register_callback with its argument at Xen's address 0x%lx",
             HYPERVISOR_VIRT_START);
    CHECK_RC(nmi_op(99, NULL), -ENOSYS, "nmi_op 99");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 0, args), -EINVAL,
             "VCPUOP_send_nmi with an argument");
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_send_nmi, 8192, NULL), -ENOENT,
             "VCPUOP_send_nmi of vCPU 8192");
}
