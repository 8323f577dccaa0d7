/* SPDX-License-Identifier: MIT */
/*
 * Each instruction that may trap has an entry in .extable: the address of the instruction, and the
 * address where execution continues after the trap (traps.c). An instruction fetch traps at the
 * target of the call, not at the call. The entry of probe_exec therefore has the return address,
 * which the trap handler reads from the stack.
 */
#define __ASSEMBLY__
#include "arch/x86/vectors.h"

#define EFAULT 14

.macro may_trap at, go_on
    .pushsection .extable, "a", @progbits
    .quad \at, \go_on
    .popsection
.endm

.macro function name
    .section .text.\name, "ax", @progbits
    .globl \name
    .type \name, @function
\name:
.endm

function probe_read
1:  mov     (%rdi), %rax
    mov     %rax, (%rsi)
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_write
1:  mov     %rsi, (%rdi)
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_exec
    push    %rsi
    call    *%rdi
1:  pop     %rsi
    mov     %rax, (%rsi)
    xor     %eax, %eax
    ret
2:  pop     %rsi
    jmp     trapped
    may_trap 1b, 2b

/* The functions from here on trap at their first instruction. int3 traps with RIP behind it. */
function probe_breakpoint
    int3
1:  xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_undefined
1:  ud2
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_divide                   /* divides RDX:RAX by RDI */
1:  div     %rdi
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_interrupt
1:  int     $PROBE_INTERRUPT
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_fpu
1:  fnop
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_ds
1:  mov     %edi, %ds
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

function probe_ss
1:  mov     %edi, %ss
    xor     %eax, %eax
    ret
    may_trap 1b, trapped

    .section .text.trapped, "ax", @progbits
trapped:
    mov     $-EFAULT, %eax
    ret

.section .note.GNU-stack, "", @progbits
