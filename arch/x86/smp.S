/* SPDX-License-Identifier: MIT */
/* The entry point of a second vCPU. smp.c sets RAX to a function, RDI to its argument. */
    .section .text.vcpu_entry, "ax", @progbits
    .globl vcpu_entry
    .type vcpu_entry, @function
vcpu_entry:
    cld
    xor     %ebp, %ebp
    call    *%rax                   /* does not return */
    ud2

.section .note.GNU-stack, "", @progbits
