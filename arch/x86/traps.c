/* SPDX-License-Identifier: MIT */
#include "arch/x86/traps.h"

#include "lib/panic.h"
#include "lib/printk.h"

#include "arch/x86/call_trace.h"
#include "arch/x86/cpu.h"
#include "arch/x86/hypercall.h"
#include "arch/x86/layout.h"
#include "arch/x86/probe.h"
#include "arch/x86/pte.h"
#include "arch/x86/vectors.h"

#define STUB_BYTES 16
#define VECTOR_NMI 2
#define PF_FETCH   ((uint64_t)1 << 4)
#define FLAGS_IF   ((uint64_t)1 << 9)

extern const char trap_stubs[], event_entry[], failsafe_entry[];
/* From linker.ld and entry.S: the text section is [image_start, rodata_start). */
extern char image_start[], rodata_start[], stack_guard[];

/* Filled by probe.S through the linker. */
struct may_trap {
    uint64_t at, go_on;
};
extern const struct may_trap extable_start[], extable_end[];

trap_witness_t trap_witness;
trap_hook_t trap_hook;

/* The trap that is being reported; NULL: none. */
static const struct trap_frame *fatal_trap;

uintptr_t trap_entry(unsigned int vector)
{
    return (uintptr_t)trap_stubs + vector * STUB_BYTES;
}

void trap_mask_events(struct trap_frame *frame)
{
    frame->rflags &= ~FLAGS_IF;
}

int traps_start(void)
{
    /* One more than the vectors for the entry that ends the table; NMIs cannot be had so. */
    static struct trap_info table[NR_VECTORS + 1];
    unsigned int n = 0;

    for (unsigned int v = 0; v < NR_VECTORS; v++) {
        if (v == VECTOR_NMI)
            continue;
        table[n++] = (struct trap_info){
            .vector = (uint8_t)v, .cs = FLAT_KERNEL_CS, .address = trap_entry(v)};
    }

    long rc = HYPERVISOR_set_trap_table(table);

    if (rc == 0)
        rc = HYPERVISOR_set_callbacks((uintptr_t)event_entry, (uintptr_t)failsafe_entry, 0);
    return (int)rc;
}

/* Was the trap expected, at this address? Then the handler returns to where the probe goes on. */
static bool resume_probe(struct trap_frame *f)
{
    uint64_t at = f->rip;
    bool is_fetch = (f->error & PF_FETCH) || !pte_has_nx(); /* without NX the bit may be 0 */
    bool fetch = f->vector == TRAP_PAGE_FAULT && is_fetch && f->rip == cr2();

    /* the call's return address: see probe.S. A wild jump may come with a wild stack. */
    if (fetch && probe_read((const void *)f->rsp, &at))
        return false;

    for (const struct may_trap *t = extable_start; t < extable_end; t++) {
        if (t->at != at)
            continue;
        f->rip = t->go_on;
        if (fetch)
            f->rsp += sizeof(uint64_t);
        return true;
    }
    return false;
}

/*
 * In the frame that Xen pushes, CS fills bits 15:0 of its word, and bits 39:32 are the upcall mask
 * that Xen saved: <xen/arch-x86/xen-x86_64.h>, saved_upcall_mask.
 */
static uint16_t frame_cs(const struct trap_frame *f)
{
    return (uint16_t)f->cs;
}

static bool frame_events_masked(const struct trap_frame *f)
{
    return (uint8_t)(f->cs >> 32) != 0;
}

static void print_frame(const struct trap_frame *f)
{
    print("trap: vector %lu, error code 0x%lx, at %04x:%016lx, flags %lx, events %smasked\n",
          f->vector, f->error, frame_cs(f), f->rip, f->rflags,
          frame_events_masked(f) ? "" : "not ");
    print("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    print("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp, f->rsp);
    print("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
    print("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14, f->r15);
}

/* The trace of a trap begins at what trapped, and leaves out how the trap is reported. */
void platform_call_trace(const void *frame)
{
    static bool printing; /* a panic on the way must not come here again */
    const struct call_trace_bounds bounds = {
        .text_start = (uintptr_t)image_start,
        .text_end = (uintptr_t)rodata_start,
        .stack_start = (uintptr_t)stack_guard + PAGE_SIZE,
        .stack_end = (uintptr_t)stack_guard + PAGE_SIZE + STACK_BYTES,
    };

    if (printing)
        return;
    printing = true;
    print("Call trace:\n");
    if (fatal_trap)
        print(" [<%016lx>] R\n", fatal_trap->rip);
    call_trace_print(&bounds, fatal_trap ? fatal_trap->rsp : (uintptr_t)frame);
    printing = false;
}

void trap_handler(struct trap_frame *frame)
{
    uint64_t fault_va = frame->vector == TRAP_PAGE_FAULT ? cr2() : 0;

    if (trap_hook && trap_hook(frame, fault_va))
        return;
    if (frame->vector == VECTOR_EVENT) {
        trap_mask_events(frame);
        return;
    }
    if (resume_probe(frame))
        return;

    if (fatal_trap)
        panic("trap vector %lu at rip %016lx while the kernel reports the trap at rip %016lx",
              frame->vector, frame->rip, fatal_trap->rip);
    fatal_trap = frame;

    print_frame(frame);
    if (trap_witness)
        trap_witness(frame, fault_va);
    panic("unexpected trap: vector %lu, error code 0x%lx, rip %016lx, address %016lx",
          frame->vector, frame->error, frame->rip, fault_va);
}
