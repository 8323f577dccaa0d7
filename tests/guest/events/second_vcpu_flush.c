/* SPDX-License-Identifier: MIT */
/*
 * Without this test, Xen could flush the TLB of the calling vCPU only. Another vCPU would then go
 * on using a frame that the kernel has given away. <xen/xen.h>: UVMF_ALL and MMUEXT_TLB_FLUSH_ALL
 * reach all vCPUs, UVMF_MULTI and MMUEXT_TLB_FLUSH_MULTI those of a mask. An update of an L2 entry
 * reaches all vCPUs, too (the end of do_mmu_update() of Xen arch/x86/mm.c).
 *
 * vCPU 1 reads at one address whenever vCPU 0 asks for it, and enters Xen for nothing else, so that
 * a stale translation stays in its TLB:
 *
 *      vCPU 0:  ask 1 ----> change the entry, flush vCPU 1's TLB ----> ask 2 ----> ...
 *      vCPU 1:  read at va, ack 1                                     read at va, ack 2
 */
#include "lib/errno.h"

#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/events/second_room.h"
#include "tests/guest/mmu/tlb_flush.h"

#define NR_PAGES 2
#define END      (~(uint64_t)0)

/* Operations that flush the TLBs of all vCPUs, beside those of tlb_flush.h. */
enum other { OTHER_L2, OTHER_TYPE, NR_OTHERS };

static const char *const others[] = {
    [OTHER_L2] = "mmu_update of an L2 entry",
    [OTHER_TYPE] = "a pin of a frame that was mapped writable",
};

/* What both vCPUs share. */
struct reader {
    const volatile uint64_t *va; /* what vCPU 1 reads */
    volatile uint64_t asked, acked, seen;
};

struct flushes {
    struct test *t;
    struct room room;
    struct spot spot;           /* its virtual page is the one that vCPU 1 reads */
    struct spot page[NR_PAGES]; /* page[i] holds the number i                   */
    struct reader reader;
};

/* Runs on vCPU 1. */
static void read_when_asked(void *arg)
{
    struct reader *r = arg;

    while (r->asked != END) {
        if (r->asked != r->acked) {
            r->seen = *r->va;
            barrier();
            r->acked = r->asked;
        }
        barrier();
    }
}

static bool ask(struct flushes *f)
{
    f->reader.asked++;
    return second_wait_for(f->t, &f->reader.acked, f->reader.asked);
}

static int show(struct flushes *f, mfn_t mfn)
{
    return spot_show(f->spot, mfn, PTE_RO);
}

/* Maps @mfn without a flush, and then does what flushes the TLBs of all vCPUs. */
static long change(struct flushes *f, enum other other, mfn_t mfn)
{
    struct pagetable *pt = &f->room.pt;
    struct spot s = f->spot;
    mfn_t l3, l2;
    long rc;

    if (other == OTHER_TYPE) { /* a store, so that the type of the frame of the spot is writable */
        rc = spot_show(s, s.mfn, PTE_RW);
        if (rc)
            return rc;
        *(volatile uint64_t *)s.va = 0;
    }
    rc = HYPERVISOR_update_va_mapping(s.va, pte_make(mfn, PTE_RO), UVMF_NONE);
    if (rc)
        return rc;
    if (other == OTHER_TYPE)
        return pt_pin(s.mfn, 1) ? -EINVAL : pt_unpin(s.mfn);
    l3 = pte_mfn(pt_read(pt, pt->root, 4, pte_index(s.va, 4)));
    l2 = pte_mfn(pt_read(pt, l3, 3, pte_index(s.va, 3)));
    return pt_write(l2, pte_index(s.va, 2), pt_read(pt, l2, 2, pte_index(s.va, 2)));
}

/* vCPU 1 has page[1 - @to] in its TLB when the entry changes to page[@to]. False: no more flushes.
 */
static bool try_flush(struct flushes *f, unsigned int nr, unsigned int to)
{
    static const uint64_t mask = 1 << SECOND;
    bool is_other = nr >= NR_TLB_FLUSHES;
    enum other other = is_other ? nr - NR_TLB_FLUSHES : 0;
    const char *name = is_other ? others[other] : tlb_flushes[nr].name;
    struct test *t = f->t;
    long rc;

    if (!is_other && tlb_flushes[nr].is_local)
        return true;
    CHECK_RC(show(f, f->page[1 - to].mfn) || show(f, f->spot.mfn) || show(f, f->page[1 - to].mfn),
             0, "update_va_mapping before %s", name);
    if (!ask(f)) { /* vCPU 1 fills its TLB */
        test_fail(t, "before %s: vCPU 1 did not read in 10 s", name);
        return false;
    }
    rc = is_other ? change(f, other, f->page[to].mfn)
                  : tlb_flush_change(&tlb_flushes[nr], f->spot.va,
                                     pte_make(f->page[to].mfn, PTE_RO), &mask);
    CHECK_RC(rc, 0, "%s by vCPU 0, for vCPU 1", name);
    if (!ask(f)) {
        test_fail(t, "after %s: vCPU 1 did not read in 10 s", name);
        return false;
    }
    CHECK_EQ(f->reader.seen, to, "after %s by vCPU 0: word that vCPU 1 reads", name);
    return true;
}

static void try_flushes(struct flushes *f)
{
    struct test *t = f->t;
    bool go_on = true;

    if (!second_start(t, read_when_asked, &f->reader))
        return;
    for (unsigned int i = 0; go_on && i < 2 * (NR_TLB_FLUSHES + NR_OTHERS); i++)
        go_on = try_flush(f, i / 2, i % 2);
    f->reader.asked = END;
    (void)second_wait(t);
}

TEST_RULE(second_vcpu_flush,
          "vCPU 1 uses no stale translation after vCPU 0 flushed the TLB of vCPU 1")
{
    static struct flushes f; /* vCPU 1 keeps this address for its whole life */

    f = (struct flushes){.t = t};
    if (!room_open(&f.room, t, 16))
        return;
    f.spot = room_spot(&f.room);
    f.reader.va = (const volatile uint64_t *)f.spot.va;
    for (unsigned int i = 0; i < NR_PAGES; i++) {
        f.page[i] = room_spot(&f.room);
        CHECK_RC(spot_show(f.page[i], f.page[i].mfn, PTE_RW), 0, "update_va_mapping of page %u", i);
        *(volatile uint64_t *)f.page[i].va = i;
    }
    if (t->result == TEST_SUCCESS)
        try_flushes(&f);
    CHECK_RC(show(&f, f.spot.mfn), 0, "update_va_mapping after the flushes");
    for (unsigned int i = 0; i < NR_PAGES; i++)
        room_drop(&f.room, f.page[i]);
    room_drop(&f.room, f.spot);
    room_close(&f.room);
}
