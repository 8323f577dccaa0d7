/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and events as Xen delivers them, and the registration of their entry points.
 *
 * Without these tests an exception could arrive with a wrong vector, or without its error code. The
 * entry points in entry.S depend on which vectors have an error code, and the probes of all other
 * tests depend on these entry points. The tests raise each exception that a guest can raise, and
 * compare vector, error code, RIP and CR2 with the Intel SDM (vol. 3, "Exception and Interrupt
 * Reference"). Xen differs from the SDM in two points. The U bit in the error code of a page fault
 * is clear, since Xen treats the guest kernel in ring 3 as a kernel. INT n for a vector that the
 * kernel may not use is #GP, as with a gate whose DPL is lower than the CPL.
 *
 * <xen/arch-x86/xen.h> describes the virtual IDT ("Terminate the array with a sentinel entry") and
 * the GDT ("A number of GDT entries are reserved by Xen"), <xen/callback.h> the callbacks ("Not all
 * callbacks can be unregistered").
 */
#include "arch/x86/traps.h"

#include "lib/errno.h"

#include "arch/x86/hypercall.h"
#include "arch/x86/probe.h"
#include "arch/x86/vectors.h"

#include "xen/evtchn.h"

#include "tests/guest/abi_room.h"
#include "tests/guest/traps/snippet.h"

#include <xen/callback.h>
#include <xen/version.h>

#define NONCANONICAL 0x0000800000000000

/* GDT descriptors: ring 3 data, the same but not present, and an LDT, which only Xen may install.
 */
#define GDT_DATA    0x00cff3000000ffff
#define GDT_ABSENT  0x00cf73000000ffff
#define GDT_LDT     0x0000820000000000
#define SELECTOR(i) ((unsigned int)(i) << 3 | 3)
#define GDT_ENTRIES 512 /* in one frame */

/* The exceptions and upcalls since nr was set to 0: how many, and the last one. */
static struct seen {
    unsigned int nr;
    uint64_t vector, error, rip, va;
} seen;

static bool note(struct trap_frame *frame, uint64_t fault_va)
{
    seen = (struct seen){seen.nr + 1, frame->vector, frame->error, frame->rip, fault_va};
    return false;
}

/* A probe did @what and returned @rc: did it raise one exception, with these properties? */
static void check_trap(struct test *t, const char *what, int rc, unsigned int vector,
                       uint64_t error, uintptr_t rip)
{
    CHECK_RC(rc, -EFAULT, "%s (must raise exception vector %u)", what, vector);
    CHECK_EQ(seen.nr, 1, "after %s: number of exceptions that this kernel handled", what);
    if (seen.nr)
        CHECK(seen.vector == vector && seen.error == error && seen.rip == rip,
              "%s: exception has vector %lu, error code 0x%lx, RIP 0x%lx, "
              "expected vector %u, error code 0x%lx, RIP 0x%lx",
              what, seen.vector, seen.error, seen.rip, vector, error, rip);
    seen.nr = 0;
}

static void check_fault(struct test *t, const char *what, int rc, uint64_t error, uintptr_t rip,
                        const void *va)
{
    uint64_t cr2 = seen.va;

    check_trap(t, what, rc, TRAP_PAGE_FAULT, error, rip);
    CHECK_EQ(cr2, (uintptr_t)va, "%s: CR2 in the page fault handler", what);
    CHECK_EQ(t->d->shared->vcpu_info[0].arch.cr2, (uintptr_t)va, "%s: vcpu_info[0].arch.cr2", what);
}

TEST(abi_traps, "Xen delivers each exception with vector, error code and RIP as in the Intel SDM")
{
    uint64_t value;
    int rc;

    trap_hook = note;
    seen.nr = 0;
    check_trap(t, "int3", probe_breakpoint(), 3, 0, (uintptr_t)probe_breakpoint + 1);
    check_trap(t, "ud2", probe_undefined(), 6, 0, (uintptr_t)probe_undefined);
    check_trap(t, "div by 0", probe_divide(0), 0, 0, (uintptr_t)probe_divide);
    check_trap(t, "read at a non-canonical address",
               probe_read((const uint64_t *)NONCANONICAL, &value), 13, 0, (uintptr_t)probe_read);
    check_trap(t, "load of DS with a selector past the GDT", probe_ds(SELECTOR(100)), 13,
               SELECTOR(100) & ~3u, (uintptr_t)probe_ds);
    rc = probe_interrupt();
    if (seen.error == (PROBE_INTERRUPT << 4 | 2)) /* older QEMU: vector * 16, not * 8 */
        seen.error = PROBE_INTERRUPT << 3 | 2;
    check_trap(t, "INT n of a vector that the guest may not use", rc, 13, PROBE_INTERRUPT << 3 | 2,
               (uintptr_t)probe_interrupt);

    /* <xen/xen.h>: HYPERVISOR_fpu_taskswitch sets CR0.TS; Xen clears it when it delivers #NM */
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_fpu_taskswitch, 1, 0, 0, 0), 0, "fpu_taskswitch(1)");
    check_trap(t, "fnop with CR0.TS set", probe_fpu(), 7, 0, (uintptr_t)probe_fpu);
    CHECK_RC(probe_fpu(), 0, "fnop after #NM, which clears CR0.TS");
    trap_hook = NULL;
}

