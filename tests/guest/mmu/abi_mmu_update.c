/* SPDX-License-Identifier: MIT */
/*
 * HYPERVISOR_mmu_update and multicalls: results after a failure and after a preemption.
 *
 * A kernel that passes thousands of updates to Xen at once must know which of them were carried out
 * when one fails. Xen preempts a long hypercall when it has other work, and continues it later.
 * Without these tests Xen could lose or repeat a part of such a hypercall with no error. XSA-299
 * ("Issues with restartable PV type change operations") was about preempted page type changes.
 *
 * <xen/xen.h>: "@pdone is an output parameter indicating number of completed operations", and
 * "ptr[1:0] specifies the appropriate MMU_* command".
 */
#include "lib/errno.h"
#include "lib/printk.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/preemption.h"

#include <xen/vcpu.h>
#include <xen/version.h>

#define LARGE_BATCH  20000          /* requests that take Xen more than 1 ms in QEMU        */
#define FULL_BATCH   100000         /* with test=full                                       */
#define NR_FRAMES    4              /* whose M2P entries a large batch writes               */
#define MAX_TRIES    20             /* hypercalls made until Xen is seen to preempt one     */
#define NR_CALLS     64             /* of a multicall                                       */
#define BAD_CALL     (NR_CALLS / 2) /* the one that is not a valid hypercall    */
#define NO_HYPERCALL 1000
#define NO_COMMAND   63 /* of mmuext_op */
#define REQ_PER_PAGE (PAGE_SIZE / sizeof(struct mmu_update))

static uint64_t m2p_of(const struct test *t, mfn_t mfn)
{
    return m2p_get(&t->d->host.m2p, mfn).v;
}

static void check_m2p(struct test *t, mfn_t mfn, uint64_t pfn, const char *when)
{
    CHECK_EQ(m2p_of(t, mfn), pfn, "%s: M2P entry of MFN 0x%lx", when, mfn.v);
}

#define RESTORE "mmu_update that restores the M2P entry"

TEST(abi_partial,
     "mmu_update stops at the first invalid request: *pdone is the index of this request")
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
    req[1] = m2p_update(to_mfn(t->d->host.max_mfn + 1), 0);
    req[2] = m2p_update(b.mfn, pfn[0]);
    CHECK_RC(
        HYPERVISOR_mmu_update(req, 3, &done, DOMID_SELF), -EINVAL,
        "mmu_update of requests 0 to 2; request 1 has MFN 0x%lx, past the last MFN of the host",
        t->d->host.max_mfn + 1);
    CHECK_EQ(done, 1, "*pdone after mmu_update with invalid request 1");
    check_m2p(t, a.mfn, pfn[1], "after mmu_update failed at request 1, target of request 0");
    check_m2p(t, b.mfn, pfn[1], "after mmu_update failed at request 1, target of request 2");

    req[0] = m2p_update(a.mfn, pfn[0]);
    check_frame(t, HYPERVISOR_mmu_update(req, 1, NULL, DOMID_SELF), 0, RESTORE, a.mfn);
    room_drop(&r, a);
    room_drop(&r, b);
    room_close(&r);
}

/* Two updates of one M2P entry, the second of which restores it; *pdone is at a bad address. */
TEST(abi_pdone, "mmu_update succeeds even if the guest may not write at pdone")
{
    struct mmu_update req;
    uint64_t pfn;
    struct spot s;

    if (!spot_open(t, &s))
        return;
    pfn = m2p_of(t, s.mfn);
    req = m2p_update(s.mfn, pfn + 1);
    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, (unsigned int *)image_start, DOMID_SELF), 0,
             "mmu_update with pdone in read-only .text (Xen ignores a failed write)");
    check_m2p(t, s.mfn, pfn + 1, "after mmu_update with *pdone in .text");
    req = m2p_update(s.mfn, pfn);
    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, (unsigned int *)HYPERVISOR_VIRT_START, DOMID_SELF), 0,
             "mmu_update with pdone at Xen's address 0x%lx (Xen ignores a failed write)",
             HYPERVISOR_VIRT_START);
    check_m2p(t, s.mfn, pfn, "after mmu_update with pdone at an address of Xen");
    spot_close(s);
}

TEST(abi_mmu_command, "mmu_update refuses each unknown MMU_* command and an unknown domain")
{
    struct mmu_update req;
    unsigned int done = 77;
    uint64_t pfn;
    struct spot s;

    if (!spot_open(t, &s))
        return;
    pfn = m2p_of(t, s.mfn);
    /* Xen reads three bits of ptr, because an entry has 8 bytes; the header defines values 0 to 3
     */
    for (unsigned int cmd = 4; cmd < 8; cmd++) {
        req = (struct mmu_update){.ptr = mfn_to_maddr(s.mfn) | cmd, .val = pfn + 1};
        CHECK_RC(HYPERVISOR_mmu_update(&req, 1, &done, DOMID_SELF), -ENOSYS,
                 "mmu_update with unknown command %u", cmd);
        CHECK_EQ(done, 0, "*pdone after mmu_update with unknown command %u", cmd);
    }
    CHECK_RC(HYPERVISOR_mmu_update(&req, 1, &done, NO_DOMAIN), -ESRCH,
             "mmu_update for domain 0x%x, which does not exist", NO_DOMAIN);
    check_m2p(t, s.mfn, pfn, "after mmu_updates with an unknown command or domain");
    spot_close(s);
}

