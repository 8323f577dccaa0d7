/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls by SYSCALL, without a hypercall page: in a 64-bit PV guest's kernel SYSCALL is the
 * hypercall itself (calling convention: <xen/arch-x86/xen-x86_64.h>). RAX has the number; RDI, RSI,
 * RDX, R10 and R8 have the arguments, which differs from the C ABI in the fourth register only. RCX
 * and R11 are clobbered; the C ABI allows a callee to do so.
 */
#define __ASSEMBLY__
#include <xen/xen.h>

.macro hypercall name:req, number:req
    .section .text.hypercall.\name, "ax", @progbits
    .globl HYPERVISOR_\name
    .type HYPERVISOR_\name, @function
HYPERVISOR_\name:
    mov     %rcx, %r10
    mov     $\number, %eax
    syscall
    ret
    .size HYPERVISOR_\name, . - HYPERVISOR_\name
.endm
#define HYPERCALL(name) hypercall name, __HYPERVISOR_##name

HYPERCALL(set_trap_table)
HYPERCALL(set_callbacks)
HYPERCALL(mmu_update)
HYPERCALL(mmuext_op)
HYPERCALL(update_va_mapping)
HYPERCALL(memory_op)
HYPERCALL(xen_version)
HYPERCALL(sched_op)
HYPERCALL(event_channel_op)
HYPERCALL(vcpu_op)
HYPERCALL(grant_table_op)
HYPERCALL(console_io)
HYPERCALL(xsm_op)
hypercall suspend, __HYPERVISOR_sched_op

/* Any hypercall: the number is the first C argument, so each argument moves down one register. */
    .section .text.hypercall.any, "ax", @progbits
    .globl HYPERVISOR_any
    .type HYPERVISOR_any, @function
HYPERVISOR_any:
    mov     %rdi, %rax
    mov     %rsi, %rdi
    mov     %rdx, %rsi
    mov     %rcx, %rdx
    mov     %r8, %r10
    syscall
    ret
    .size HYPERVISOR_any, . - HYPERVISOR_any

.section .note.GNU-stack, "", @progbits
