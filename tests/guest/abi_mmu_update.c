/* SPDX-License-Identifier: MIT */
/*
 * Without these a kernel that hands Xen thousands of updates at once would not know what a failure
 * leaves behind: which were carried out, and whether those behind the bad one were. And a batch
 * that is long enough to be interrupted could be done in part, or a part of it twice, without a
 * word: each long hypercall stops where Xen has something else to do and is taken up again, which
 * is the part of Xen that XSA-299 ("Issues with restartable PV type change operations") was about.
 *
 * <xen/xen.h>: "@pdone is an output parameter indicating number of completed operations", and
 * "ptr[1:0] specifies the appropriate MMU_* command".
 */
#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/traps.h"
#include "arch/x86/vectors.h"

#include "xen/clock.h"
#include "xen/evtchn.h"

#include "tests/guest/abi_room.h"

#include <xen/errno.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define LARGE_BATCH  100000
#define NR_FRAMES    4  /* that a large batch is about    */
#define MAX_TRIES    20 /* until one is seen interrupted  */
#define NR_CALLS     64 /* of a multicall                 */
#define REQ_PER_PAGE (PAGE_SIZE / sizeof(struct mmu_update))
/* Of the periodic timer: "periods smaller than one millisecond may not be supported". */
#define PERIOD_SHORTEST NS_PER_MS

static struct mmu_update m2p_update(mfn_t mfn, uint64_t pfn)
{
    return (struct mmu_update){.ptr = mfn_to_maddr(mfn) | MMU_MACHPHYS_UPDATE, .val = pfn};
}

static uint64_t m2p_of(const struct test *t, mfn_t mfn)
{
    return m2p_get(&t->d->host.m2p, mfn).v;
}

TEST(abi_partial, "mmu_update stops at the first that fails, and says how many it has done")
{
    struct mmu_update req[3];
    uint64_t pfn[2];
    unsigned int done = 77;
    struct spot a, b;
    struct room r;

    if (!room_open(&r, t, 16))
        return;
    a = room_spot(&r), b = room_spot(&r);
    pfn[0] = m2p_of(t, a.mfn), pfn[1] = m2p_of(t, b.mfn);
    req[0] = m2p_update(a.mfn, pfn[1]);
    req[1] = m2p_update(to_mfn(((uint64_t)1 << MFN_BITS) - 1), 0);
    req[2] = m2p_update(b.mfn, pfn[0]);
    CHECK_RC(HYPERVISOR_mmu_update(req, 3, &done, DOMID_SELF), -EINVAL, "valid, invalid, valid");
    CHECK(done == 1, "%u are said to be done, expected 1", done);
    CHECK(m2p_of(t, a.mfn) == pfn[1], "the first was not carried out");
    CHECK(m2p_of(t, b.mfn) == pfn[1], "the third was carried out");

    /* where the count cannot be written, all is carried out, and nothing is said */
    req[0] = m2p_update(a.mfn, pfn[0]);
    CHECK_RC(HYPERVISOR_mmu_update(req, 1, (unsigned int *)image_start, DOMID_SELF), 0,
             "a count that cannot be written");
    CHECK_RC(HYPERVISOR_mmu_update(req, 1, (unsigned int *)HYPERVISOR_VIRT_START, DOMID_SELF), 0,
             "a count in Xen's area");
    CHECK(m2p_of(t, a.mfn) == pfn[0], "it was not carried out");

    /* three bits are looked at, for an entry is 8 bytes; the header gives out four numbers */
    for (unsigned int cmd = 4; cmd < 8; cmd++) {
        req[0] = (struct mmu_update){.ptr = mfn_to_maddr(a.mfn) | cmd, .val = pfn[1]};
        CHECK_RC(HYPERVISOR_mmu_update(req, 1, &done, DOMID_SELF), -ENOSYS, "command %u", cmd);
        CHECK(done == 0, "command %u: %u are done", cmd, done);
    }
    CHECK(m2p_of(t, a.mfn) == pfn[0], "an unknown command was carried out");
    CHECK_RC(HYPERVISOR_mmu_update(req, 1, &done, 0x7abc), -XEN_ESRCH,
             "a domain that is not there");
    room_drop(&r, a);
    room_drop(&r, b);
    room_close(&r);
}

/* Where the last upcall came: at a SYSCALL that is yet to be made, if it interrupted one. */
static volatile uint64_t upcall_rip;

static bool note_upcall(struct trap_frame *frame, uint64_t fault_va)
{
    (void)fault_va;
    if (frame->vector == VECTOR_EVENT)
        upcall_rip = frame->rip;
    return false;
}

static bool was_interrupted(void)
{
    const uint8_t *code = (const uint8_t *)upcall_rip;

    return code && code[0] == 0x0f && code[1] == 0x05;
}

static long set_period(uint64_t ns)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = ns};

    return HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer);
}

/* Upcalls are let in, so that Xen has to stop for them; the first one masks them again. */
static void let_in(const struct test *t)
{
    evtchn_dispatch();
    upcall_rip = 0;
    *(volatile uint8_t *)&t->d->shared->vcpu_info[0].evtchn_upcall_mask = 0;
}

static void keep_out(const struct test *t)
{
    *(volatile uint8_t *)&t->d->shared->vcpu_info[0].evtchn_upcall_mask = 1;
}

/* Fills @req with updates to what is so already, and at the end one that is not. */
static void fill(const struct test *t, struct mmu_update *req, uint64_t nr,
                 const struct spot spots[NR_FRAMES], uint64_t last)
{
    for (uint64_t i = 0; i < nr; i++)
        req[i] = m2p_update(spots[i % NR_FRAMES].mfn, m2p_of(t, spots[i % NR_FRAMES].mfn));
    req[nr - 1] = m2p_update(spots[0].mfn, last);
}