static long set_period(uint64_t ns)
{
    struct vcpu_set_periodic_timer timer = {.period_ns = ns};

    return HYPERVISOR_vcpu_op(VCPUOP_set_periodic_timer, 0, &timer);
}

/* Memory of a test that makes large batches. */
struct batch {
    struct room room;
    uint64_t nr, nr_pages;  /* requests, and pages that hold them */
    struct mmu_update *req; /* nr of them                         */
    struct spot spots[NR_FRAMES];
};

/* All requests of the batch write the value that the M2P entry has, but the last one writes @last.
 */
static void fill(const struct test *t, struct batch *b, uint64_t last)
{
    for (uint64_t i = 0; i < b->nr; i++) {
        mfn_t mfn = b->spots[i % NR_FRAMES].mfn;

        b->req[i] = m2p_update(mfn, m2p_of(t, mfn));
    }
    b->req[b->nr - 1] = m2p_update(b->spots[0].mfn, last);
}

/* Allocates a batch, as large as the free memory allows, and starts a timer with a period of 1 ms.
 */
static bool batch_start(struct test *t, struct batch *b)
{
    uint64_t large = cmdline_wants_full(&t->d->options) ? FULL_BATCH : LARGE_BATCH;

    b->nr = min_u64(large, t->d->frame_pool.free.nr_pfns / 2 * REQ_PER_PAGE);
    b->nr_pages = DIV_ROUND_UP(b->nr, REQ_PER_PAGE);
    if (b->nr < large)
        print("%s: free memory allows an mmu_update of %lu requests, not of %lu\n", t->title, b->nr,
              large);
    if (!room_open(&b->room, t, b->nr_pages + 16))
        return false;
    b->req = room_alloc(&b->room, b->nr_pages);
    for (unsigned int i = 0; i < NR_FRAMES; i++)
        b->spots[i] = room_spot(&b->room);
    CHECK_RC(set_period(PREEMPTION_PERIOD - 1), -EINVAL,
             "VCPUOP_set_periodic_timer of vCPU 0, period 999999 ns (minimum: 1 ms)");
    preemption_start(t);
    return true;
}

static void batch_stop(struct test *t, struct batch *b)
{
    preemption_stop(t);
    for (unsigned int i = 0; i < NR_FRAMES; i++)
        room_drop(&b->room, b->spots[i]);
    room_free(&b->room, b->req, b->nr_pages);
    room_close(&b->room);
}

static void check_preempted(struct test *t, const char *what, unsigned int tries)
{
    CHECK(tries < MAX_TRIES, "with a 1 ms timer, Xen preempted 0 of %u %s, expected at least 1",
          tries, what);
}

/* Makes the batch until Xen was seen to preempt one. Each must be complete. */
static void try_batches(struct test *t, struct batch *b)
{
    mfn_t mfn = b->spots[0].mfn;
    uint64_t own = m2p_of(t, mfn), other = m2p_of(t, b->spots[1].mfn);
    struct mmu_update put_back = m2p_update(mfn, own);
    unsigned int tries = 0, done = 0;

    do {
        long rc;

        fill(t, b, other);
        preemption_let_in(t);
        rc = HYPERVISOR_mmu_update(b->req, (unsigned int)b->nr, &done, DOMID_SELF);
        preemption_keep_out(t);
        CHECK_RC(rc, 0, "mmu_update of %lu requests, try %u", b->nr, tries);
        CHECK_EQ(done, b->nr, "*pdone after mmu_update of %lu requests, try %u", b->nr, tries);
        check_m2p(t, mfn, other, "after the last request of a large mmu_update");
        check_frame(t, HYPERVISOR_mmu_update(&put_back, 1, NULL, DOMID_SELF), 0, RESTORE, mfn);
    } while (preemption_seen() != UPCALL_PREEMPTED && ++tries < MAX_TRIES);
    check_preempted(t, "mmu_updates", tries);

    fill(t, b, own);
    b->req[b->nr - 2].ptr |= 4; /* not an MMU_* command */
    CHECK_RC(HYPERVISOR_mmu_update(b->req, (unsigned int)b->nr, &done, DOMID_SELF), -ENOSYS,
             "mmu_update of %lu requests (request %lu has an unknown command)", b->nr, b->nr - 2);
    CHECK_EQ(done, b->nr - 2, "*pdone after mmu_update of %lu requests (request %lu is invalid)",
             b->nr, b->nr - 2);
}

TEST(abi_preemption, "Xen executes all requests of a large mmu_update that Xen preempts")
{
    struct batch b;

    if (!batch_start(t, &b))
        return;
    try_batches(t, &b);
    batch_stop(t, &b);
}

