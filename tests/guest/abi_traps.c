/* SPDX-License-Identifier: MIT */
/*
 * Without these a trap could arrive as another one, or without its error code: the stubs of entry.S
 * count on which vectors have one, and every probe of the other tests counts on the stubs. Each
 * trap that a guest can raise is raised, and vector, error code, RIP and CR2 are held against the
 * Intel SDM (vol. 3, its reference of exceptions), with two differences that are Xen's: the U bit
 * of a page fault's code is clear although the guest runs in ring 3, since its kernel is taken for
 * a kernel; and INT n for a vector that the kernel may not use is #GP, as on a CPU whose gate has a
 * lower DPL.
 *
 * <xen/arch-x86/xen.h> has the virtual IDT ("Terminate the array with a sentinel entry") and the
 * GDT ("A number of GDT entries are reserved by Xen"), <xen/callback.h> what can be called back
 * ("Not all callbacks can be unregistered").
 */
#include "arch/x86/traps.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"
#include "arch/x86/vectors.h"

#include "xen/evtchn.h"

#include "tests/guest/abi_room.h"

#include <xen/callback.h>
#include <xen/version.h>

#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_FETCH   16

/* Descriptors of a GDT: data of ring 3, the same not present, and an LDT, which is Xen's to make.
 */
#define GDT_DATA    0x00cff3000000ffff
#define GDT_ABSENT  0x00cf73000000ffff
#define GDT_LDT     0x0000820000000000
#define SELECTOR(i) ((unsigned int)(i) << 3 | 3)
#define GDT_ENTRIES 512 /* in a frame */

static struct seen {
    unsigned int nr;
    uint64_t vector, error, rip, va;
} seen;

static bool note(struct trap_frame *frame, uint64_t fault_va)
{
    seen = (struct seen){seen.nr + 1, frame->vector, frame->error, frame->rip, fault_va};
    return false;
}

/* What a probe said: was there a trap, one, and was it this? */
static void check_trap(struct test *t, const char *what, int rc, unsigned int vector,
                       uint64_t error, uintptr_t rip)
{
    CHECK(rc == -EFAULT, "%s: the probe says %d", what, rc);
    CHECK(seen.nr == 1, "%s: %u traps, expected one", what, seen.nr);
    if (seen.nr)
        CHECK(seen.vector == vector && seen.error == error && seen.rip == rip,
              "%s: vector %lu, error code 0x%lx, rip %lx, expected %u, 0x%lx, %lx", what,
              seen.vector, seen.error, seen.rip, vector, error, rip);
    seen.nr = 0;
}

static void check_fault(struct test *t, const char *what, int rc, uint64_t error, uintptr_t rip,
                        const void *va)
{
    uint64_t at = seen.va, by_xen = t->d->shared->vcpu_info[0].arch.cr2;

    check_trap(t, what, rc, TRAP_PAGE_FAULT, error, rip);
    CHECK(at == (uintptr_t)va && by_xen == at, "%s: CR2 is %lx, in vcpu_info %lx, expected %p",
          what, at, by_xen, va);
}

TEST(abi_traps, "each trap that a guest can raise comes with its vector, error code and place")
{
    const uint64_t *noncanonical = (const uint64_t *)0x0000800000000000;
    uint64_t value;
    int rc;

    trap_hook = note;
    seen.nr = 0;
    check_trap(t, "int3", probe_breakpoint(), 3, 0, (uintptr_t)probe_breakpoint + 1);
    check_trap(t, "ud2", probe_undefined(), 6, 0, (uintptr_t)probe_undefined);
    check_trap(t, "a division by 0", probe_divide(0), 0, 0, (uintptr_t)probe_divide);
    check_trap(t, "a non-canonical read", probe_read(noncanonical, &value), 13, 0,
               (uintptr_t)probe_read);
    check_trap(t, "a selector past the GDT", probe_ds(SELECTOR(100)), 13, SELECTOR(100) & ~3u,
               (uintptr_t)probe_ds);
    rc = probe_interrupt();
    if (seen.error == (PROBE_INTERRUPT << 4 | 2)) /* older QEMU: 16 a vector, not 8 */
        seen.error = PROBE_INTERRUPT << 3 | 2;
    check_trap(t, "INT n", rc, 13, PROBE_INTERRUPT << 3 | 2, (uintptr_t)probe_interrupt);

    /* <xen/xen.h>: HYPERVISOR_fpu_taskswitch sets CR0.TS; Xen clears it as it tells us */
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_fpu_taskswitch, 1, 0, 0, 0), 0, "setting CR0.TS");
    check_trap(t, "the FPU", probe_fpu(), 7, 0, (uintptr_t)probe_fpu);
    CHECK(!probe_fpu(), "CR0.TS is still set");
    trap_hook = NULL;
}

