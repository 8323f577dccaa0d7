/* SPDX-License-Identifier: MIT */
#include "tests/guest/mmu/tlb_flush.h"

#include "arch/x86/hypercall.h"

#define UVMF(type, scope, mask, local)                                                  \
    {                                                                                   \
        .name = "update_va_mapping with " #type " | " #scope, .uvmf = (type) | (scope), \
        .has_mask = (mask), .is_local = (local), .is_invlpg = (type) == UVMF_INVLPG     \
    }
#define MMUEXT(command, mask, local, invlpg)                                       \
    {                                                                              \
        .name = #command, .uvmf = UVMF_NONE, .cmd = (command), .has_mask = (mask), \
        .is_local = (local), .is_invlpg = (invlpg)                                 \
    }

/* Xen must go on behind the first vCPU of a mask. */
#define UVMF_TWO(type)                                                              \
    {                                                                               \
        .name = "update_va_mapping with " #type " | UVMF_MULTI (mask with vCPU 0)", \
        .uvmf = (type) | UVMF_MULTI, .has_mask = true, .also = 1,                   \
        .is_invlpg = (type) == UVMF_INVLPG                                          \
    }
#define MMUEXT_TWO(command, invlpg)                                                  \
    {                                                                                \
        .name = #command " (mask with vCPU 0)", .uvmf = UVMF_NONE, .cmd = (command), \
        .has_mask = true, .also = 1, .is_invlpg = (invlpg)                           \
    }

const struct tlb_flush tlb_flushes[NR_TLB_FLUSHES] = {
    UVMF(UVMF_TLB_FLUSH, UVMF_LOCAL, false, true),
    UVMF(UVMF_TLB_FLUSH, UVMF_ALL, false, false),
    UVMF(UVMF_TLB_FLUSH, UVMF_MULTI, true, false),
    UVMF(UVMF_INVLPG, UVMF_LOCAL, false, true),
    UVMF(UVMF_INVLPG, UVMF_ALL, false, false),
    UVMF(UVMF_INVLPG, UVMF_MULTI, true, false),
    MMUEXT(MMUEXT_TLB_FLUSH_LOCAL, false, true, false),
    MMUEXT(MMUEXT_TLB_FLUSH_ALL, false, false, false),
    MMUEXT(MMUEXT_TLB_FLUSH_MULTI, true, false, false),
    MMUEXT(MMUEXT_INVLPG_LOCAL, false, true, true),
    MMUEXT(MMUEXT_INVLPG_ALL, false, false, true),
    MMUEXT(MMUEXT_INVLPG_MULTI, true, false, true),
    UVMF_TWO(UVMF_TLB_FLUSH),
    UVMF_TWO(UVMF_INVLPG),
    MMUEXT_TWO(MMUEXT_TLB_FLUSH_MULTI, false),
    MMUEXT_TWO(MMUEXT_INVLPG_MULTI, true),
};

static struct mmuext_op op_of(const struct tlb_flush *f, uintptr_t va, const uint64_t *mask)
{
    struct mmuext_op op = {.cmd = f->cmd};

    if (f->is_invlpg)
        op.arg1.linear_addr = va;
    if (f->has_mask)
        set_xen_guest_handle(op.arg2.vcpumask, mask);
    return op;
}

static unsigned long uvmf_of(const struct tlb_flush *f, const uint64_t *mask)
{
    return f->uvmf != UVMF_NONE && f->has_mask ? f->uvmf | (uintptr_t)mask : f->uvmf;
}

long tlb_flush_change(const struct tlb_flush *f, uintptr_t va, uint64_t pte, const uint64_t *mask)
{
    uint64_t vcpus = *mask | f->also;
    struct mmuext_op op = op_of(f, va, &vcpus);
    long rc = HYPERVISOR_update_va_mapping(va, pte, uvmf_of(f, &vcpus));

    if (!rc && f->uvmf == UVMF_NONE)
        rc = HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
    return rc;
}

long tlb_flush_multicall(const struct tlb_flush *f, uintptr_t va, uint64_t pte,
                         const uint64_t *mask)
{
    uint64_t vcpus = *mask | f->also;
    struct mmuext_op op = op_of(f, va, &vcpus);
    struct multicall_entry calls[2] = {
        {.op = __HYPERVISOR_update_va_mapping, .args = {va, pte, uvmf_of(f, &vcpus)}     },
        {.op = __HYPERVISOR_mmuext_op,         .args = {(uintptr_t)&op, 1, 0, DOMID_SELF}},
    };
    unsigned int nr = f->uvmf == UVMF_NONE ? 2 : 1;
    long rc = HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, nr, 0, 0);

    for (unsigned int i = 0; i < nr && !rc; i++)
        rc = (long)calls[i].result;
    return rc;
}