TEST(abi_page_faults, "Xen delivers each page fault with the error code and CR2 of the Intel SDM")
{
    const void *unmapped = stack_guard;
    uint64_t value;

    trap_hook = note;
    seen.nr = 0;
    check_fault(t, "read of an unmapped page", probe_read(unmapped, &value), 0,
                (uintptr_t)probe_read, unmapped);
    check_fault(t, "write to an unmapped page", probe_write(stack_guard + 8, 0), PF_WRITE,
                (uintptr_t)probe_write, stack_guard + 8);
    check_fault(t, "write to .rodata", probe_write(rodata_start, 0), PF_WRITE | PF_PRESENT,
                (uintptr_t)probe_write, rodata_start);
    /* CR2 is the first address of the part that is not mapped */
    check_fault(t, "read of 8 bytes across the start of an unmapped page",
                probe_read((void *)((uintptr_t)unmapped - 4), &value), 0, (uintptr_t)probe_read,
                unmapped);
    if (pte_has_nx()) {
        check_fault(t, "call of an address in .rodata", probe_exec(rodata_start, &value),
                    PF_FETCH | PF_PRESENT, (uintptr_t)rodata_start, rodata_start);
        /* the trap handler reads the return address with a probe, which must not fault as well */
        check_fault(t, "call of an address in an unmapped page", probe_exec(unmapped, &value),
                    PF_FETCH, (uintptr_t)unmapped, unmapped);
    } else {
        test_skip(t, "this CPU has no NX bit; only page faults of loads and stores were checked");
    }
    trap_hook = NULL;
}