/* Makes the batch until Xen was seen to interrupt one; each must be complete. */
static void try_batches(struct test *t, struct mmu_update *req, uint64_t nr,
                        const struct spot spots[NR_FRAMES])
{
    uint64_t own = m2p_of(t, spots[0].mfn), other = m2p_of(t, spots[1].mfn);
    struct mmu_update put_back = m2p_update(spots[0].mfn, own);
    unsigned int tries = 0, done = 0;

    do {
        long rc;

        fill(t, req, nr, spots, other);
        let_in(t);
        rc = HYPERVISOR_mmu_update(req, (unsigned int)nr, &done, DOMID_SELF);
        keep_out(t);
        CHECK_RC(rc, 0, "%lu updates", nr);
        CHECK(done == nr, "%u of %lu updates are said to be done", done, nr);
        CHECK(m2p_of(t, spots[0].mfn) == other, "the last of %lu updates was not carried out", nr);
        CHECK_RC(HYPERVISOR_mmu_update(&put_back, 1, NULL, DOMID_SELF), 0, "one update");
    } while (!was_interrupted() && ++tries < MAX_TRIES);
    CHECK(tries < MAX_TRIES,
          "%u batches of %lu were made with a timer each ms, and none was seen "
          "to be interrupted",
          tries, nr);

    fill(t, req, nr, spots, own);
    req[nr - 2].ptr |= 4; /* no command */
    CHECK_RC(HYPERVISOR_mmu_update(req, (unsigned int)nr, &done, DOMID_SELF), -ENOSYS,
             "%lu updates, the last but one bad", nr);
    CHECK(done == nr - 2, "%u updates are said to be done, expected %lu", done, nr - 2);
}

/* Each call of the list is a batch of its own, but for one in the middle, which is no hypercall. */
static void try_multicalls(struct test *t, struct mmu_update *req, uint64_t nr,
                           struct multicall_entry *calls)
{
    unsigned int tries = 0;

    do {
        long rc;

        for (uint64_t i = 0; i < NR_CALLS; i++)
            calls[i] = (struct multicall_entry){
                .op = i == NR_CALLS / 2 ? 1000 : __HYPERVISOR_mmu_update,
                .result = 0x5a5a,
                .args = {(uintptr_t)req, nr / NR_CALLS, 0, DOMID_SELF},
            };
        let_in(t);
        rc = HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, NR_CALLS, 0, 0);
        keep_out(t);
        CHECK_RC(rc, 0, "a multicall of %d", NR_CALLS);
        for (uint64_t i = 0; i < NR_CALLS; i++)
            CHECK_RC((long)calls[i].result, i == NR_CALLS / 2 ? -ENOSYS : 0, "call %lu", i);
    } while (!was_interrupted() && ++tries < MAX_TRIES);
    CHECK(tries < MAX_TRIES,
          "%u multicalls were made with a timer each ms, and none was seen to "
          "be interrupted",
          tries);
}

TEST(abi_preemption, "a batch of 100,000 updates, or a multicall, that Xen interrupts is complete")
{
    uint64_t nr = min_u64(LARGE_BATCH, t->d->frame_pool.nr_free / 2 * REQ_PER_PAGE);
    uint64_t nr_pages = DIV_ROUND_UP(nr, REQ_PER_PAGE);
    struct spot spots[NR_FRAMES];
    struct mmu_update *req;
    struct multicall_entry *calls;
    struct room r;

    if (nr < LARGE_BATCH)
        print("# abi_preemption: memory for %lu updates at once, not %d\n", nr, LARGE_BATCH);
    if (!room_open(&r, t, nr_pages + 16))
        return;
    req = room_alloc(&r, nr_pages);
    calls = room_alloc(&r, 2);
    for (unsigned int i = 0; i < NR_FRAMES; i++)
        spots[i] = room_spot(&r);

    trap_hook = note_upcall;
    CHECK_RC(set_period(PERIOD_SHORTEST - 1), -EINVAL, "a timer of less than 1 ms");
    CHECK_RC(set_period(PERIOD_SHORTEST), 0, "a timer each ms");
    try_batches(t, req, nr, spots);
    fill(t, req, nr, spots, m2p_of(t, spots[0].mfn));
    try_multicalls(t, req, nr, calls);
    CHECK_RC(HYPERVISOR_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0, "no timer");
    evtchn_dispatch();
    trap_hook = NULL;

    for (unsigned int i = 0; i < NR_FRAMES; i++)
        room_drop(&r, spots[i]);
    room_free(&r, calls, 2);
    room_free(&r, req, nr_pages);
    room_close(&r);
}

TEST(abi_multicall, "each call of a multicall has its result, and a bad one stops no other")
{
    static const uint64_t ops[] = {__HYPERVISOR_xen_version, 1000, __HYPERVISOR_multicall,
                                   __HYPERVISOR_memory_op, __HYPERVISOR_xen_version};
    struct multicall_entry calls[ARRAY_SIZE(ops)] = {0};
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);

    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        calls[i].op = ops[i]; /* with arguments of 0: XENVER_version */
    calls[2].args[0] = (uintptr_t)calls, calls[2].args[1] = 1;
    calls[3].args[0] = 62;
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, ARRAY_SIZE(calls), 0, 0), 0,
             "the multicall");
    CHECK_RC((long)calls[0].result, version, "the first call");
    CHECK_RC((long)calls[1].result, -ENOSYS, "a hypercall that is none");
    CHECK_RC((long)calls[2].result, -EINVAL, "a multicall in a multicall");
    CHECK_RC((long)calls[3].result, -ENOSYS, "a command that is none");
    CHECK_RC((long)calls[4].result, version, "the last call");
}
