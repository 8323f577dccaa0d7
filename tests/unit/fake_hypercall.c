/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that change mappings, in place of arch/x86/hypercall.S. Each can be made to fail
 * (fake.fail_at): then it does nothing, or, if it is a batch of updates, stops after
 * fake.fail_after updates. No hypercall flushes more of the TLB than requested.
 */
#include "arch/x86/hypercall.h"

#include "tests/unit/fake_grants.h"
#include "tests/unit/harness.h"

#include <xen/errno.h>

bool fake_fails(void)
{
    return ++fake.nr_hypercalls == fake.fail_at;
}

static int update_table(uint64_t ptr, uint64_t val, domid_t domain)
{
    uint64_t mfn = ptr / PAGE_SIZE;
    unsigned int index = (ptr % PAGE_SIZE) / sizeof(uint64_t);
    struct fake_frame *f = fake_frame(mfn);

    if (!f || f->foreign)
        return -XEN_EINVAL;
    fake.nr_table_updates++;
    if (f->type_count && f->type != FAKE_WRITABLE)
        return fake_write_entry(mfn, index, val, domain);
    /* Xen would store a plain number in such a frame. mm/ never does this on purpose. */
    fail_msg("mmu_update of MFN %#lx, which is not a page table", mfn);
    return -XEN_EINVAL;
}

static int update_m2p(uint64_t mfn, uint64_t pfn)
{
    struct fake_frame *f = fake_frame(mfn);

    if (!f || f->foreign)
        return -XEN_EINVAL;
    fake_set_m2p(mfn, pfn);
    fake.nr_m2p_updates++;
    return 0;
}

long HYPERVISOR_mmu_update(const struct mmu_update *req, unsigned int nr, unsigned int *done,
                           domid_t domain)
{
    unsigned int i;
    long rc_end = 0;
    int rc = 0;

    if (done)
        *done = 0;
    fake.largest_update = nr > fake.largest_update ? nr : fake.largest_update;
    if (fake_fails()) { /* after some of the updates, as Xen may */
        nr = fake.fail_after < nr ? fake.fail_after : nr;
        rc_end = fake.fail_with;
    }
    if (domain != DOMID_SELF && domain != DOMID_IO && domain != DOMID_XEN && domain != FAKE_PEER)
        return -XEN_ESRCH;
    if (domain != DOMID_SELF && !fake_grants.privileged)
        return -XEN_EPERM;
    for (i = 0; i < nr; i++) {
        if ((req[i].ptr & 7) == MMU_NORMAL_PT_UPDATE)
            rc = update_table(req[i].ptr, req[i].val, domain);
        else if ((req[i].ptr & 7) == MMU_MACHPHYS_UPDATE)
            rc = update_m2p(req[i].ptr / PAGE_SIZE, req[i].val);
        else
            rc = -XEN_ENOSYS;
        if (rc)
            break;
    }
    if (done)
        *done = i;
    return rc ? rc : rc_end;
}

long HYPERVISOR_xsm_op(void *op)
{
    (void)op;
    return -XEN_ENOSYS;
}

long HYPERVISOR_update_va_mapping(uintptr_t va, uint64_t pte, unsigned long flags)
{
    uint64_t table = fake.root;
    int rc;

    if (fake.adopt)
        fake.adopt(va);
    if (fake_fails())
        return fake.fail_with;
    for (unsigned int level = PT_LEVELS; level > 1; level--) {
        uint64_t entry = fake_ram(table)[pte_index(va, level)];

        if (!pte_present(entry) || pte_is_leaf(entry, level))
            return -XEN_EINVAL;
        table = pte_mfn(entry).v;
    }
    fake.nr_table_updates++;
    rc = fake_write_entry(table, pte_index(va, 1), pte, DOMID_SELF);
    if (rc)
        return rc;
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_INVLPG:
        fake_tlb_flush_page(va);
        break;
    case UVMF_TLB_FLUSH:
        fake_tlb_flush();
        break;
    }
    return 0;
}

static int pin(uint64_t mfn, enum fake_type type)
{
    struct fake_frame *f = fake_frame(mfn);
    int rc;

    if (!f || f->foreign || f->pinned)
        return -XEN_EINVAL;
    rc = fake_get_type(mfn, type);
    f->pinned = rc == 0;
    return rc;
}

static int unpin(uint64_t mfn)
{
    struct fake_frame *f = fake_frame(mfn);

    if (!f || !f->pinned)
        return -XEN_EINVAL;
    f->pinned = false;
    fake_put_type(mfn);
    return 0;
}

long HYPERVISOR_mmuext_op(const struct mmuext_op *op, unsigned int nr, unsigned int *done,
                          domid_t domain)
{
    unsigned int i;
    int rc = 0;

    if (domain != DOMID_SELF)
        fail_msg("mmuext_op: domain is %u, expected DOMID_SELF", domain);
    if (fake_fails())
        return fake.fail_with;
    for (i = 0; i < nr && !rc; i++) {
        switch (op[i].cmd) {
        case MMUEXT_PIN_L1_TABLE ... MMUEXT_PIN_L4_TABLE:
            rc = pin(op[i].arg1.mfn, (enum fake_type)(FAKE_L1 + op[i].cmd - MMUEXT_PIN_L1_TABLE));
            break;
        case MMUEXT_UNPIN_TABLE:
            rc = unpin(op[i].arg1.mfn);
            break;
        case MMUEXT_TLB_FLUSH_LOCAL:
            fake_tlb_flush();
            break;
        case MMUEXT_INVLPG_LOCAL:
            fake_tlb_flush_page(op[i].arg1.linear_addr);
            break;
        default:
            rc = -XEN_ENOSYS;
        }
    }
    if (done)
        *done = i - (rc != 0);
    return rc;
}
