/* SPDX-License-Identifier: MIT */
/* Where a second vCPU begins: smp.c has put a function into RAX, and its argument into RDI. */
    .section .text.vcpu_entry, "ax", @progbits
    .globl vcpu_entry
    .type vcpu_entry, @function
vcpu_entry:
    cld
    xor     %ebp, %ebp
    call    *%rax                   /* does not return */
    ud2

.section .note.GNU-stack, "", @progbits
