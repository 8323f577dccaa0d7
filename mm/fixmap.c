/* SPDX-License-Identifier: MIT */
#include "mm/fixmap.h"

#include "lib/errno.h"
#include "lib/panic.h"

#include "arch/x86/hypercall.h"

static uintptr_t slot_va(const struct fixmap *f, unsigned int slot)
{
    return (uintptr_t)f->pages + slot * PAGE_SIZE;
}

void fixmap_init(struct fixmap *f, void *pages)
{
    f->pages = pages;
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++) {
        f->mapped[slot] = to_mfn(0); /* not INVALID_MFN: the builder's frame is mapped */
        fixmap_unmap(f, slot);
    }
}

void *fixmap_map(struct fixmap *f, unsigned int slot, mfn_t mfn, uint64_t flags)
{
    uintptr_t va = slot_va(f, slot);

    if (mfn_eq(f->mapped[slot], mfn) && f->flags[slot] == flags)
        return (void *)va;
    if (!mfn_valid(mfn) || HYPERVISOR_update_va_mapping(va, pte_make(mfn, flags), UVMF_INVLPG))
        return NULL;
    f->mapped[slot] = mfn;
    f->flags[slot] = flags;
    return (void *)va;
}

void fixmap_unmap(struct fixmap *f, unsigned int slot)
{
    if (mfn_eq(f->mapped[slot], INVALID_MFN))
        return;

    long rc = HYPERVISOR_update_va_mapping(slot_va(f, slot), 0, UVMF_INVLPG);

    if (rc)
        panic("fixmap: cannot unmap slot %u: update_va_mapping: result is %ld (%s), expected 0",
              slot, rc, errno_name((int)rc));
    f->mapped[slot] = INVALID_MFN;
    f->flags[slot] = 0;
}

void fixmap_unmap_all(struct fixmap *f)
{
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        fixmap_unmap(f, slot);
}

void fixmap_unmap_mfn(struct fixmap *f, mfn_t mfn)
{
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        if (mfn_eq(f->mapped[slot], mfn))
            fixmap_unmap(f, slot);
}
