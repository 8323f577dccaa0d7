/* SPDX-License-Identifier: MIT */
#include "mm/fixmap.h"

#include "lib/panic.h"

#include "arch/x86/hypercall.h"

static uintptr_t slot_va(const struct fixmap *w, unsigned int slot)
{
    return (uintptr_t)w->pages + slot * PAGE_SIZE;
}

void fixmap_init(struct fixmap *w, void *pages)
{
    w->pages = pages;
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++) {
        w->shown[slot] = to_mfn(0); /* not "empty": the builder's frame is behind it */
        fixmap_unmap(w, slot);
    }
}

void *fixmap_map(struct fixmap *w, unsigned int slot, mfn_t mfn, uint64_t flags)
{
    uintptr_t va = slot_va(w, slot);

    if (mfn_eq(w->shown[slot], mfn) && w->flags[slot] == flags)
        return (void *)va;
    if (HYPERVISOR_update_va_mapping(va, pte_make(mfn, flags), UVMF_INVLPG))
        return NULL;
    w->shown[slot] = mfn;
    w->flags[slot] = flags;
    return (void *)va;
}

void fixmap_unmap(struct fixmap *w, unsigned int slot)
{
    if (mfn_eq(w->shown[slot], INVALID_MFN))
        return;

    long rc = HYPERVISOR_update_va_mapping(slot_va(w, slot), 0, UVMF_INVLPG);

    if (rc)
        panic("window %u cannot be emptied: Xen says %ld, expected 0", slot, rc);
    w->shown[slot] = INVALID_MFN;
}

void fixmap_unmap_all(struct fixmap *w)
{
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        fixmap_unmap(w, slot);
}

void fixmap_unmap_mfn(struct fixmap *w, mfn_t mfn)
{
    for (unsigned int slot = 0; slot < NR_FIXMAP_SLOTS; slot++)
        if (mfn_eq(w->shown[slot], mfn))
            fixmap_unmap(w, slot);
}