/* The last operation pins a frame, the others flush one address. */
static void fill_ops(const struct batch *b, struct mmuext_op *ops, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        ops[i] = (struct mmuext_op){.cmd = MMUEXT_INVLPG_LOCAL,
                                    .arg1.linear_addr = (uintptr_t)image_start};
    ops[nr - 1] = (struct mmuext_op){.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = b->spots[0].mfn.v};
}

static void try_mmuext(struct test *t, struct batch *b)
{
    struct mmuext_op *ops = (struct mmuext_op *)b->req;
    unsigned int nr = (unsigned int)(b->nr * sizeof(*b->req) / sizeof(*ops)), tries = 0, done = 0;

    do {
        long rc;

        fill_ops(b, ops, nr);
        preemption_let_in(t);
        rc = HYPERVISOR_mmuext_op(ops, nr, &done, DOMID_SELF);
        preemption_keep_out(t);
        CHECK_RC(rc, 0, "mmuext_op of %u operations, try %u", nr, tries);
        CHECK_EQ(done, nr, "*pdone after mmuext_op of %u operations, try %u", nr, tries);
        check_frame(t, pt_unpin(b->spots[0].mfn), 0,
                    "unpin of the frame that the last operation pinned", b->spots[0].mfn);
    } while (preemption_seen() != UPCALL_PREEMPTED && ++tries < MAX_TRIES);
    check_preempted(t, "mmuext_ops", tries);

    ops[nr - 2].cmd = NO_COMMAND;
    CHECK_RC(HYPERVISOR_mmuext_op(ops, nr, &done, DOMID_SELF), -ENOSYS,
             "mmuext_op of %u operations (number %u is an unknown command)", nr, nr - 2);
    CHECK_EQ(done, nr - 2, "*pdone after mmuext_op of %u operations (number %u is invalid)", nr,
             nr - 2);
}

TEST_RULE(abi_mmuext_preemption,
          "Xen executes all operations of a large mmuext_op that Xen preempts")
{
    struct batch b;

    if (!batch_start(t, &b))
        return;
    try_mmuext(t, &b);
    batch_stop(t, &b);
}

/* Each call is a batch of its own, except one in the middle, which is not a valid hypercall. */
static void try_multicalls(struct test *t, struct batch *b, struct multicall_entry *calls)
{
    unsigned int tries = 0;

    fill(t, b, m2p_of(t, b->spots[0].mfn));
    do {
        long rc;

        for (uint64_t i = 0; i < NR_CALLS; i++)
            calls[i] = (struct multicall_entry){
                .op = i == BAD_CALL ? NO_HYPERCALL : __HYPERVISOR_mmu_update,
                .result = 0x5a5a,
                .args = {(uintptr_t)b->req, b->nr / NR_CALLS, 0, DOMID_SELF},
            };
        preemption_let_in(t);
        rc = HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, NR_CALLS, 0, 0);
        preemption_keep_out(t);
        CHECK_RC(rc, 0, "multicall of %d calls, try %u", NR_CALLS, tries);
        for (uint64_t i = 0; i < NR_CALLS; i++)
            CHECK_RC((long)calls[i].result, i == BAD_CALL ? -ENOSYS : 0,
                     "multicall of %d calls, try %u: call %lu (from 0), which is hypercall %lu",
                     NR_CALLS, tries, i, calls[i].op);
    } while (preemption_seen() != UPCALL_PREEMPTED && ++tries < MAX_TRIES);
    check_preempted(t, "multicalls", tries);
}

TEST(abi_multicall_preemption, "Xen executes each of the 64 calls of a multicall that Xen preempts")
{
    struct multicall_entry *calls;
    struct batch b;

    if (!batch_start(t, &b))
        return;
    calls = room_alloc(&b.room, 2);
    try_multicalls(t, &b, calls);
    room_free(&b.room, calls, 2);
    batch_stop(t, &b);
}

TEST(abi_multicall, "a call that fails in a multicall changes the result of no other call")
{
    static const uint64_t ops[] = {__HYPERVISOR_xen_version, NO_HYPERCALL, __HYPERVISOR_multicall,
                                   __HYPERVISOR_memory_op, __HYPERVISOR_xen_version};
    struct multicall_entry calls[ARRAY_SIZE(ops)] = {0};
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);
    const long expected[ARRAY_SIZE(ops)] = {version, -ENOSYS, -EINVAL, -ENOSYS, version};

    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        calls[i].op = ops[i]; /* with arguments of 0: XENVER_version */
    calls[2].args[0] = (uintptr_t)calls, calls[2].args[1] = 1;
    calls[3].args[0] = 62;
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, ARRAY_SIZE(calls), 0, 0), 0,
             "multicall of %lu calls", ARRAY_SIZE(calls));
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        CHECK_RC((long)calls[i].result, expected[i],
                 "multicall: call %lu (counted from 0), which is hypercall %lu", i, ops[i]);
}