TEST(abi_page_faults, "page faults say in their error code and in CR2 what was done, and where")
{
    const void *nowhere = stack_guard;
    uint64_t value;

    trap_hook = note;
    seen.nr = 0;
    check_fault(t, "a read of nothing", probe_read(nowhere, &value), 0, (uintptr_t)probe_read,
                nowhere);
    check_fault(t, "a write to nothing", probe_write(stack_guard + 8, 0), PF_WRITE,
                (uintptr_t)probe_write, stack_guard + 8);
    check_fault(t, "a write to a constant", probe_write(rodata_start, 0), PF_WRITE | PF_PRESENT,
                (uintptr_t)probe_write, rodata_start);
    check_fault(t, "a jump into a constant", probe_exec(rodata_start, &value),
                PF_FETCH | PF_PRESENT, (uintptr_t)rodata_start, rodata_start);
    /* a jump to nowhere: the return address, which the handler wants, is read by a probe too */
    check_fault(t, "a jump to nothing", probe_exec(nowhere, &value), PF_FETCH, (uintptr_t)nowhere,
                nowhere);
    /* a read past its end says where the part begins that is not there */
    check_fault(t, "a read into nothing", probe_read((void *)((uintptr_t)nowhere - 4), &value), 0,
                (uintptr_t)probe_read, nowhere);
    trap_hook = NULL;
}

TEST(abi_trap_table, "set_trap_table takes an entry at a time, up to one that it cannot read")
{
    struct trap_info *table;
    struct room r;

    if (!room_open(&r, t, 16))
        return;
    /* one entry at the end of a page: int3 is to come as vector 4, and the list has no end */
    table = (struct trap_info *)((uint8_t *)room_alloc(&r, 1) + PAGE_SIZE) - 1;
    *table = (struct trap_info){.vector = 3, .cs = FLAT_KERNEL_CS, .address = trap_entry(4)};
    trap_hook = note;
    seen.nr = 0;
    CHECK_RC(HYPERVISOR_set_trap_table(table), -EFAULT, "a table that has no end");
    check_trap(t, "int3, given to the entry of vector 4", probe_breakpoint(), 4, 0,
               (uintptr_t)probe_breakpoint + 1);
    CHECK_RC(traps_start(), 0, "the table as it was");
    check_trap(t, "int3", probe_breakpoint(), 3, 0, (uintptr_t)probe_breakpoint + 1);
    CHECK_RC(HYPERVISOR_set_trap_table((void *)HYPERVISOR_VIRT_START), -EFAULT, "a table of Xen's");
    trap_hook = NULL;
    room_free(&r, (uint8_t *)(table + 1) - PAGE_SIZE, 1);
    room_close(&r);
}

/* An upcall that comes by the entry of an exception is masked as the usual one is. */
static bool note_and_mask(struct trap_frame *frame, uint64_t fault_va)
{
    note(frame, fault_va);
    trap_mask_events(frame);
    return true;
}

static void nothing(void *context)
{
    (void)context;
}

/* Lets an upcall in. */
static void upcall(struct test *t, evtchn_port_t port)
{
    evtchn_dispatch();
    evtchn_notify(port);
    *(volatile uint8_t *)&t->d->shared->vcpu_info[0].evtchn_upcall_mask = 0;
    CHECK(HYPERVISOR_xen_version(XENVER_version, NULL) > 0, "a hypercall that is interrupted");
    CHECK(t->d->shared->vcpu_info[0].evtchn_upcall_mask, "upcalls are not masked after one");
    *(volatile uint8_t *)&t->d->shared->vcpu_info[0].evtchn_upcall_mask = 1;
    evtchn_dispatch();
}

static long callback(unsigned int cmd, unsigned int type, uint64_t address)
{
    struct callback_register reg = {.type = (uint16_t)type, .address = address};

    return HYPERVISOR_any(__HYPERVISOR_callback_op, cmd, (uintptr_t)&reg, 0, 0);
}

