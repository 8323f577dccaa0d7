/* SPDX-License-Identifier: MIT */
/*
 * The context of a vCPU of another domain: XEN_DOMCTL_setvcpucontext and _getvcpucontext, with
 * struct vcpu_guest_context of <xen/arch-x86/xen.h>.
 *
 * A toolstack gives each new and each restored domain its first context, which comes from a file.
 * Without these tests Xen could load an address or a selector that faults in Xen itself, or a page
 * table of another domain.
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "tests/guest/peer/peer_domain.h"

#include <xen/errno.h>

#define ROOM_PAGES    32
#define NR_FRAMES     4
#define CONTEXT_PAGES 2
#define NONCANONICAL  ((uint64_t)1 << 47)

#define FIELD(name)   offsetof(struct vcpu_guest_context, name)

/* A value that Xen must refuse for a field of 64 bits, while all others are as in valid(). */
static const struct {
    const char *name;
    uint16_t offset;
    uint64_t value;
} bad[] = {
    {"user_regs.rip",                FIELD(user_regs.rip),          NONCANONICAL         },
    {"user_regs.rsp",                FIELD(user_regs.rsp),          NONCANONICAL         },
    {"kernel_sp",                    FIELD(kernel_sp),              NONCANONICAL         },
    {"fs_base",                      FIELD(fs_base),                NONCANONICAL         },
    {"gs_base_kernel",               FIELD(gs_base_kernel),         NONCANONICAL         },
    {"gs_base_user",                 FIELD(gs_base_user),           NONCANONICAL         },
    {"event_callback_eip",           FIELD(event_callback_eip),     NONCANONICAL         },
    {"failsafe_callback_eip",        FIELD(failsafe_callback_eip),  NONCANONICAL         },
    {"syscall_callback_eip",         FIELD(syscall_callback_eip),   NONCANONICAL         },
    {"address of trap_ctxt[0]",      FIELD(trap_ctxt[0].address),   NONCANONICAL         },
    {"address of trap_ctxt[255]",    FIELD(trap_ctxt[255].address), NONCANONICAL         },
    {"ldt_base in Xen's area",       FIELD(ldt_base),               HYPERVISOR_VIRT_START},
    {"ldt_base, not page-aligned",   FIELD(ldt_base),               0x1008               },
    {"ldt_ents",                     FIELD(ldt_ents),               8193                 },
    {"gdt_ents",                     FIELD(gdt_ents),               8193                 },
    {"vm_assist with unknown bits",  FIELD(vm_assist),              UINT64_MAX           },
    {"flags without VGCF_in_kernel", FIELD(flags),                  0                    },
};

static long set(const struct peer *p, unsigned int vcpu, void *context)
{
    struct peer_domctl op = {
        .u.context = {.vcpu = vcpu, .context = context}
    };

    return peer_domctl(p, PEER_SET_CONTEXT, &op);
}

static long get(const struct peer *p, void *context)
{
    struct peer_domctl op = {
        .u.context = {.vcpu = 0, .context = context}
    };

    return peer_domctl(p, PEER_GET_CONTEXT, &op);
}

/* CR3 names frame 0 of the peer, a zeroed frame, which becomes an L4 table. */
static void make_valid(const struct peer *p, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = VIRT_BASE;
    c->user_regs.rsp = VIRT_BASE + PAGE_SIZE;
    c->user_regs.rbx = 0x1234;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = VIRT_BASE + PAGE_SIZE;
    c->ctrlreg[3] = mfn_to_maddr(p->mfn[0]);
}

static void check_no_context(const struct peer *p, void *context, const char *when)
{
    struct test *t = p->t;

    CHECK_RC(get(p, context), -XEN_ENODATA, "%s: XEN_DOMCTL_getvcpucontext of vCPU 0 of domain %u",
             when, p->id);
    CHECK_EQ(peer_info_of(p, when).nr_online_vcpus, 0, "%s: nr_online_vcpus of domain %u", when,
             p->id);
}

