/* SPDX-License-Identifier: MIT */
/*
 * The failsafe callback (<xen/arch-x86/xen.h>, VGCF_failsafe_disables_events): Xen enters the
 * kernel there if it cannot load a selector, and has loaded a null selector instead. Without this
 * test Xen could lose a register, run the instruction behind the failure, or leave events unmasked.
 */
#include "tests/guest/events/second_failsafe.h"

#include "arch/x86/traps.h"
#include "arch/x86/vectors.h"

#include "kernel/selftest/test.h"

#include "tests/guest/events/second_room.h"

/* A selector of a GDT entry that has no frame. */
#define BAD_FS   0x8ffb
#define FLAGS_IF 0x200

/* The segment bases of the context, as MSR FIRST_BASE, + 1 and + 2 show them: FS, GS, user's GS. */
#define FIRST_BASE 0xc0000100
static const uint64_t bases[3] = {0x11112222333, 0x44445555666, 0x77778888999};

extern const char vcpu_entry[];

/* What vCPU 1 found at its failsafe callback. */
static struct {
    bool expected; /* vCPU 1 has been started in this run of the self-tests */
    volatile struct vcpu_info *info;
    volatile unsigned int nr;
    struct trap_frame frame;
    uint8_t mask;
    uint16_t fs;
    uint64_t bases[3];
    uint64_t rax; /* of the context */
} found;

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

/* Runs on vCPU 1. */
static bool on_failsafe(struct trap_frame *frame, uint64_t fault_va)
{
    (void)fault_va;
    if (frame->vector != VECTOR_FAILSAFE)
        return false;
    found.frame = *frame;
    found.mask = found.info->evtchn_upcall_mask;
    __asm__ volatile("mov %%fs, %0" : "=r"(found.fs));
    for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++)
        found.bases[i] = rdmsr(FIRST_BASE + i);
    found.nr++;
    trap_mask_events(frame);
    return true;
}

void second_failsafe_prepare(struct vcpu_guest_context *context)
{
    context->user_regs.fs = BAD_FS;
    context->fs_base = bases[0];
    context->gs_base_kernel = bases[1];
    context->gs_base_user = bases[2];
    context->flags |= VGCF_failsafe_disables_events;
    found.rax = context->user_regs.rax;
}

void second_failsafe_expect(const struct domain *d)
{
    found.info = &d->shared->vcpu_info[SECOND];
    found.info->evtchn_upcall_mask = 0;
    found.expected = true;
    found.nr = 0;
    trap_hook = on_failsafe;
}

void second_failsafe_end(void)
{
    trap_hook = NULL;
}

/* Xen finds BAD_FS when it first runs vCPU 1. */
TEST_RULE(second_vcpu_failsafe,
          "a selector that cannot be loaded enters the failsafe callback, once, with "
          "the registers of the vCPU")
{
    const struct trap_frame *f = &found.frame;

    if (!found.expected) {
        test_skip(t, "vCPU 1 was not initialised in this run of the self-tests");
        return;
    }
    CHECK_EQ(found.nr, 1, "number of failsafe callbacks of vCPU 1, FS 0x%x", BAD_FS);
    CHECK_EQ(f->rip, (uintptr_t)vcpu_entry, "failsafe frame: RIP");
    CHECK_EQ(f->cs, FLAT_KERNEL_CS & ~3, "failsafe frame: CS and saved_upcall_mask");
    CHECK_EQ(f->ss, FLAT_KERNEL_SS, "failsafe frame: SS");
    CHECK_EQ(f->rflags & FLAGS_IF, FLAGS_IF, "failsafe frame: IF of RFLAGS");
    CHECK_EQ(f->rax, found.rax, "failsafe callback: RAX");
    CHECK_EQ(found.mask, 1, "failsafe callback: evtchn_upcall_mask");
    CHECK_EQ(found.fs, 0, "failsafe callback: FS");
    for (unsigned int i = 0; i < ARRAY_SIZE(bases); i++)
        CHECK_EQ(found.bases[i], bases[i], "failsafe callback: MSR 0x%x of vCPU 1", FIRST_BASE + i);
    found.expected = false;
}