TEST(abi_callbacks, "callback_op moves where events come in, and refuses what is no callback")
{
    evtchn_port_t port;

    if (evtchn_bind_ipi(nothing, NULL, &port)) {
        test_error(t, "no port for an event to ourselves");
        return;
    }
    trap_hook = note_and_mask;
    seen.nr = 0;
    upcall(t, port);
    CHECK(seen.nr == 1 && seen.vector == VECTOR_EVENT,
          "an event: %u upcalls, the last by vector %lu", seen.nr, seen.vector);
    seen.nr = 0;
    CHECK_RC(callback(CALLBACKOP_register, CALLBACKTYPE_event, trap_entry(4)), 0,
             "events given to the entry of vector 4");
    upcall(t, port);
    CHECK(seen.nr == 1 && seen.vector == 4,
          "an event: %u upcalls, the last by vector %lu, expected 4", seen.nr, seen.vector);
    CHECK_RC(callback(CALLBACKOP_register, CALLBACKTYPE_event, 0x0000800000000000), -EINVAL,
             "a non-canonical entry");
    CHECK_RC(callback(CALLBACKOP_register, 99, trap_entry(4)), -ENOSYS, "a callback of type 99");
    CHECK_RC(callback(CALLBACKOP_unregister, CALLBACKTYPE_event, 0), -EINVAL,
             "no entry for events");
    CHECK_RC(callback(99, CALLBACKTYPE_event, 0), -ENOSYS, "callback_op 99");
    CHECK_RC(
        HYPERVISOR_any(__HYPERVISOR_callback_op, CALLBACKOP_register, HYPERVISOR_VIRT_START, 0, 0),
        -EFAULT, "a callback in Xen's area");
    CHECK_RC(traps_start(), 0, "the entry as it was");
    seen.nr = 0;
    upcall(t, port);
    CHECK(seen.nr == 1 && seen.vector == VECTOR_EVENT, "the entry is not as it was");
    trap_hook = NULL;
    evtchn_close(port);
}

static long set_gdt(mfn_t mfn, uint64_t nr_entries)
{
    uint64_t frames[1] = {mfn.v};

    return HYPERVISOR_any(__HYPERVISOR_set_gdt, (uintptr_t)frames, nr_entries, 0, 0);
}

/* Our GDT is in force: what its descriptors are good for. */
static void use_gdt(struct test *t, struct spot s)
{
    uint16_t ds;

    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    CHECK(spot_show(s, s.mfn, PTE_RW) < 0, "a GDT in use can be mapped writable");
    CHECK(!probe_ds(SELECTOR(1)), "a segment that is there cannot be loaded");
    check_trap(t, "a segment that is not present", probe_ds(SELECTOR(2)), 11, SELECTOR(2) & ~3u,
               (uintptr_t)probe_ds);
    check_trap(t, "a stack that is not present", probe_ss(SELECTOR(2)), 12, SELECTOR(2) & ~3u,
               (uintptr_t)probe_ss);
    CHECK(!probe_ds(ds), "DS cannot be what it was, 0x%x", ds);
}

TEST(abi_gdt, "set_gdt takes a frame that is not mapped writable and holds what a guest may have")
{
    uint64_t *gdt;
    struct room r;
    struct spot s;

    if (!room_open(&r, t, 16))
        return;
    s = room_spot(&r);
    gdt = (uint64_t *)s.va;
    CHECK_RC(spot_show(s, s.mfn, PTE_RW), 0, "a frame mapped writable");
    gdt[1] = GDT_DATA, gdt[2] = GDT_ABSENT, gdt[3] = GDT_LDT;
    CHECK_RC(set_gdt(s.mfn, GDT_ENTRIES), -EINVAL, "a GDT that is mapped writable");
    CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "the mapping removed");
    CHECK_RC(set_gdt(s.mfn, GDT_ENTRIES), -EINVAL, "a GDT with a descriptor of an LDT");
    CHECK_RC(spot_show(s, s.mfn, PTE_RW), 0, "a frame that was no GDT");
    gdt[3] = 0;
    CHECK_RC(spot_show(s, INVALID_MFN, 0), 0, "the mapping removed");

    CHECK_RC(set_gdt(s.mfn, FIRST_RESERVED_GDT_ENTRY + 1), -EINVAL,
             "more entries than there may be");
    CHECK_RC(set_gdt(to_mfn(t->d->host.max_mfn + 1), 1), -EINVAL, "a GDT in no frame");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_set_gdt, HYPERVISOR_VIRT_START, 1, 0, 0), -EFAULT,
             "a list of frames in Xen's area");
    trap_hook = note;
    seen.nr = 0;
    CHECK_RC(set_gdt(s.mfn, GDT_ENTRIES), 0, "a good GDT");
    use_gdt(t, s);
    CHECK_RC(set_gdt(s.mfn, 0), 0, "no GDT any more");
    trap_hook = NULL;
    room_drop(&r, s);
    room_close(&r);
}