static void try_bad(const struct peer *p, struct vcpu_guest_context *c)
{
    struct test *t = p->t;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        make_valid(p, c);
        *(uint64_t *)((uint8_t *)c + bad[i].offset) = bad[i].value;
        CHECK_RC(set(p, 0, c), -EINVAL, "XEN_DOMCTL_setvcpucontext with 0x%lx as %s", bad[i].value,
                 bad[i].name);
    }
    make_valid(p, c);
    c->ctrlreg[3] = mfn_to_maddr(p->window.mfn);
    CHECK_RC(set(p, 0, c), -EINVAL,
             "XEN_DOMCTL_setvcpucontext with a frame of the calling domain in CR3");
    make_valid(p, c);
    CHECK_RC(set(p, 1, c), -EINVAL, "XEN_DOMCTL_setvcpucontext of vCPU 1, which does not exist");
    CHECK_RC(set(p, 0, (uint8_t *)c + CONTEXT_PAGES * PAGE_SIZE - 8), -EFAULT,
             "XEN_DOMCTL_setvcpucontext with a context before an unmapped page");
    check_no_context(p, c, "after refused contexts");
}

/* Selectors with RPL 0, the privilege of Xen. Xen raises RPL to 3, that of a 64-bit PV kernel. */
static void set_selectors(struct vcpu_guest_context *c)
{
    c->user_regs.cs = c->trap_ctxt[3].cs = 0x8;
    c->user_regs.ss = 0x10;
    c->kernel_ss = 0x10;
}

static void check_selectors(struct test *t, const struct vcpu_guest_context *c)
{
    CHECK_EQ(c->user_regs.cs, 0xb, "CS that was set to 0x8");
    CHECK_EQ(c->user_regs.ss, 0x13, "SS that was set to 0x10");
    CHECK_EQ(c->kernel_ss, 0x13, "kernel_ss that was set to 0x10");
    CHECK_EQ(c->trap_ctxt[3].cs, 0xb, "CS of trap_ctxt[3] that was set to 0x8");
}

static void check_valid(const struct peer *p, struct vcpu_guest_context *c)
{
    struct test *t = p->t;

    make_valid(p, c);
    set_selectors(c);
    CHECK_RC(set(p, 0, c), 0, "XEN_DOMCTL_setvcpucontext of a valid context");
    memset(c, 0, sizeof(*c));
    CHECK_RC(get(p, c), 0, "XEN_DOMCTL_getvcpucontext of vCPU 0 of domain %u", p->id);
    CHECK_EQ(c->ctrlreg[3], mfn_to_maddr(p->mfn[0]), "CR3 by XEN_DOMCTL_getvcpucontext");
    CHECK_EQ(c->user_regs.rip, VIRT_BASE, "RIP by XEN_DOMCTL_getvcpucontext");
    CHECK_EQ(c->user_regs.rbx, 0x1234, "RBX by XEN_DOMCTL_getvcpucontext");
    check_selectors(t, c);
    CHECK_EQ(c->flags & VGCF_online, 0, "flag VGCF_online by XEN_DOMCTL_getvcpucontext");
    CHECK_EQ(c->user_regs.eflags & (0x3000 | 0x200), 0x200,
             "IOPL (0x3000) and IF (0x200) of RFLAGS by XEN_DOMCTL_getvcpucontext");
}

TEST_RULE(abi_peer_context,
          "XEN_DOMCTL_setvcpucontext refuses each context that Xen could not load")
{
    struct vcpu_guest_context *c;
    struct peer p;

    if (!peer_open(&p, t, NR_FRAMES, ROOM_PAGES))
        return;
    c = room_alloc(&p.room, CONTEXT_PAGES);
    check_no_context(&p, c, "new domain");
    try_bad(&p, c);
    check_valid(&p, c);
    room_free(&p.room, c, CONTEXT_PAGES);
    peer_check_pages(&p, NR_FRAMES, false, "with a context");
    peer_close(&p); /* drops the reference of CR3 */
}
