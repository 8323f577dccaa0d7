/* SPDX-License-Identifier: MIT */
/*
 * Multicalls (<xen/xen.h>, struct multicall_entry): Xen writes the result of each call, and stops
 * at an entry that it cannot read. (abi_mmu_update.c checks calls that fail and multicalls that Xen
 * preempts.)
 *
 * A kernel updates page tables by multicalls and looks at the result of each call. Without these
 * tests a result could be missing: the field keeps what the kernel wrote before, perhaps 0, which
 * means success. (Xen xen/common/multicall.c.)
 */
#include "lib/errno.h"
#include "lib/string.h"

#include "arch/x86/hypercall.h"

#include "tests/guest/abi_room.h"

#include <xen/sched.h>
#include <xen/version.h>

#define STALE        0x5a5a5a5a /* in each result before the multicall */
#define NR_MOST      64         /* calls: they fit into one page */
#define CALL_BYTES   sizeof(struct multicall_entry)
#define NONCANONICAL 0x0000800000000000

static long multicall(const void *calls, uint64_t nr)
{
    return HYPERVISOR_any(__HYPERVISOR_multicall, (uintptr_t)calls, nr, 0, 0);
}

/* Calls with different results: 0 for the odd ones, Xen's version for the even ones. */
static void fill(struct multicall_entry *calls, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++)
        calls[i] = (struct multicall_entry){
            .op = i % 2 ? __HYPERVISOR_sched_op : __HYPERVISOR_xen_version,
            .result = STALE,
            .args = {0}, /* SCHEDOP_yield, XENVER_version */
        };
}

static void check_results(struct test *t, const struct multicall_entry *calls, unsigned int done,
                          unsigned int nr, const char *when)
{
    long version = HYPERVISOR_xen_version(XENVER_version, NULL);

    for (unsigned int i = 0; i < nr; i++)
        CHECK_RC((long)calls[i].result,
                 i >= done ? STALE
                 : i % 2   ? 0
                           : version,
                 "%s: call %u (from 0) of %u readable ones", when, i, done);
}

TEST_RULE(abi_multicall_results,
          "a multicall writes the result of each of its calls, and of no entry past "
          "the last one")
{
    static const unsigned int numbers[] = {0, 1, 2, 3, NR_MOST};
    struct multicall_entry *calls;
    struct room r;

    if (!room_open(&r, t, 16))
        return;
    calls = room_alloc(&r, 2);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        fill(calls, NR_MOST + 1);
        CHECK_RC(multicall(calls, numbers[i]), 0, "multicall of %u calls", numbers[i]);
        check_results(t, calls, numbers[i], NR_MOST + 1, "multicall");
    }
    room_free(&r, calls, 2);
    room_close(&r);
}

/* Two calls lie at the end of a page; the third would be in a page that is not mapped. */
TEST_RULE(abi_multicall_partial,
          "a multicall with an entry that cannot be read executes those before it, "
          "and fails with EFAULT")
{
    struct multicall_entry *calls;
    struct room r;
    uint8_t *page;

    if (!room_open(&r, t, 16))
        return;
    page = room_alloc(&r, 1);
    calls = (struct multicall_entry *)(page + PAGE_SIZE) - 2;
    fill(calls, 2);
    CHECK_RC(multicall(calls, 3), -EFAULT, "multicall of 3 calls, the last one not mapped");
    check_results(t, calls, 2, 2, "multicall of 3 calls, the last one not mapped");
    fill(calls, 2);
    CHECK_RC(multicall((uint8_t *)calls + CALL_BYTES + 8, 1), -EFAULT,
             "multicall of a call that crosses into a page that is not mapped");
    CHECK_RC(multicall((void *)HYPERVISOR_VIRT_START, 1), -EFAULT,
             "multicall of 1 call at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    CHECK_RC(multicall((void *)NONCANONICAL, 1), -EFAULT, "multicall of 1 call, non-canonical");
    fill(calls, 2); /* a multicall that failed leaves no state behind */
    CHECK_RC(multicall(calls, 2), 0, "multicall of 2 calls after multicalls that failed");
    check_results(t, calls, 2, 2, "multicall of 2 calls after multicalls that failed");
    room_free(&r, page, 1);
    room_close(&r);
}

/* The numbers below 64 that no version from 4.14 to 4.22 of <xen/xen.h> gives to a hypercall. */
static const uint8_t holes[] = {11, 38, 43, 44, 45, 46, 47, 50, 51, 52, 53,
                                54, 55, 56, 57, 58, 59, 60, 61, 62, 63};

TEST_RULE(abi_hypercall_holes,
          "each number that <xen/xen.h> gives to no hypercall fails with ENOSYS, also "
          "in a multicall")
{
    struct multicall_entry call;

    for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
        CHECK_RC(HYPERVISOR_any(holes[i], 0, 0, 0, 0), -ENOSYS, "hypercall %u", holes[i]);
        call = (struct multicall_entry){.op = holes[i], .result = STALE};
        CHECK_RC(multicall(&call, 1), 0, "multicall of hypercall %u", holes[i]);
        CHECK_RC((long)call.result, -ENOSYS, "hypercall %u in a multicall", holes[i]);
    }
}
