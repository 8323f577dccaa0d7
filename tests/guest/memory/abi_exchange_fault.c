/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange with an output list that Xen can read, but not write.
 *
 * Without this test Xen could go on after it failed to write an MFN to the list, and say that all
 * extents were exchanged. The guest would take its old list for the new MFNs, and map frames of
 * other domains. <xen/memory.h>: nr_exchanged is the "number of input extents that were
 * successfully exchanged", and all others are untouched, except the one at which Xen stopped.
 */
#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"

#include "tests/guest/memory/extents.h"

#define NR_FRAMES     4ul
#define WORDS         (PAGE_SIZE / sizeof(uint64_t))
#define SEARCHED_MFNS ((uint64_t)1 << 22) /* 16 GiB of RAM */

/*
 * The frame that Xen gave @pfn, and whose MFN Xen could not write to the list: its M2P entry names
 * the PFN, and this domain may map it writable. INVALID_MFN: there is none.
 */
static mfn_t find_lost(const struct extents *e, uint64_t pfn)
{
    const struct m2p *m2p = &e->t->d->host.m2p;
    uint64_t mfns_per_2m = level_bytes(2) / sizeof(uint64_t), found;

    for (uint64_t mfn = 0; mfn < e->t->d->host.ram_end; mfn++)
        if (probe_read(&m2p->table[mfn], &found)) /* a hole: the M2P has whole 2 MiB pages */
            mfn = ROUND_UP(mfn + 1, mfns_per_2m) - 1;
        else if (found == pfn && !spot_show(e->spot, to_mfn(mfn), PTE_RW))
            return to_mfn(mfn);
    return INVALID_MFN;
}

static void adopt_lost(struct extents *e, const char *step)
{
    struct test *t = e->t;
    mfn_t mfn = find_lost(e, e->first);

    CHECK_RC(spot_show(e->spot, INVALID_MFN, 0), 0, "update_va_mapping of 0x%lx to 0", e->spot.va);
    if (mfn_eq(mfn, INVALID_MFN))
        test_fail(t, "%s: no frame has PFN 0x%lx as its M2P entry, expected the new frame", step,
                  e->first);
    else
        extents_adopt(e, 0, 1, mfn.v, step);
}

/* @out: the last word of a read-only page, and words of a writable page. */
static void try_exchange(struct extents *e, const uint64_t *out)
{
    static const char step[] = "XENMEM_exchange with a read-only word 0 of its output list";
    struct xen_memory_exchange x = extents_exchange(e->list, out, NR_FRAMES);
    struct test *t = e->t;

    CHECK_RC(HYPERVISOR_memory_op(XENMEM_exchange, &x), -EFAULT, "%s", step);
    CHECK_EQ(x.nr_exchanged, 0, "%s: nr_exchanged", step);
    extents_check_gone(e, 0, 1, step);
    adopt_lost(e, step);
    for (uint64_t i = 1; i < NR_FRAMES; i++) {
        CHECK_EQ(out[i], e->first + i, "%s: entry %lu of the output list", step, i);
        if (out[i] == e->first + i)
            extents_check_kept(e, i, 1, step);
        else
            extents_adopt(e, i, 1, out[i], step);
    }
    extents_check_pages(e, 0, step);
}

TEST_RULE(abi_exchange_fault,
          "XENMEM_exchange stops with -EFAULT at an MFN that it cannot write to the output list")
{
    struct extents e;
    uint64_t *pages, *out;
    mfn_t mfn;

    if (t->d->host.ram_end > SEARCHED_MFNS) {
        test_skip(t, "the search of the M2P for the new frame takes long on more than 16 GiB");
        return;
    }
    if (!extents_open(&e, t, NR_FRAMES))
        return;
    pages = room_alloc(e.room, 2);
    out = pages + WORDS - 1;
    mfn = pt_mfn(&e.room->pt, (uintptr_t)pages);
    for (uint64_t i = 0; i < NR_FRAMES; i++)
        e.list[i] = extents_mfn(&e, i).v, out[i] = e.first + i;
    CHECK_RC(HYPERVISOR_update_va_mapping((uintptr_t)pages, pte_make(mfn, PTE_RO), UVMF_INVLPG), 0,
             "update_va_mapping, read-only, of MFN 0x%lx with word 0 of the output list", mfn.v);
    if (t->result < TEST_ERROR)
        try_exchange(&e, out);
    CHECK_RC(HYPERVISOR_update_va_mapping((uintptr_t)pages, pte_make(mfn, PTE_RW), UVMF_INVLPG), 0,
             "update_va_mapping, writable, of MFN 0x%lx with word 0 of the output list", mfn.v);
    room_free(e.room, pages, 2);
    extents_close(&e);
}