TEST(abi_trap_table,
     "set_trap_table installs the trap_info entries before the first unreadable one")
{
    struct trap_info *table;
    struct room r;

    if (!room_open(&r, t, 16))
        return;
    /* an entry at the end of a page, without an end of the array: int3 goes to trap_entry(4) */
    table = (struct trap_info *)((uint8_t *)room_alloc(&r, 1) + PAGE_SIZE) - 1;
    *table = (struct trap_info){.vector = 3, .cs = FLAT_KERNEL_CS, .address = trap_entry(4)};
    trap_hook = note;
    seen.nr = 0;
    CHECK_RC(HYPERVISOR_set_trap_table(table), -EFAULT,
             "set_trap_table of an array that continues in an unmapped page");
    check_trap(t, "int3, registered at the entry point of vector 4", probe_breakpoint(), 4, 0,
               (uintptr_t)probe_breakpoint + 1);
    CHECK_RC(traps_start(), 0, "set_trap_table of this kernel's own array");
    check_trap(t, "int3, registered at its own entry point", probe_breakpoint(), 3, 0,
               (uintptr_t)probe_breakpoint + 1);
    CHECK_RC(HYPERVISOR_set_trap_table((void *)HYPERVISOR_VIRT_START), -EFAULT,
             "set_trap_table of an array at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    trap_hook = NULL;
    room_free(&r, (uint8_t *)(table + 1) - PAGE_SIZE, 1);
    room_close(&r);
}

/* Masks further upcalls also if an upcall arrives at the entry point of an exception. */
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

/* Sends this domain an event with upcalls unmasked: it must arrive once, at the entry of @vector.
 */
static void check_upcall(struct test *t, evtchn_port_t port, unsigned int vector)
{
    volatile struct vcpu_info *vcpu = &t->d->shared->vcpu_info[0];
    long version;

    seen.nr = 0;
    evtchn_dispatch();
    evtchn_notify(port);
    vcpu->evtchn_upcall_mask = 0;
    version = HYPERVISOR_xen_version(XENVER_version, NULL);
    CHECK(version > 0, "XENVER_version with a pending upcall: result is %ld, expected > 0",
          version);
    CHECK_EQ(vcpu->evtchn_upcall_mask, 1, "after an event upcall: vcpu_info[0].evtchn_upcall_mask");
    vcpu->evtchn_upcall_mask = 1;
    evtchn_dispatch();
    CHECK_EQ(seen.nr, 1, "number of upcalls after one event at port 0x%x", port);
    CHECK_EQ(seen.vector, vector,
             "number of the kernel's entry stub to which Xen delivered the event upcall");
}

static long callback(unsigned int cmd, unsigned int type, uint64_t address)
{
    struct callback_register reg = {.type = (uint16_t)type, .address = address};

    return HYPERVISOR_any(__HYPERVISOR_callback_op, cmd, (uintptr_t)&reg, 0, 0);
}

/* Opens a port to this domain, and notes upcalls. */
static bool upcalls_start(struct test *t, evtchn_port_t *port)
{
    if (!ipi_open(t, nothing, NULL, port))
        return false;
    trap_hook = note_and_mask;
    return true;
}

static void upcalls_stop(evtchn_port_t port)
{
    trap_hook = NULL;
    evtchn_close(port);
}

TEST(abi_callbacks, "CALLBACKOP_register moves the entry point of event upcalls (xen/callback.h)")
{
    evtchn_port_t port;

    if (!upcalls_start(t, &port))
        return;
    check_upcall(t, port, VECTOR_EVENT);
    CHECK_RC(callback(CALLBACKOP_register, CALLBACKTYPE_event, trap_entry(4)), 0,
             "CALLBACKOP_register of CALLBACKTYPE_event at the entry of vector 4");
    check_upcall(t, port, 4);
    CHECK_RC(traps_start(), 0,
             "set_trap_table and set_callbacks with this kernel's own entry points");
    check_upcall(t, port, VECTOR_EVENT);
    upcalls_stop(port);
}

TEST(abi_bad_callbacks, "a callback_op that fails does not change the entry point of event upcalls")
{
    evtchn_port_t port;

    if (!upcalls_start(t, &port))
        return;
    CHECK_RC(callback(CALLBACKOP_register, CALLBACKTYPE_event, NONCANONICAL), -EINVAL,
             "CALLBACKOP_register of a non-canonical entry point");
    CHECK_RC(callback(CALLBACKOP_register, 99, trap_entry(4)), -ENOSYS,
             "CALLBACKOP_register of unknown type 99");
    CHECK_RC(callback(CALLBACKOP_unregister, CALLBACKTYPE_event, 0), -EINVAL,
             "CALLBACKOP_unregister of CALLBACKTYPE_event");
    CHECK_RC(callback(99, CALLBACKTYPE_event, 0), -ENOSYS, "unknown callback_op 99");
    CHECK_RC(
        HYPERVISOR_any(__HYPERVISOR_callback_op, CALLBACKOP_register, HYPERVISOR_VIRT_START, 0, 0),
        -EFAULT, "CALLBACKOP_register with its argument at Xen's address 0x%lx",
        HYPERVISOR_VIRT_START);
    check_upcall(t, port, VECTOR_EVENT);
    upcalls_stop(port);
}

static long set_gdt(mfn_t mfn, uint64_t nr_entries)
{
    uint64_t frames[1] = {mfn.v};

    return HYPERVISOR_any(__HYPERVISOR_set_gdt, (uintptr_t)frames, nr_entries, 0, 0);
}

/* The GDT of the test is installed, in the frame of @s: are its descriptors used? */
static void use_gdt(struct test *t, struct spot s)
{
    uint16_t ds;

    check_frame_refused(t, spot_show(s, s.mfn, PTE_RW),
                        "update_va_mapping, writable, of the GDT in use", s.mfn);
    __asm__ volatile("mov %%ds, %0" : "=r"(ds));
    CHECK_RC(probe_ds(SELECTOR(1)), 0, "load of DS with a data segment of the new GDT");
    check_trap(t, "load of DS with a segment that is not present", probe_ds(SELECTOR(2)), 11,
               SELECTOR(2) & ~3u, (uintptr_t)probe_ds);
    check_trap(t, "load of SS with a segment that is not present", probe_ss(SELECTOR(2)), 12,
               SELECTOR(2) & ~3u, (uintptr_t)probe_ss);
    CHECK_RC(probe_ds(ds), 0, "load of DS with selector 0x%x, as before set_gdt", ds);
}

/* Writes descriptors into the frame of @s, which is then not mapped. */
static void fill_gdt(struct test *t, struct spot s, uint64_t last)
{
    uint64_t *gdt = (uint64_t *)s.va;

    check_frame(t, spot_show(s, s.mfn, PTE_RW), 0, "update_va_mapping, writable", s.mfn);
    gdt[1] = GDT_DATA, gdt[2] = GDT_ABSENT, gdt[3] = last;
    check_frame(t, spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping to 0 (no mapping)", s.mfn);
}

static void check_gdt(struct test *t, mfn_t mfn, uint64_t nr_entries, long expected,
                      const char *what)
{
    CHECK_RC(set_gdt(mfn, nr_entries), expected, "set_gdt, MFN 0x%lx, %lu entries (%s)", mfn.v,
             nr_entries, what);
}

TEST(abi_gdt, "after set_gdt, a segment load uses the descriptors of the new GDT")
{
    struct spot s;

    if (!spot_open(t, &s))
        return;
    fill_gdt(t, s, 0);
    trap_hook = note;
    seen.nr = 0;
    check_gdt(t, s.mfn, GDT_ENTRIES, 0, "a valid GDT");
    use_gdt(t, s);
    check_gdt(t, s.mfn, 0, 0, "no GDT");
    trap_hook = NULL;
    spot_close(s);
}

TEST(abi_bad_gdt, "set_gdt refuses each of: a frame mapped writable, an LDT descriptor, too many "
                  "entries, a bad MFN")
{
    struct spot s;

    if (!spot_open(t, &s))
        return;
    fill_gdt(t, s, GDT_LDT);
    check_gdt(t, s.mfn, GDT_ENTRIES, -EINVAL, "an LDT descriptor in entry 3");
    fill_gdt(t, s, 0);
    check_frame(t, spot_show(s, s.mfn, PTE_RW), 0, "update_va_mapping, writable", s.mfn);
    check_gdt(t, s.mfn, GDT_ENTRIES, -EINVAL, "a frame that is mapped writable");
    check_frame(t, spot_show(s, INVALID_MFN, 0), 0, "update_va_mapping to 0 (no mapping)", s.mfn);
    check_gdt(t, s.mfn, FIRST_RESERVED_GDT_ENTRY + 1, -EINVAL, "too many entries");
    check_gdt(t, to_mfn(t->d->host.max_mfn + 1), 1, -EINVAL,
              "a frame past the last MFN of the host");
    CHECK_RC(HYPERVISOR_any(__HYPERVISOR_set_gdt, HYPERVISOR_VIRT_START, 1, 0, 0), -EFAULT,
             "set_gdt with its list of frames at Xen's address 0x%lx", HYPERVISOR_VIRT_START);
    spot_close(s);
}
