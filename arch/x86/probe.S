/* SPDX-License-Identifier: MIT */
/*
 * Each access that may trap has a line in .extable: where it may trap, and where to go on then.
 * An instruction fetch that traps does so at its target, so probe_exec's line names the return
 * address, which the trap handler finds on the stack.
 */
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

    .section .text.trapped, "ax", @progbits
trapped:
    mov     $-EFAULT, %eax
    ret

.section .note.GNU-stack, "", @progbits
