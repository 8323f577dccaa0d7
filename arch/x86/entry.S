/* SPDX-License-Identifier: MIT */
/*
 * Where Xen enters: once at boot, and at every trap.
 *
 * At boot RSI holds the address of start_info, the stack is the builder's, BSS is zero, and events
 * are masked (<xen/xen.h>, "Start-of-day memory layout"). We leave the builder's stack at once: it
 * lies in the part of the mapping that is taken down later.
 */
#define __ASSEMBLY__
#include "arch/x86/layout.h"
#include "arch/x86/vectors.h"

#include <xen/xen.h>


    .section .text.start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    cld
    lea     stack_top(%rip), %rsp
    xor     %ebp, %ebp
    mov     %rsi, %rdi
    call    kernel_main             /* does not return */
    ud2
    .size   _start, . - _start

/*
 * The stack, and below it a guard page, which protect_stage (kernel/boot/protect.c) unmaps: a stack
 * overflow faults there, and overwrites no data of the kernel.
 *
 * The kernel cannot report this fault. Xen pushes the exception frame onto the same stack, so Xen
 * faults on the guard page as well ("domain_crash_sync called from entry.S"), prints the registers
 * of the domain, and ends the domain as crashed.
 */
    .section .bss.stack, "aw", @nobits
    .balign 4096
    .globl stack_guard
stack_guard:
    .skip   4096
    .skip   STACK_BYTES
stack_top:

/*
 * Traps. Xen pushes RCX and R11 (which its own SYSRET to us destroys), the error code where the
 * vector has one, and the usual frame:
 *
 *      RSP ->  RCX  R11  [error]  RIP  CS  RFLAGS  RSP  SS
 *
 * Each stub brings that into the shape of struct trap_frame (traps.h) and calls trap_handler.
 */
    .section .text.traps, "ax", @progbits

trap_common:                        /* RCX and R11 popped; vector and error on the stack */
    push    %rdi
    push    %rsi
    push    %rdx
    push    %rcx
    push    %rax
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    cld
    mov     %rsp, %rdi
    mov     %rsp, %rbp
    and     $-16, %rsp
    call    trap_handler            /* returns if the trap was a probe's */
    mov     %rbp, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rsi
    pop     %rdi
    add     $16, %rsp               /* vector and error */
    pushq   $0                      /* struct iret_context: flags, then RCX, R11, RAX */
    push    %rcx
    push    %r11
    push    %rax
    mov     $__HYPERVISOR_iret, %eax
    syscall
    ud2

/* A stub for each exception vector; 16 bytes of code each, so that C can compute their places. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set    vector, 0
    .rept   32
    .balign 16
    pop     %rcx
    pop     %r11
    /* double fault, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC and #SX come with an error code */
    .if     vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    pushq   $0
    .endif
    pushq   $vector
    jmp     trap_common
    .set    vector, vector + 1
    .endr

/* Xen could not return to where we asked: the frame it hands over has four selectors more. */
    .globl failsafe_entry
failsafe_entry:
    pop     %rcx
    pop     %r11
    add     $32, %rsp
    pushq   $0
    pushq   $VECTOR_FAILSAFE
    jmp     trap_common

/* An upcall: events are let in only while the vCPU sleeps in Xen (xen/evtchn.h). */
    .globl event_entry
event_entry:
    pop     %rcx
    pop     %r11
    pushq   $0
    pushq   $VECTOR_EVENT
    jmp     trap_common

.section .note.GNU-stack, "", @progbits
